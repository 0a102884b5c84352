// Eager mode: binding an op runs its kernel at once and, where a gradient is wanted, records it.

import { type Backend, defaultBackend, type Kernel, setDefaultBackend } from './backend.ts'
import { bindComposite, run } from './composite.ts'
import { fail } from './errors.ts'
import { hostKernel } from './host.ts'
import { current, type Interpreter, switchTo } from './interpreter.ts'
import { record } from './node.ts'
import { kept, replaced } from './ownership.ts'
import type { AnyRow } from './row.ts'
import { describe } from './shape.ts'
import { Tensor, type Variable } from './tensor.ts'

/* Hot path: from here to the end of bind no closures, Maps, spreads or scopes per op. */

class Eager implements Interpreter {
  recording = true
  readonly outer = null

  bind(row: AnyRow, xs: Tensor[], params: unknown): Tensor | Tensor[] {
    const backend = xs.length > 0 ? commonBackend(row, xs) : backendOf(params)
    const kernel = row.backend === backend ? row.kernel : lookUp(row, backend)
    if (kernel === null || row.infer === null) return fallBack(this, row, xs, params, kernel)
    const out = row.infer(xs, params)
    const y = run(kernel, xs, params, out, backend)
    if (this.recording) record(row, params, xs, y)
    return y
  }

  lift(x: Tensor): Tensor {
    return new Tensor(x.aval, kept(x), x.backend)
  }

  assign(variable: Variable, value: Tensor): void {
    const before = variable.storage
    variable.storage = kept(value)
    variable.version++
    if (variable.backend.free) replaced(before, variable.storage, variable.backend)
  }

  read(variable: Variable): Tensor {
    return this.lift(variable)
  }
}

function commonBackend(row: AnyRow, xs: Tensor[]): Backend {
  const backend = xs[0]!.backend
  for (let i = 0; i < xs.length; i++) {
    const x = xs[i]!
    if (x.storage == null) return unusable(row, x)
    if (x.backend !== backend) {
      return fail('backend', row.name, `operands are on two backends, ${backend.name} and ${x.backend.name}. Move one with await to(x, backend)`)
    }
  }
  return backend
}

function unusable(row: AnyRow, x: Tensor): never {
  return 'node' in x
    ? fail('data', row.name, `an operand ${describe(x)} has no value here: it belongs to a grad, jvp or trace that has ended. Return it from the transformed function instead of keeping it`)
    : fail('grad', row.name, `a derivative reads a value ${describe(x)} that its row did not save. Give the row saves: 'x', 'y' or 'xy'`)
}

function backendOf(params: unknown): Backend {
  return (params as { readonly backend?: Backend } | undefined)?.backend ?? defaultBackend()
}

/** Finds the kernel that `backend` has for `row`, and keeps it in the row. */
export function lookUp(row: AnyRow, backend: Backend): Kernel | null {
  const own = Object.hasOwn(backend.kernels, row.name) ? backend.kernels[row.name] : undefined
  row.kernel = own ?? row.kernels?.[backend.name] as Kernel | undefined ?? (row.host && (backend.readSync || !row.decompose) ? hostKernel(row, backend) : null)
  row.backend = backend
  return row.kernel
}

/** A composite without a kernel or without shapes of its own, or a primitive that the backend has no kernel for. */
function fallBack(eager: Interpreter, row: AnyRow, xs: Tensor[], params: unknown, kernel: Kernel | null): Tensor | Tensor[] {
  if (row.decompose !== null) return bindComposite(eager, row, xs, params, kernel)
  const backend = xs[0]?.backend ?? backendOf(params)
  return fail('backend', row.name, `the ${backend.name} backend has no kernel for it, and the op has no decomposition. Add the kernel to the backend's table, or decompose or host to defineOp`)
}

const eager = new Eager()

/**
 * Chooses the backend that new tensors are made on, and starts eager mode. Call it once, before anything else.
 *
 * @example
 * ```ts
 * import { use, tensor } from '@bp/core'
 * import { cpu } from '@bp/backend-cpu'
 * use(cpu())
 * tensor([1, 2]) // => tensor([1, 2], float32)
 * ```
 */
export function use(backend: Backend): void {
  setDefaultBackend(backend)
  if (current.outer === null) switchTo(eager)
}
