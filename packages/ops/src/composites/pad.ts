// Padding: a margin around a tensor, of one value or of the tensor's own elements.

import { add, type Tensor } from '@bp/core'
import { bind, defineComposite, describe, fail } from '@bp/core/extend'
import { abs, sub } from '../rows/arithmetic.ts'
import { greaterEqual, less, logicalAnd, select } from '../rows/compare.ts'
import { take } from '../rows/indexing.ts'
import { iota } from '../rows/source.ts'
import { narrow, padInterior, reshape } from '../rows/view.ts'
import { clamp } from './activations.ts'

/** Options of {@link pad}. */
export interface PadOptions {
  /** What fills the margin: `value`, the mirror image without its edge, the edge itself (also `replicate`), or the other end. */
  readonly mode?: 'constant' | 'reflect' | 'edge' | 'replicate' | 'circular'
  readonly value?: number
}

/** The parameters of `margin`. */
export interface MarginParams {
  /** For each axis how many entries before and after; negative numbers crop. */
  readonly widths: readonly (readonly [number, number])[]
  readonly mode: 'constant' | 'reflect' | 'edge' | 'circular'
  /** What fills the margin in the mode constant. */
  readonly value: number
}

/** y: x with a margin of one value, or of its own elements */
export const marginRow = /* @__PURE__ */ defineComposite({
  name: 'margin', arity: 1, fuse: 'opaque',
  decompose: ([x], { widths, mode, value }: MarginParams) => mode === 'constant'
    ? padConstant(x, widths, value)
    : widths.reduce((y, [low, high], axis) => low === 0 && high === 0 ? y : take(y, marginIndex(y, axis, low, high, mode), axis), x),
})

/**
 * A margin around a tensor: for each axis how many entries before and after; negative numbers crop. Modes reflect and circular
 * have no more to give than the axis holds.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { pad } from '@bp/ops'
 * pad(tensor([1, 2, 3]), [[1, 1]], { mode: 'reflect' }) // => tensor([2, 1, 2, 3, 2], float32)
 * ```
 */
export function pad(x: Tensor, widths: readonly (readonly [number, number])[], { mode = 'constant', value = 0 }: PadOptions = {}): Tensor {
  if (widths.length !== x.rank) fail('value', 'pad', `needs a pair for each of the ${x.rank} axes of ${describe(x)}, got ${widths.length}. Give [0, 0] for axes to leave alone`)
  if (mode === 'constant' && value === 0) return padConstant(x, widths, 0)
  return bind(marginRow, [x], { widths, mode: mode === 'replicate' ? 'edge' : mode, value })
}

function padConstant(x: Tensor, widths: readonly (readonly [number, number])[], value: number): Tensor {
  const cropped = widths.reduce((y, [low, high], axis) => {
    const start = Math.max(0, -low)
    return low >= 0 && high >= 0 ? y : narrow(y, axis, start, y.shape[axis]! - start - Math.max(0, -high))
  }, x)
  const low = widths.map(([n]) => Math.max(0, n))
  const high = widths.map(([, n]) => Math.max(0, n))
  const padded = padInterior(cropped, low, high, low.map(() => 0))
  return value === 0 || padded === cropped ? padded : select(inside(padded, low, high), padded, value)
}

/** true where an element is not in the margin. */
function inside({ shape, backend }: Tensor, low: readonly number[], high: readonly number[]): Tensor {
  return shape.map((size, axis) => {
    const i = along(iota(size, 'int32', backend), axis, shape.length)
    return logicalAnd(greaterEqual(i, low[axis]!), less(i, size - high[axis]!))
  }).reduce((a, b) => logicalAnd(a, b))
}

/** A vector laid along one axis of a tensor of the given rank. */
const along = (x: Tensor, axis: number, rank: number): Tensor => reshape(x, Array.from({ length: rank }, (_, i) => i === axis ? x.size : 1))

/** Where each entry of the padded axis comes from: 0 … n−1 mirrored at both ends, held there, or begun again. */
function marginIndex(x: Tensor, axis: number, low: number, high: number, mode: Exclude<MarginParams['mode'], 'constant'>): Tensor {
  const size = x.shape[axis]!
  const most = mode === 'reflect' ? size - 1 : mode === 'circular' ? size : Infinity
  if (size === 0 || Math.max(low, high) > most) fail('value', 'pad', `mode ${mode} cannot pad axis ${axis} of ${describe(x)} by [${low}, ${high}]: at most ${size === 0 ? 0 : most} on each side. Use mode edge or constant`)
  if (size + low + high < 0) fail('value', 'pad', `[${low}, ${high}] crops more than axis ${axis} of ${describe(x)} has. Crop less`)
  const at = sub(iota(size + low + high, 'int32', x.backend), low)
  if (mode === 'circular') return select(less(at, 0), add(at, size), select(less(at, size), at, sub(at, size)))
  return mode === 'reflect' ? sub(size - 1, abs(sub(size - 1, abs(at)))) : clamp(at, 0, size - 1)
}
