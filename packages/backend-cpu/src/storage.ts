// What the CPU keeps a tensor in: one dense, row-major typed array.

import type { DType, TypedArray } from '@bp/core'
import type { Aval, Kernel, Operand } from '@bp/core/extend'
import { allocate, sizeOf } from '@bp/core/extend'

/** The CPU's storage. It is never written again once a kernel has returned it. */
export type CpuStorage = TypedArray

/** A kernel of this backend. */
export type CpuKernel<P> = Kernel<CpuStorage, P>

/** An operand of a kernel of this backend. */
export type CpuOperand = Operand<CpuStorage>

/** The numbers of a storage; `int64` kernels treat it as {@link asBigInt} instead. */
export const asNumbers = (storage: CpuStorage): Float64Array => storage as unknown as Float64Array

/** The elements of an `int64` storage. */
export const asBigInt = (storage: CpuStorage): BigInt64Array => storage as BigInt64Array

/** A new zeroed storage for a result. */
export const create = (out: Aval): CpuStorage => allocate(out.dtype, sizeOf(out.shape))

/** Whether a dtype's elements are bigints. */
export const isBigInt = (dtype: DType): boolean => dtype === 'int64'
