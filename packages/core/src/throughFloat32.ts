// Kernels of float32 as kernels of float16 too.

import { Aval } from './aval.ts'
import type { Kernel, Operand } from './backend.ts'
import type { TypedArray } from './dtype.ts'
import { decodeFloat16, encodeFloat16 } from './half.ts'

/** The same with float32 in place of float16. */
export const widened = (aval: Aval): Aval => aval.dtype === 'float16' ? new Aval(aval.shape, 'float32') : aval

/**
 * A kernel of float32 as one that takes and makes float16 too: operands are widened, the result is rounded. Backends whose
 * storage is the typed array itself wrap the kernels that compute; those that only move elements need it not.
 */
export function throughFloat32<S extends TypedArray, P>(kernel: Kernel<S, P>): Kernel<S, P> {
  return (xs, p, out) => {
    if (out.dtype !== 'float16' && (xs.length === 0 || xs[0]!.dtype !== 'float16')) return kernel(xs, p, out)
    const operands = xs.map((x): Operand<S> => x.dtype === 'float16' ? { storage: decodeFloat16(x.storage as Uint16Array) as unknown as S, shape: x.shape, dtype: 'float32', aval: widened(x.aval) } : x)
    const result = kernel(operands, p, widened(out) as Aval & readonly Aval[])
    return out.dtype === 'float16' ? encodeFloat16(result as Float32Array) as unknown as S : result
  }
}
