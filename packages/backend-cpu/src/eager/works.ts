// How long kernels take in TypeScript, by what they are given: what decides whether a program is worth making.

import { type Aval, sizeOf } from '@bp/core/extend'
import type { DotParams, PoolGeometry } from '@bp/ops/extend'
import type { CpuOperand } from '../storage.ts'

type Time = (xs: readonly CpuOperand[], p: never, out: Aval) => number

const isReal = ({ dtype }: CpuOperand): boolean => dtype === 'float32' || dtype === 'float64'

/** So many nanoseconds for each element of the operands, or of the result where that is larger. */
const each = (nanoseconds: number): Time => (xs, _p, out) => {
  let n = sizeOf(out.shape)
  for (let i = 0; i < xs.length; i++) n = Math.max(n, xs[i]!.storage.length)
  return n * nanoseconds
}

/** Products of a vector are no faster than the matrix is copied, and add in double precision in TypeScript. */
const dot = ([a]: readonly CpuOperand[], _p: DotParams, { shape }: Aval): number => {
  const rank = shape.length
  return isReal(a!) && shape[rank - 1]! > 1 && shape[rank - 2]! > 1 ? 0.3 * a!.storage.length * shape[rank - 1]! : 0
}

/** Multiply-adds of a convolution: those of the weights at each place of `y`, whose channels the weights make. */
const products = (x: CpuOperand, places: number, weights: number, channels: number): number => isReal(x) ? places * weights / channels : 0

const conv = ([x, w]: readonly CpuOperand[], _p: unknown, out: Aval): number => products(x!, sizeOf(out.shape), w!.storage.length, w!.shape[0]!)
const convInput = ([y, w]: readonly CpuOperand[]): number => products(y!, y!.storage.length, w!.storage.length, w!.shape[0]!)
const convWeight = ([x, y]: readonly CpuOperand[], _p: unknown, out: Aval): number => products(x!, y!.storage.length, sizeOf(out.shape), out.shape[0]!)

const poolArgMax = ([x]: readonly CpuOperand[], { kernel }: PoolGeometry, { shape }: Aval): number => isReal(x!) ? 2 * sizeOf(shape) * sizeOf(kernel) : 0

/** How many numbers are added up in single precision at most; longer sums are taken in double precision, in TypeScript. */
export const mostSummed = 4096

/** Sums of columns only: those of whole rows are no slower than the rows are copied. */
const sumTo = ([x]: readonly CpuOperand[], _p: unknown, { shape }: Aval): number => {
  const columns = shape.at(-1) === x!.shape.at(-1) && x!.storage.length <= mostSummed * sizeOf(shape)
  return columns ? 0.9 * x!.storage.length : 0
}

/** What a program would save. */
export interface Costs {
  /** How long the kernel takes in TypeScript, in nanoseconds; 0 where no program is better. */
  readonly nanoseconds: Time
  /** Whether it is elementwise, or a kernel of its own. */
  readonly fuse: 'map' | 'opaque'
}

const kernel = (nanoseconds: Time): Costs => ({ nanoseconds, fuse: 'opaque' })

/** Ops by name, with rates measured on one core of a Zen 4 server at 3.6 GHz. */
export const works = {
  dot: kernel(dot), conv: kernel(conv), convInput: kernel(convInput), convWeight: kernel(convWeight), poolArgMax: kernel(poolArgMax),
  sumTo: kernel(sumTo), amax: kernel(each(0.8)), gather: kernel(each(4)), scatterAdd: kernel(each(4)),
  select: { nanoseconds: each(6), fuse: 'map' },
} satisfies Record<string, Costs>
