// Shapes: flattening, unflattening, moving axes, expanding, and ranks of at least one, two or three.

import { broadcastTo, type Shape, sumTo, type Tensor } from '@bp/core'
import { broadcastShapes, describe, fail, normaliseAxis, sizeOf } from '@bp/core/extend'
import { flip, reshape, transpose } from '../rows/view.ts'

/**
 * Axes `start` to `end` (inclusive; all unless given) as one.
 *
 * @example
 * ```ts
 * import { zeros } from '@bp/core'
 * import { flatten } from '@bp/ops'
 * flatten(zeros([2, 3, 4]), 1).shape // => [2, 12]
 * ```
 */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  if (x.rank === 0) return reshape(x, [1])
  const [from, to] = [normaliseAxis('flatten', start, x.rank), normaliseAxis('flatten', end, x.rank)]
  if (from > to) fail('axis', 'flatten', `axis ${start} comes after axis ${end} in ${describe(x)}. Give them in order`)
  return reshape(x, [...x.shape.slice(0, from), sizeOf(x.shape.slice(from, to + 1)), ...x.shape.slice(to + 1)])
}

/** All elements as one axis. */
export const ravel = (x: Tensor): Tensor => reshape(x, [x.size])

/** One axis as several, whose sizes multiply to its own; one of them may be −1 and is found. */
export function unflatten(x: Tensor, axis: number, sizes: Shape): Tensor {
  const at = normaliseAxis('unflatten', axis, x.rank)
  const known = sizes.map(size => size === -1 ? x.shape[at]! / sizeOf(sizes.filter(other => other !== -1)) : size)
  if (sizeOf(known) !== x.shape[at]) fail('shape', 'unflatten', `axis ${at} of ${describe(x)} has ${x.shape[at]} entries, [${sizes.join(',')}] does not. Use -1 for one size to let it be found`)
  return reshape(x, x.shape.toSpliced(at, 1, ...known))
}

/**
 * Axes moved to other places, the rest keeping their order: NumPy's `moveaxis`, PyTorch's `movedim`.
 *
 * @example
 * ```ts
 * import { zeros } from '@bp/core'
 * import { moveAxis } from '@bp/ops'
 * moveAxis(zeros([2, 3, 4]), 0, -1).shape // => [3, 4, 2]
 * ```
 */
export function moveAxis(x: Tensor, from: number | readonly number[], to: number | readonly number[]): Tensor {
  const place = (axes: number | readonly number[]): number[] => [axes].flat().map(axis => normaliseAxis('moveAxis', axis, x.rank))
  const [source, target] = [place(from), place(to)]
  if (source.length !== target.length) fail('value', 'moveAxis', `got ${source.length} axes and ${target.length} places. Give one place for each axis`)
  const rest = x.shape.map((_, i) => i).filter(axis => !source.includes(axis))
  return transpose(x, x.shape.map((_, i) => target.includes(i) ? source[target.indexOf(i)]! : rest.shift()!))
}

/** Two axes in each other's place. */
export function swapAxes(x: Tensor, a: number, b: number): Tensor {
  const [i, j] = [normaliseAxis('swapAxes', a, x.rank), normaliseAxis('swapAxes', b, x.rank)]
  return transpose(x, x.shape.map((_, axis) => axis === i ? j : axis === j ? i : axis))
}

/** Each matrix of a stack transposed: PyTorch's `mT`. */
export function matrixTranspose(x: Tensor): Tensor {
  if (x.rank < 2) fail('shape', 'matrixTranspose', `needs a matrix or a stack of them, got ${describe(x)}`)
  return swapAxes(x, -1, -2)
}

/** Axes of size 1 repeated to `shape`, where −1 keeps a size: PyTorch's `expand`. */
export function expand(x: Tensor, shape: Shape): Tensor {
  const lead = shape.length - x.rank
  return broadcastTo(x, shape.map((size, i) => size === -1 ? x.shape[i - lead] ?? fail('shape', 'expand', `-1 stands for an axis that ${describe(x)} does not have. Give its size`) : size))
}

/** Tensors broadcast to the shape that all of them fit. */
export function broadcastTensors(...xs: readonly Tensor[]): Tensor[] {
  const shape = xs.reduce<Shape>((all, x) => broadcastShapes('broadcastTensors', all, x.shape), [])
  return xs.map(x => broadcastTo(x, shape))
}

/** The sum over the axes that broadcasting from `shape` repeats. */
export const sumToSize = (x: Tensor, shape: Shape): Tensor => sumTo(x, shape)

/** At least one axis: a scalar becomes [1]. */
export const atLeast1d = (x: Tensor): Tensor => x.rank === 0 ? reshape(x, [1]) : x

/** At least two axes, added in front. */
export const atLeast2d = (x: Tensor): Tensor => x.rank < 2 ? reshape(x, [1, x.size]) : x

/** At least three axes: [n] becomes [1, n, 1], [m, n] becomes [m, n, 1]. */
export const atLeast3d = (x: Tensor): Tensor => x.rank < 2 ? reshape(x, [1, x.size, 1]) : x.rank === 2 ? reshape(x, [...x.shape, 1]) : x

/** The tensor turned by `times` right angles in the plane of two axes, from the first towards the second. */
export function rot90(x: Tensor, times = 1, axes: readonly [number, number] = [0, 1]): Tensor {
  const [a, b] = axes.map(axis => normaliseAxis('rot90', axis, x.rank)) as [number, number]
  if (a === b) fail('axis', 'rot90', `needs two different axes, got [${axes.join(',')}]`)
  switch (((times % 4) + 4) % 4) {
    case 1: return swapAxes(flip(x, b), a, b)
    case 2: return flip(x, [a, b])
    case 3: return flip(swapAxes(x, a, b), b)
    default: return x
  }
}
