// The reference backend: every kernel as its definition reads, in double precision, for other backends to be compared with.

import type { Backend, TypedArray } from '@bp/core'
import { convert, type Kernel, throughFloat32 } from '@bp/core/extend'
import type { KernelTable } from '@bp/ops/extend'
import { conv, convInput, convWeight, dot } from './reference/contract.ts'
import { mapKernels } from './reference/maps.ts'
import { structural } from './reference/structure.ts'

const plain: KernelTable<TypedArray> = { ...structural, ...mapKernels, dot, conv, convInput, convWeight }

const kernels = Object.fromEntries(Object.entries<Kernel<TypedArray>>(plain).map(([name, kernel]) => [name, throughFloat32(kernel)])) as unknown as KernelTable<TypedArray>

/**
 * A backend that is slow and plain: no fusion, no vectors, sums in double precision. Laws hold on it, so that a law which
 * fails on another backend points at that backend's kernel.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { exp } from '@bp/ops'
 * import { reference } from '@bp/testkit'
 * exp(tensor([0, 1], { backend: reference() })) // => tensor([1, 2.71828], float32)
 * ```
 */
export function reference(): Backend<TypedArray> {
  return {
    name: 'reference',
    write: (data, aval) => aval.dtype === 'float16' ? Uint16Array.from(data as Uint16Array) : convert(data, aval.dtype),
    read: storage => Promise.resolve(storage.slice()),
    readSync: storage => storage.slice(),
    bytes: storage => storage.byteLength,
    kernels,
  }
}
