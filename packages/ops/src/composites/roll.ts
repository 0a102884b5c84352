// Rolling: entries moved on along an axis, those that fall off coming in at the other end.

import type { Tensor } from '@bp/core'
import { fail, normaliseAxes, normaliseAxis } from '@bp/core/extend'
import { concat, narrow, reshape } from '../rows/view.ts'

/**
 * The entries of axes moved on, each by a shift of its own, the last ones coming in at the front; the elements as one axis, in
 * row-major order, unless axes are given. (As NumPy and PyTorch.)
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { roll } from '@bp/ops'
 * roll(tensor([1, 2, 3]), 1) // => tensor([3, 1, 2], float32)
 * roll(tensor([[1, 2], [3, 4]]), 1) // => tensor([[4, 1], [2, 3]], float32)
 * roll(tensor([[1, 2], [3, 4]]), 1, 0) // => tensor([[3, 4], [1, 2]], float32)
 * ```
 */
export function roll(x: Tensor, shift: number | readonly number[], axes?: number | readonly number[]): Tensor {
  const shifts = [shift].flat()
  if (axes === undefined) {
    if (shifts.length !== 1) fail('value', 'roll', `got ${shifts.length} shifts and no axes. Give an axis for each shift`)
    return reshape(rolled(reshape(x, [x.size]), shifts[0]!, 0), x.shape)
  }
  const list = [axes].flat()
  if (shifts.length !== list.length) fail('value', 'roll', `got ${shifts.length} shifts and ${list.length} axes. Give a shift for each axis`)
  return list.reduce<Tensor>((y, axis, i) => rolled(y, shifts[i]!, normaliseAxis('roll', axis, x.rank)), x)
}

function rolled(x: Tensor, shift: number, axis: number): Tensor {
  if (!Number.isInteger(shift)) fail('value', 'roll', `a shift must be a whole number, got ${shift}`)
  const size = x.shape[axis]!
  const by = size === 0 ? 0 : ((shift % size) + size) % size
  return by === 0 ? x : concat([narrow(x, axis, size - by, by), narrow(x, axis, 0, size - by)], axis)
}

/** Rolls each axis by a part of its size. */
function rolledBy(op: string, x: Tensor, axes: number | readonly number[] | undefined, part: (size: number) => number): Tensor {
  const list = normaliseAxes(op, axes, x.rank)
  return list.reduce<Tensor>((y, axis) => rolled(y, part(x.shape[axis]!), axis), x)
}

/**
 * The zero frequency of a spectrum moved from the front to the middle of the given axes, or of all.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { fftShift } from '@bp/ops'
 * fftShift(tensor([0, 1, 2, -2, -1])) // => tensor([-2, -1, 0, 1, 2], float32)
 * ```
 */
export const fftShift = (x: Tensor, axes?: number | readonly number[]): Tensor => rolledBy('fftShift', x, axes, size => Math.floor(size / 2))

/**
 * The inverse of {@link fftShift}, which for odd sizes is not itself.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { ifftShift } from '@bp/ops'
 * ifftShift(tensor([-2, -1, 0, 1, 2])) // => tensor([0, 1, 2, -2, -1], float32)
 * ```
 */
export const ifftShift = (x: Tensor, axes?: number | readonly number[]): Tensor => rolledBy('ifftShift', x, axes, size => Math.ceil(size / 2))
