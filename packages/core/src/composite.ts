// Composites: run the fused kernel or the decomposition, and record one node where the composite has a pullback of its own.

import type { Aval } from './aval.ts'
import type { Kernel, Operand } from './backend.ts'
import { shapesOf } from './infer.ts'
import type { Interpreter } from './interpreter.ts'
import { record } from './node.ts'
import type { AnyRow } from './row.ts'
import { Tensor } from './tensor.ts'

/**
 * Applies a row that has a decomposition in the interpreter given. A composite without a kernel and without a `vjp` is its
 * decomposition; anything else becomes one node, differentiated by its own rule or by running the decomposition again.
 */
export function bindComposite(interpreter: Interpreter, row: AnyRow, xs: Tensor[], params: unknown, kernel: Kernel | null): Tensor | Tensor[] {
  const decompose = row.decompose!
  if (kernel === null && row.vjp === null && row.diff.kind === 'composite') return decompose(xs, params)
  const recording = interpreter.recording
  interpreter.recording = false
  let ys: Tensor | Tensor[]
  try {
    ys = kernel === null ? own(decompose(xs, params), xs, interpreter) : fused(kernel, row, xs, params)
  } finally {
    interpreter.recording = recording
  }
  if (recording) record(row, params, xs, ys)
  return ys
}

function fused(kernel: Kernel, row: AnyRow, xs: Tensor[], params: unknown): Tensor | Tensor[] {
  const out = shapesOf(row, xs, params)
  const storage = kernel(xs as Operand[], params as never, out as Aval & Aval[])
  const backend = xs[0]!.backend
  return Array.isArray(out) ? out.map((aval, i) => new Tensor(aval, (storage as object[])[i]!, backend)) : new Tensor(out, storage, backend)
}

/** A decomposition may hand back an operand itself; a node needs a tensor of its own. */
function own(ys: Tensor | Tensor[], xs: Tensor[], interpreter: Interpreter): Tensor | Tensor[] {
  const fresh = (y: Tensor): Tensor => y.node !== null || xs.includes(y) ? interpreter.lift(y) : y
  return Array.isArray(ys) ? ys.map(fresh) : fresh(ys)
}
