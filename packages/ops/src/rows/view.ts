// Moving elements without computing on them: slice, pad, concat, flip, detach; reshape and transpose are core's.

import { broadcastTo, type Tensor } from '@bp/core'
import { bind, defineOp, describe, fail, normaliseAxes, normaliseAxis, promote, reshape, reshapeRow, transpose, transposeRow, withShape } from '@bp/core/extend'

export { reshape, reshapeRow, transpose, transposeRow }

/** The parameters of `slice`: for each axis where to start, where to stop (exclusive) and how far to step (≥ 1). */
export interface SliceParams {
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  readonly steps: readonly number[]
}

/** yᵢ = x[start + i·step],   x̄ = ȳ padded with zeros */
export const sliceRow = /* @__PURE__ */ defineOp({
  name: 'slice', arity: 1, fuse: 'view',
  infer: ([x], p: SliceParams) => withShape(x, p.starts.map((start, i) => Math.max(0, Math.ceil((p.ends[i]! - start) / p.steps[i]!)))),
  diff: { kind: 'linear', transpose: [(ct, [x], p) => {
    const interior = p.steps.map(step => step - 1)
    const span = ct.shape.map((size, i) => size === 0 ? 0 : (size - 1) * p.steps[i]! + 1)
    return padInterior(ct, p.starts, x.shape.map((size, i) => size - p.starts[i]! - span[i]!), interior)
  }] },
  batch: ([x], _batched, size, p) => sliceBy(x, { starts: [0, ...p.starts], ends: [size, ...p.ends], steps: [1, ...p.steps] }),
})

const sliceBy = (x: Tensor, p: SliceParams): Tensor => bind(sliceRow, [x], p)

/** The parameters of `pad`: for each axis, zeros before, after, and between elements. */
export interface PadParams {
  readonly low: readonly number[]
  readonly high: readonly number[]
  readonly interior: readonly number[]
}

/** y = x with zeros around and between,   x̄ = ȳ at x's places */
export const padRow = /* @__PURE__ */ defineOp({
  name: 'pad', arity: 1, fuse: 'view',
  infer: ([x], p: PadParams) => withShape(x, x.shape.map((size, i) => {
    for (const n of [p.low[i]!, p.high[i]!, p.interior[i]!]) if (!Number.isInteger(n) || n < 0) fail('value', 'pad', `axis ${i} of ${describe(x)} is padded by ${n}; use whole numbers ≥ 0, and slice to crop`)
    return size + p.low[i]! + p.high[i]! + Math.max(0, size - 1) * p.interior[i]!
  })),
  diff: { kind: 'linear', transpose: [(ct, [x], p) => bind(sliceRow, [ct], {
    starts: p.low,
    ends: x.shape.map((size, i) => size === 0 ? p.low[i]! : p.low[i]! + (size - 1) * (p.interior[i]! + 1) + 1),
    steps: p.interior.map(n => n + 1),
  })] },
  batch: ([x], _batched, _size, p) => padInterior(x, [0, ...p.low], [0, ...p.high], [0, ...p.interior]),
})

/** y = x₁, x₂, … one after the other along an axis,   x̄ᵢ = its part of ȳ */
export const concatRow = /* @__PURE__ */ defineOp({
  name: 'concat', arity: 'n', fuse: 'view',
  infer: (xs, p: { readonly axis: number }) => {
    const first = xs[0]!
    for (const x of xs) {
      if (x.dtype !== first.dtype) fail('dtype', 'concat', `operands must have one dtype, got ${describe(first)} and ${describe(x)}. Convert one with cast`)
      if (x.shape.length !== first.shape.length || x.shape.some((size, i) => i !== p.axis && size !== first.shape[i])) {
        fail('shape', 'concat', `operands must agree on every axis but ${p.axis}, got ${describe(first)} and ${describe(x)}. Slice, pad or broadcast one of them, or use another axis`)
      }
    }
    return withShape(first, first.shape.map((size, i) => i === p.axis ? xs.reduce((sum, x) => sum + x.shape[i]!, 0) : size))
  },
  diff: { kind: 'linear', transpose: [(ct, xs, p, i) => {
    const start = xs.slice(0, i).reduce((sum, x) => sum + x.shape[p.axis]!, 0)
    return narrow(ct, p.axis, start, xs[i]!.shape[p.axis]!)
  }] },
  batch: (xs, batched, size, p) => concat(xs.map((x, i) => batched[i] ? x : broadcastTo(x, [size, ...x.shape])), p.axis + 1),
})

