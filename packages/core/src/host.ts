// Host kernels: an op on plain arrays, made a kernel of any backend that can be read at once.

import { Aval } from './aval.ts'
import type { Backend, HostOperand, Kernel, Operand } from './backend.ts'
import type { TypedArray } from './dtype.ts'
import { fail } from './errors.ts'
import { decodeFloat16, encodeFloat16 } from './half.ts'
import type { AnyRow } from './row.ts'

const operand = (data: TypedArray, aval: Aval): HostOperand => ({ data, aval, shape: aval.shape, dtype: aval.dtype })

/** The kernel that reads a row's operands from a backend, computes on the host, and writes the results back; float16 goes through float32. */
export function hostKernel(row: AnyRow, backend: Backend): Kernel {
  return (xs: readonly Operand[], params, out: Aval & readonly Aval[]) => {
    if (!backend.readSync) return fail('backend', row.name, `computes on the host, and the ${backend.name} backend reads asynchronously. Move the operands with await to(x, cpu()) first`)
    const operands = xs.map(({ storage, aval }) => {
      const data = backend.readSync!(storage, aval)
      return aval.dtype === 'float16' ? operand(decodeFloat16(data as Uint16Array), new Aval(aval.shape, 'float32')) : operand(data, aval)
    })
    const avals: readonly Aval[] = Array.isArray(out) ? out : [out]
    const wide = avals.map(aval => aval.dtype === 'float16' ? new Aval(aval.shape, 'float32') : aval)
    const results = [row.host!(operands, params, wide)].flat()
    const storages = avals.map((aval, i) => backend.write(aval.dtype === 'float16' ? encodeFloat16(results[i] as Float32Array) : results[i]!, aval))
    return Array.isArray(out) ? storages : storages[0]!
  }
}
