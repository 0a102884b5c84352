// Softmax and its relatives: stable at any logits, each with the pullback that cancels on paper.

import { add, broadcastTo, type DType, full, mul, type Tensor } from '@bp/core'
import { bind, defineComposite, describe, fail, normaliseAxes, normaliseAxis, sameShape, toFloat, withShape } from '@bp/core/extend'
import { abs, div, inferFloat, neg, sub } from '../rows/arithmetic.ts'
import { cast, less, select } from '../rows/compare.ts'
import { exp, log } from '../rows/exponential.ts'
import { amax, droppedShape, keptShape, sum } from '../rows/reduce.ts'
import { detach, reshape } from '../rows/view.ts'

/** The parameters of `softmax` and `logSoftmax`. */
export interface AxisParams {
  readonly axis: number
}

/** The largest element along axes, as a constant, and 0 where it is infinite or there is none: what is subtracted before exp. */
function shift(x: Tensor, axes: readonly number[]): Tensor {
  if (axes.some(axis => x.shape[axis] === 0)) return full(keptShape(x, axes), 0, x.dtype, x.backend)
  const top = detach(amax(x, axes, true))
  return select(less(abs(top), Infinity), top, 0)
}

/** yᵢ = e^(xᵢ − max x) / Σₖ e^(xₖ − max x),   x̄ = y ⊙ (ȳ − Σ ȳ·y) */
export const softmaxRow = /* @__PURE__ */ defineComposite({
  name: 'softmax', arity: 1, precision: 'full', saves: 'y', infer: ([x]) => inferFloat('softmax', x),
  decompose: ([x], p: AxisParams) => {
    const e = exp(sub(x, shift(x, [p.axis])))
    return div(e, sum(e, p.axis, true))
  },
  vjp: ([ct], _xs, [y], p) => [mul(y!, sub(ct!, sum(mul(ct!, y!), p.axis, true)))],
})

/** y = x − log Σₖ e^xₖ,   x̄ = ȳ − e^y · Σ ȳ */
export const logSoftmaxRow = /* @__PURE__ */ defineComposite({
  name: 'logSoftmax', arity: 1, precision: 'full', saves: 'y', infer: ([x]) => inferFloat('logSoftmax', x),
  decompose: ([x], p: AxisParams) => {
    const shifted = sub(x, shift(x, [p.axis]))
    return sub(shifted, log(sum(exp(shifted), p.axis, true)))
  },
  vjp: ([ct], _xs, [y], p) => [sub(ct!, mul(exp(y!), sum(ct!, p.axis, true)))],
})

/** y = log Σ e^x over axes (kept at size 1),   x̄ = ȳ · e^(x − y) */
export const logSumExpRow = /* @__PURE__ */ defineComposite({
  name: 'logSumExp', arity: 1, precision: 'full', saves: 'xy', infer: ([x], p: { readonly axes: readonly number[] }) => withShape(inferFloat('logSumExp', x), keptShape(x, p.axes)),
  decompose: ([x], p) => {
    const top = shift(x, p.axes)
    return add(top, log(sum(exp(sub(x, top)), p.axes, true)))
  },
  vjp: ([ct], [x], [y]) => [mul(ct!, exp(sub(x, select(less(abs(y!), Infinity), y!, 0))))],
})

/**
 * y = −Σₖ tₖ log softmax(x)ₖ over the last axis,   x̄ = (softmax(x)·Σt − t)·ȳ, which is ŷ − t where t sums to 1,
 * t̄ = −log softmax(x)·ȳ
 */
export const softmaxCrossEntropyRow = /* @__PURE__ */ defineComposite({
  name: 'softmaxCrossEntropy', arity: 2, precision: 'full', saves: 'x',
  decompose: ([x, t]) => neg(sum(mul(t, logSoftmax(x)), -1)),
  vjp: ([ct], [x, t], _ys, _p, want) => {
    const g = broadcastTo(reshape(ct!, [...ct!.shape, 1]), x.shape)
    return [
      want[0] ? mul(sub(mul(softmax(x), sum(t, -1, true)), t), g) : null,
      want[1] ? neg(mul(logSoftmax(x), g)) : null,
    ]
  },
})

/**
 * e^x normalised to sum 1 along an axis, the last unless given; stable at any logits. x is cast to `dtype` first, if given.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { softmax } from '@bp/ops'
 * softmax(tensor([1e4, 1e4])) // => tensor([0.5, 0.5], float32)
 * ```
 */
export const softmax = (x: Tensor, axis = -1, dtype?: DType): Tensor =>
  bind(softmaxRow, [dtype ? cast(x, dtype) : toFloat(x)], { axis: normaliseAxis('softmax', axis, x.rank) })

/**
 * The logarithm of {@link softmax}, stable where the softmax itself would round to 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { logSoftmax } from '@bp/ops'
 * logSoftmax(tensor([0, 1000])) // => tensor([-1000, 0], float32)
 * ```
 */
export const logSoftmax = (x: Tensor, axis = -1, dtype?: DType): Tensor =>
  bind(logSoftmaxRow, [dtype ? cast(x, dtype) : toFloat(x)], { axis: normaliseAxis('logSoftmax', axis, x.rank) })

/**
 * log Σ e^x over the given axes (all unless given), without overflow.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { logSumExp } from '@bp/ops'
 * logSumExp(tensor([1000, 1000])) // => tensor(1000.69, float32)
 * ```
 */
export function logSumExp(x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor {
  const list = normaliseAxes('logSumExp', axes, x.rank)
  const y = bind(logSumExpRow, [toFloat(x)], { axes: list })
  return keepDims ? y : reshape(y, droppedShape(x, list))
}

/**
 * The cross-entropy of softmax(logits) with target probabilities along the last axis: [..., k] and [..., k] → [...].
 * Its gradient by the logits is ŷ − t, whatever their size.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { softmaxCrossEntropy } from '@bp/ops'
 * softmaxCrossEntropy(tensor([[0, 0]]), tensor([[1, 0]])) // => tensor([0.693147], float32)
 * ```
 */
export function softmaxCrossEntropy(logits: Tensor, target: Tensor): Tensor {
  if (!sameShape(logits.shape, target.shape)) fail('shape', 'softmaxCrossEntropy', `logits and target must have one shape, got ${describe(logits)} and ${describe(target)}. Make class indices one-hot with oneHot(target, ${logits.shape.at(-1)})`)
  return bind(softmaxCrossEntropyRow, [logits, target], undefined)
}
