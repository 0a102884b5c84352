// The arguments of ops over spatial axes: one number or one an axis, padding by name, inputs with and without a batch.

import type { Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { reshape } from '../rows/view.ts'

/** One number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[]

/** Zeros around the input: a number, one per axis, pairs, or by name (`same` keeps the size at stride 1). */
export type Padding = PerAxis | readonly (readonly [number, number])[] | 'same' | 'valid'

/** An argument as one whole number per spatial axis; throws where there are more or fewer, or one is below `least`. */
export function perAxis(op: string, what: string, value: PerAxis, axes: number, least: number): number[] {
  const list = typeof value === 'number' ? new Array<number>(axes).fill(value) : [...value]
  if (list.length !== axes) fail('value', op, `${what} needs one number or ${axes}, got [${list.join(',')}]`)
  const bad = list.find(n => !Number.isInteger(n) || n < least)
  if (bad !== undefined) fail('value', op, `${what} must be whole numbers ≥ ${least}, got ${bad}`)
  return list
}

/** Padding as zeros before and after each spatial axis. */
export function paddingPairs(op: string, padding: Padding, kernel: readonly number[], dilation: readonly number[]): [number, number][] {
  if (padding === 'valid') return kernel.map(() => [0, 0])
  if (padding === 'same') {
    return kernel.map((k, i) => {
      const total = dilation[i]! * (k - 1)
      return [Math.floor(total / 2), Math.ceil(total / 2)]
    })
  }
  const flat = Array.isArray(padding) && Array.isArray(padding[0])
    ? (padding as readonly (readonly [number, number])[]).flat()
    : perAxis(op, 'padding', padding as PerAxis, kernel.length, 0).flatMap(n => [n, n])
  const list = perAxis(op, 'padding', flat, 2 * kernel.length, 0)
  return kernel.map((_, i) => [list[2 * i]!, list[2 * i + 1]!])
}

/** How many spatial axes an argument is for: one for each entry of a list; all but two of `x` where it is a number. */
export function spatialAxes(op: string, x: Tensor, value: number | readonly unknown[]): number {
  const axes = typeof value === 'number' ? x.rank - 2 : value.length
  if (axes < 1 || x.rank > axes + 2 || x.rank < axes + 1) {
    fail('shape', op, `needs [n, c, …] with ${typeof value === 'number' ? 'at least one spatial axis' : `${axes} spatial axes, or [c, …] without a batch`}, got ${describe(x)}`)
  }
  return axes
}

/** Applies `f` to [n, c, …] with the given number of spatial axes; [c, …] goes in as a batch of one and comes out without it. */
export function batched<Y extends Tensor | readonly Tensor[]>(x: Tensor, axes: number, f: (x: Tensor) => Y): Y {
  if (x.rank !== axes + 1) return f(x)
  const y: Tensor | readonly Tensor[] = f(reshape(x, [1, ...x.shape]))
  const single = (z: Tensor): Tensor => reshape(z, z.shape.slice(1))
  return ('map' in y ? y.map(single) : single(y)) as Y
}