/** y = x with some axes reversed,   x̄ = ȳ with the same axes reversed */
export const flipRow = /* @__PURE__ */ defineOp({
  name: 'flip', arity: 1, fuse: 'view', infer: ([x]) => x.aval,
  diff: { kind: 'linear', transpose: [(ct, _xs, p: { readonly axes: readonly number[] }) => flip(ct, p.axes)] },
  batch: ([x], _batched, _size, p) => flip(x, p.axes.map(axis => axis + 1)),
})

/** y = x, without a derivative */
export const detachRow = /* @__PURE__ */ defineOp({
  name: 'detach', arity: 1, fuse: 'view', infer: ([x]) => x.aval, diff: { kind: 'zero' }, batch: ([x]) => detach(x),
})

/**
 * Part of a tensor, by NumPy's rules: for each axis where to start and stop (exclusive; negative counts from the end,
 * out-of-range is clamped) and a step ≥ 1. Axes not given are kept whole; use {@link flip} to reverse.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { slice } from '@bp/ops'
 * slice(tensor([0, 1, 2, 3, 4]), [1], [-1], [2]) // => tensor([1, 3], float32)
 * ```
 */
export function slice(x: Tensor, starts: readonly number[], ends: readonly number[] = [], steps: readonly number[] = []): Tensor {
  if (Math.max(starts.length, ends.length, steps.length) > x.rank) fail('axis', 'slice', `more axes given than ${describe(x)} has`)
  const place = (at: number, size: number): number => {
    if (Number.isNaN(at)) fail('value', 'slice', 'a bound is NaN. Use whole numbers')
    return Math.trunc(Math.min(size, Math.max(0, at < 0 ? at + size : at)))
  }
  const params: SliceParams = {
    starts: x.shape.map((size, i) => place(starts[i] ?? 0, size)),
    ends: x.shape.map((size, i) => place(ends[i] ?? size, size)),
    steps: x.shape.map((_, i) => steps[i] ?? 1),
  }
  const bad = params.steps.find(step => !Number.isInteger(step) || step < 1)
  if (bad !== undefined) fail('value', 'slice', `a step must be a whole number ≥ 1, got ${bad}. Use flip(x, axes) to reverse`)
  return bind(sliceRow, [x], params)
}

/**
 * `length` entries of one axis from `start` on: PyTorch's `narrow`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { narrow } from '@bp/ops'
 * narrow(tensor([1, 2, 3, 4]), 0, 1, 2) // => tensor([2, 3], float32)
 * ```
 */
export function narrow(x: Tensor, axis: number, start: number, length: number): Tensor {
  const at = normaliseAxis('narrow', axis, x.rank)
  if (start < 0 || length < 0 || start + length > x.shape[at]!) fail('value', 'narrow', `[${start}, ${start + length}) is outside axis ${at} of ${describe(x)}`)
  const starts = x.shape.map((_, i) => i === at ? start : 0)
  return bind(sliceRow, [x], { starts, ends: x.shape.map((size, i) => i === at ? start + length : size), steps: x.shape.map(() => 1) })
}

/** Zeros before, after and between the elements of each axis: JAX's `lax.pad` with value 0. */
export const padInterior = (x: Tensor, low: readonly number[], high: readonly number[], interior: readonly number[]): Tensor =>
  [low, high, interior].every(list => list.every(n => n === 0)) ? x : bind(padRow, [x], { low, high, interior })

/**
 * The tensors one after the other along an axis they may differ in.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { concat } from '@bp/ops'
 * concat([tensor([1, 2]), tensor([3])]) // => tensor([1, 2, 3], float32)
 * ```
 */
export function concat(xs: readonly Tensor[], axis = 0): Tensor {
  if (xs.length === 0) fail('value', 'concat', 'needs at least one tensor')
  return bind(concatRow, promote(xs), { axis: normaliseAxis('concat', axis, xs[0]!.rank) })
}

/**
 * The elements of the given axes (all unless given) in reverse.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { flip } from '@bp/ops'
 * flip(tensor([1, 2, 3])) // => tensor([3, 2, 1], float32)
 * ```
 */
export const flip = (x: Tensor, axes?: number | readonly number[]): Tensor => bind(flipRow, [x], { axes: normaliseAxes('flip', axes, x.rank) })

/**
 * The same value as a constant: no gradient and no tangent passes. PyTorch's `detach`, JAX's `stop_gradient`.
 *
 * @example
 * ```ts
 * import { grad, mul, tensor } from '@bp/core'
 * import { detach } from '@bp/ops'
 * grad(x => mul(detach(x), x))(tensor(3)) // => tensor(3, float32)
 * ```
 */
export const detach = (x: Tensor): Tensor => bind(detachRow, [x], undefined)

/** {@link detach} by the name that JAX and TensorFlow users look for. */
export const stopGradient = (x: Tensor): Tensor => detach(x)
