// Host kernels: an op on plain arrays, made a kernel of any backend that can be read at once.

import type { Aval } from './aval.ts'
import type { Backend, Kernel, Operand } from './backend.ts'
import { fail } from './errors.ts'
import type { AnyRow } from './row.ts'

/** The kernel that reads a row's operands from a backend, computes on the host, and writes the results back. */
export function hostKernel(row: AnyRow, backend: Backend): Kernel {
  return (xs: readonly Operand[], params, out: Aval & readonly Aval[]) => {
    if (!backend.readSync) return fail('backend', row.name, `computes on the host, and the ${backend.name} backend reads asynchronously. Move the operands with await to(x, cpu()) first`)
    const operands = xs.map(({ storage, aval }) => ({ data: backend.readSync!(storage, aval), aval, shape: aval.shape, dtype: aval.dtype }))
    const avals: readonly Aval[] = Array.isArray(out) ? out : [out]
    const results = [row.host!(operands, params, avals)].flat()
    const storages = avals.map((aval, i) => backend.write(results[i]!, aval))
    return Array.isArray(out) ? storages : storages[0]!
  }
}
