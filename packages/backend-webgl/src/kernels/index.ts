// The kernels, one for each primitive, and those of composites that are better computed as one.

import type { Kernel } from '@bp/core/extend'
import type { KernelTable } from '@bp/ops/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { orOnHost } from '../host.ts'
import { contractions } from './contract.ts'
import { indexing } from './indexing.ts'
import { maps } from './maps.ts'
import { reductions } from './reduce.ts'
import { softmaxes } from './reduceSoftmax.ts'
import { sorting } from './sort.ts'
import { sources } from './source.ts'
import { views } from './views.ts'
import { windows } from './windows.ts'

/** Kernels on values by the names of their ops. */
export type ValueKernels = Readonly<Record<string, Kernel<Value>>>

/** All of them; dtypes that the GPU has not go to the host. */
export function kernelsOf(device: Device): ValueKernels {
  const table = {
    ...maps(device), ...views(device), ...sources(device), ...reductions(device), ...sorting(device), ...contractions(device), ...indexing(device), ...windows(device), ...softmaxes(device),
  } satisfies KernelTable<Value>
  return Object.fromEntries(Object.entries<Kernel<Value>>(table).map(([name, kernel]) => [name, orOnHost(device, name, kernel)]))
}
