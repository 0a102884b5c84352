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

/**
 * All elements as one axis, row-major.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { ravel } from '@bp/ops'
 * ravel(tensor([[1, 2], [3, 4]])) // => tensor([1, 2, 3, 4], float32)
 * ```
 */
export const ravel = (x: Tensor): Tensor => reshape(x, [x.size])

/**
 * One axis as several, whose sizes multiply to its own; one of them may be −1 and is found.
 *
 * @example
 * ```ts
 * import { zeros } from '@bp/core'
 * import { unflatten } from '@bp/ops'
 * unflatten(zeros([2, 6]), 1, [3, -1]).shape // => [2, 3, 2]
 * ```
 */
export function unflatten(x: Tensor, axis: number, sizes: Shape): Tensor {
  const at = normaliseAxis('unflatten', axis, x.rank)
  const rest = sizeOf(sizes.filter(size => size !== -1))
  const known = sizes.map(size => size === -1 && rest > 0 ? x.shape[at]! / rest : size)
  if (sizeOf(known) !== x.shape[at]) fail('shape', 'unflatten', `axis ${at} of ${describe(x)} has ${x.shape[at]} entries, which [${sizes.join(',')}] does not multiply to. Use -1 for one size to let it be found`)
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

/**
 * Two axes in each other's place: NumPy's `swapaxes`, PyTorch's `transpose`.
 *
 * @example
 * ```ts
 * import { zeros } from '@bp/core'
 * import { swapAxes } from '@bp/ops'
 * swapAxes(zeros([2, 3, 4]), 0, -1).shape // => [4, 3, 2]
 * ```
 */
export function swapAxes(x: Tensor, a: number, b: number): Tensor {
  const [i, j] = [normaliseAxis('swapAxes', a, x.rank), normaliseAxis('swapAxes', b, x.rank)]
  return transpose(x, x.shape.map((_, axis) => axis === i ? j : axis === j ? i : axis))
}

/**
 * Each matrix of a stack transposed: PyTorch's `mT`.
 *
 * @example
 * ```ts
 * import { zeros } from '@bp/core'
 * import { matrixTranspose } from '@bp/ops'
 * matrixTranspose(zeros([5, 2, 3])).shape // => [5, 3, 2]
 * ```
 */
export function matrixTranspose(x: Tensor): Tensor {
  if (x.rank < 2) fail('shape', 'matrixTranspose', `needs a matrix or a stack of them, got ${describe(x)}`)
  return swapAxes(x, -1, -2)
}

/**
 * Axes of size 1 repeated to `shape`, where −1 keeps a size: PyTorch's `expand`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { expand } from '@bp/ops'
 * expand(tensor([[1], [2]]), [-1, 2]) // => tensor([[1, 1], [2, 2]], float32)
 * ```
 */
export function expand(x: Tensor, shape: Shape): Tensor {
  const lead = shape.length - x.rank
  if (lead < 0) fail('shape', 'expand', `${describe(x)} has more axes than [${shape.join(',')}]. Give a size for each`)
  return broadcastTo(x, shape.map((size, i) => size === -1 ? x.shape[i - lead] ?? fail('shape', 'expand', `-1 stands for an axis that ${describe(x)} does not have. Give its size`) : size))
}

/**
 * Tensors broadcast to the shape that all of them fit.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { broadcastTensors } from '@bp/ops'
 * broadcastTensors(tensor([[1], [2]]), tensor([3, 4]))[0] // => tensor([[1, 1], [2, 2]], float32)
 * ```
 */
export function broadcastTensors(...xs: readonly Tensor[]): Tensor[] {
  const shape = xs.reduce<Shape>((all, x) => broadcastShapes('broadcastTensors', all, x.shape), [])
  return xs.map(x => broadcastTo(x, shape))
}

/**
 * The sum over the axes that broadcasting from `shape` repeats: `sumTo` under PyTorch's name.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sumToSize } from '@bp/ops'
 * sumToSize(tensor([[1, 2], [3, 4]]), [1, 2]) // => tensor([[4, 6]], float32)
 * ```
 */
export const sumToSize = (x: Tensor, shape: Shape): Tensor => sumTo(x, shape)

/**
 * At least one axis: a scalar becomes [1].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { atLeast1d } from '@bp/ops'
 * atLeast1d(tensor(3)) // => tensor([3], float32)
 * ```
 */
export const atLeast1d = (x: Tensor): Tensor => x.rank === 0 ? reshape(x, [1]) : x

/**
 * At least two axes, added in front.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { atLeast2d } from '@bp/ops'
 * atLeast2d(tensor([1, 2])) // => tensor([[1, 2]], float32)
 * ```
 */
export const atLeast2d = (x: Tensor): Tensor => x.rank < 2 ? reshape(x, [1, x.size]) : x

/**
 * At least three axes: [n] becomes [1, n, 1], [m, n] becomes [m, n, 1].
 *
 * @example
 * ```ts
 * import { zeros } from '@bp/core'
 * import { atLeast3d } from '@bp/ops'
 * atLeast3d(zeros([2, 3])).shape // => [2, 3, 1]
 * ```
 */
export const atLeast3d = (x: Tensor): Tensor => x.rank < 2 ? reshape(x, [1, x.size, 1]) : x.rank === 2 ? reshape(x, [...x.shape, 1]) : x

/**
 * The tensor turned by `times` right angles in the plane of two axes, from the first towards the second.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { rot90 } from '@bp/ops'
 * rot90(tensor([[1, 2], [3, 4]])) // => tensor([[2, 4], [1, 3]], float32)
 * ```
 */
export function rot90(x: Tensor, times = 1, axes: readonly [number, number] = [0, 1]): Tensor {
  const [a, b] = axes.map(axis => normaliseAxis('rot90', axis, x.rank)) as [number, number]
  if (a === b) fail('axis', 'rot90', `needs two different axes, got [${axes.join(',')}]`)
  if (!Number.isInteger(times)) fail('value', 'rot90', `turns by right angles, a whole number of times, got ${times}`)
  switch (((times % 4) + 4) % 4) {
    case 1: return swapAxes(flip(x, b), a, b)
    case 2: return flip(x, [a, b])
    case 3: return flip(swapAxes(x, a, b), b)
    default: return x
  }
}
