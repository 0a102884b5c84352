// Strides: which elements meet under broadcasting, and loop nests as short as they can be, for backends.

import { type Shape, stridesOf } from './shape.ts'

/**
 * Strides over `to` of what has `strides` over `from`, which broadcasts to it: 0 along the axes that are repeated.
 *
 * @example
 * ```ts
 * import { repeatedStrides } from '@bp/core/extend'
 * repeatedStrides([1, 4], [3, 1], [2, 3, 5]) // => [0, 1, 0]
 * ```
 */
export function repeatedStrides(strides: readonly number[], from: Shape, to: Shape): number[] {
  const lead = to.length - from.length
  return to.map((_, axis) => axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!)
}

/**
 * The strides by which an operand of shape `from`, whose elements lie in order, is read to fill `to`.
 *
 * @example
 * ```ts
 * import { broadcastStrides } from '@bp/core/extend'
 * broadcastStrides([3, 1], [2, 3, 5]) // => [0, 1, 0]
 * ```
 */
export const broadcastStrides = (from: Shape, to: Shape): number[] => repeatedStrides(stridesOf(from), from, to)

/** A loop nest: sizes, and for each operand its strides. */
export interface Nest {
  readonly sizes: readonly number[]
  readonly strides: readonly (readonly number[])[]
}

/**
 * Joins neighbouring axes that every operand walks without a jump, so that inner loops are long. At least one axis is left.
 *
 * @example
 * ```ts
 * import { collapse } from '@bp/core/extend'
 * collapse([2, 3, 4], [[12, 4, 1], [0, 4, 1]]).sizes // => [2, 12]
 * ```
 */
export function collapse(shape: Shape, strides: readonly (readonly number[])[]): Nest {
  const sizes: number[] = []
  const merged: number[][] = strides.map(() => [])
  shape.forEach((size, axis) => {
    if (size === 1 && shape.length > 1) return
    const last = sizes.length - 1
    const joins = last >= 0 && strides.every((s, k) => merged[k]![last] === s[axis]! * size)
    if (joins) {
      sizes[last]! *= size
      strides.forEach((s, k) => { merged[k]![last] = s[axis]! })
    } else {
      sizes.push(size)
      strides.forEach((s, k) => merged[k]!.push(s[axis]!))
    }
  })
  if (sizes.length === 0) {
    sizes.push(1)
    for (const list of merged) list.push(1)
  }
  return { sizes, strides: merged }
}
