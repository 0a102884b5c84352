// Composites: run the fused kernel or the decomposition, and record one node where the composite has a pullback of its own.

import type { Aval } from './aval.ts'
import type { Backend, Kernel, Operand } from './backend.ts'
import { freeing, storagesOf } from './freeing.ts'
import { shapesOf } from './infer.ts'
import type { Interpreter } from './interpreter.ts'
import { record } from './node.ts'
import type { AnyRow } from './row.ts'
import { Tensor } from './tensor.ts'

/**
 * Applies a row that has a decomposition in the interpreter given. A composite without a kernel and without a `vjp` is its
 * decomposition, unless the backend fuses it; anything else becomes one node, differentiated by its own rule or by running the
 * decomposition again.
 */
export function bindComposite(interpreter: Interpreter, row: AnyRow, xs: Tensor[], params: unknown, kernel: Kernel | null): Tensor | Tensor[] {
  const decompose = row.decompose!
  const apart = kernel === null && row.vjp === null && row.diff.kind === 'composite'
  const recording = interpreter.recording
  const fuser = kernel === null && row.fuse !== 'opaque' && interpreter.outer === null ? xs[0]?.backend.fuser : undefined
  const fused = fuser ? fuser.forward(row, xs, params, apart && recording) : null
  if (fused !== null) {
    if (recording) record(row, params, xs, fused)
    return fused
  }
  if (apart) return decompose(xs, params)
  interpreter.recording = false
  let ys: Tensor | Tensor[]
  try {
    ys = kernel === null ? freeing(xs[0]?.backend, 'step', () => own(decompose(xs, params), xs, interpreter), ys => storagesOf([ys].flat())) : run(kernel, xs, params, shapesOf(row, xs, params), xs[0]!.backend)
  } finally {
    interpreter.recording = recording
  }
  if (recording) record(row, params, xs, ys)
  return ys
}

/** Runs a kernel and gives its results as tensors. Hot path: no closures, no spreads. */
export function run(kernel: Kernel, xs: Tensor[], params: unknown, out: Aval | Aval[], backend: Backend): Tensor | Tensor[] {
  const storage = kernel(xs as Operand[], params as never, out as Aval & Aval[])
  if (!Array.isArray(out)) return new Tensor(out, storage, backend)
  const ys = new Array<Tensor>(out.length)
  for (let i = 0; i < out.length; i++) ys[i] = new Tensor(out[i]!, (storage as object[])[i]!, backend)
  return ys
}

/** A decomposition may hand back an operand itself; a node needs a tensor of its own. */
function own(ys: Tensor | Tensor[], xs: Tensor[], interpreter: Interpreter): Tensor | Tensor[] {
  const fresh = (y: Tensor): Tensor => y.node !== null || xs.includes(y) ? interpreter.lift(y) : y
  return Array.isArray(ys) ? ys.map(fresh) : fresh(ys)
}
