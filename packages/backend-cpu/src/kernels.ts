// The kernels in TypeScript, one for each primitive.

import type { KernelTable } from '@bp/ops/extend'
import { throughAll } from './backend.ts'
import { conv, convInput, convWeight, dot } from './contract.ts'
import { gather, scatterAdd } from './indexing.ts'
import { erfMap, maps } from './maps.ts'
import { amax, argMax, argSort, cumSum, sumTo } from './reduce.ts'
import { fill, iota, randomBits } from './source.ts'
import type { CpuStorage } from './storage.ts'
import { broadcastTo, concat, flip, pad, share, slice, transpose } from './view.ts'
import { poolArgMax } from './windows.ts'

/** All of them. What computes goes through float32 in float16; what only moves elements moves the bits. */
export const kernels = {
  ...throughAll({ ...maps, ...erfMap }),
  ...throughAll({ fill, iota, sumTo, amax, argMax, argSort, cumSum, dot, conv, convInput, convWeight, scatterAdd, poolArgMax }),
  randomBits, broadcastTo, reshape: share, detach: share, transpose, slice, pad, concat, flip, gather,
} satisfies KernelTable<CpuStorage>
