// The backend around a table of kernels: memory in typed arrays, which the engine reads synchronously and collects by itself.

import type { Backend } from '@bp/core'
import { allocate, throughFloat32 } from '@bp/core/extend'
import { snapshot } from './snapshot.ts'
import type { CpuKernel, CpuStorage } from './storage.ts'

/** Kernels by the names of their ops. */
export type CpuKernels = Readonly<Record<string, CpuKernel<never>>>

/** Kernels that compute in float32 where they are given float16. */
export function throughAll<T extends CpuKernels>(table: T): T {
  return Object.fromEntries(Object.entries(table).map(([name, kernel]) => [name, throughFloat32(kernel)])) as unknown as T
}

/** A CPU backend with these kernels. */
export const backendOf = (kernels: CpuKernels, programs: Pick<Backend<CpuStorage>, 'lower' | 'plan' | 'fuser'> = {}): Backend<CpuStorage> => ({
  name: 'cpu',
  write(data, aval) {
    const storage = allocate(aval.dtype, data.length)
    storage.set(data as never)
    return storage
  },
  read: storage => Promise.resolve(storage.slice()),
  readSync: storage => storage.slice(),
  snapshot,
  bytes: storage => storage.byteLength,
  kernels,
  ...programs,
})
