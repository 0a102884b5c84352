// Elementwise arithmetic on one and two operands.

import { add, mul, type Tensor, type TensorLike } from '@bp/core'
import { type Abstract, type Aval, bind, bindPair, defineOp, describe, fail, inferElementwise, isFloat } from '@bp/core/extend'
import { equal, less, select } from './compare.ts'

/** Shape inference of a map on floating-point numbers. */
export function inferFloat(op: string, x: Abstract): Aval {
  return isFloat(x.dtype) ? x.aval : fail('dtype', op, `needs a floating-point tensor, got ${describe(x)}. Convert it with cast(x, 'float32')`)
}

/** Shape inference of a map on numbers, bool excluded. */
export function inferNumber(op: string, x: Abstract): Aval {
  return x.dtype === 'bool' ? fail('dtype', op, `bool tensors have no arithmetic, got ${describe(x)}. Convert it with cast(x, 'int32')`) : x.aval
}

function inferNumbers(op: string, a: Abstract, b: Abstract): Aval {
  inferNumber(op, a)
  return inferElementwise(op, a, b)
}

/** y = −x,   x̄ = −ȳ */
export const negRow = /* @__PURE__ */ defineOp({
  name: 'neg', arity: 1, fuse: 'map', infer: ([x]) => inferNumber('neg', x),
  diff: { kind: 'linear', transpose: [ct => neg(ct)] },
})

/** y = a − b,   ā = ȳ,   b̄ = −ȳ */
export const subRow = /* @__PURE__ */ defineOp({
  name: 'sub', arity: 2, fuse: 'map', infer: ([a, b]) => inferNumbers('sub', a, b),
  diff: { kind: 'linear', transpose: [ct => ct, ct => neg(ct)] },
})

/** y = a/b,   ∂y/∂a = 1/b,   ∂y/∂b = −(a/b)/b; whole numbers divide towards zero and have no derivative */
export const divRow = /* @__PURE__ */ defineOp({
  name: 'div', arity: 2, fuse: 'map', saves: 'x', infer: ([a, b]) => inferNumbers('div', a, b),
  diff: { kind: 'map', d: [(_a, b) => div(1, b), (a, b) => neg(div(div(a, b), b))] },
})

/** y = max(a, b),   ∂y/∂a = 1 where a > b, ½ where a = b, else 0 */
export const maximumRow = /* @__PURE__ */ defineOp({
  name: 'maximum', arity: 2, fuse: 'map', saves: 'x', infer: ([a, b]) => inferNumbers('maximum', a, b),
  diff: { kind: 'map', d: [(a, b) => share(b, a), (a, b) => share(a, b)] },
})

/** y = min(a, b),   ∂y/∂a = 1 where a < b, ½ where a = b, else 0 */
export const minimumRow = /* @__PURE__ */ defineOp({
  name: 'minimum', arity: 2, fuse: 'map', saves: 'x', infer: ([a, b]) => inferNumbers('minimum', a, b),
  diff: { kind: 'map', d: [(a, b) => share(a, b), (a, b) => share(b, a)] },
})

/** 1 where a < b, ½ where they are equal, else 0 */
const share = (a: Tensor, b: Tensor): Tensor => select(equal(a, b), 0.5, select(less(a, b), 1, mul(0, add(a, b))))

/** y = |x|,   dy/dx = sign x */
export const absRow = /* @__PURE__ */ defineOp({
  name: 'abs', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferNumber('abs', x),
  diff: { kind: 'map', d: [x => sign(x)] },
})

/** y = sign x: −1, 0 or 1 */
export const signRow = /* @__PURE__ */ defineOp({
  name: 'sign', arity: 1, fuse: 'map', infer: ([x]) => inferNumber('sign', x), diff: { kind: 'zero' },
})

/** y = ⌊x⌋ */
export const floorRow = /* @__PURE__ */ defineOp({
  name: 'floor', arity: 1, fuse: 'map', infer: ([x]) => inferFloat('floor', x), diff: { kind: 'zero' },
})

/** y = x rounded to the nearest whole number, halves to even */
export const roundRow = /* @__PURE__ */ defineOp({
  name: 'round', arity: 1, fuse: 'map', infer: ([x]) => inferFloat('round', x), diff: { kind: 'zero' },
})

/**
 * −x.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { neg } from '@bp/ops'
 * neg(tensor([1, -2])) // => tensor([-1, 2], float32)
 * ```
 */
export const neg = (x: Tensor): Tensor => bind(negRow, [x], undefined)

/**
 * a − b, elementwise with broadcasting.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sub } from '@bp/ops'
 * sub(tensor([3, 4]), 1) // => tensor([2, 3], float32)
 * ```
 */
export const sub = (a: TensorLike, b: TensorLike): Tensor => bindPair(subRow, a, b)

/**
 * a / b, elementwise with broadcasting. Whole-number dtypes divide towards zero.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { div } from '@bp/ops'
 * div(1, tensor([2, 4])) // => tensor([0.5, 0.25], float32)
 * ```
 */
export const div = (a: TensorLike, b: TensorLike): Tensor => bindPair(divRow, a, b)

/**
 * The larger of a and b, elementwise with broadcasting; NaN where either is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maximum } from '@bp/ops'
 * maximum(tensor([1, 5]), tensor([3, 2])) // => tensor([3, 5], float32)
 * ```
 */
export const maximum = (a: TensorLike, b: TensorLike): Tensor => bindPair(maximumRow, a, b)

/**
 * The smaller of a and b, elementwise with broadcasting; NaN where either is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { minimum } from '@bp/ops'
 * minimum(tensor([1, 5]), 2) // => tensor([1, 2], float32)
 * ```
 */
export const minimum = (a: TensorLike, b: TensorLike): Tensor => bindPair(minimumRow, a, b)

/**
 * |x|, with derivative 0 at 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { abs } from '@bp/ops'
 * abs(tensor([-1.5, 2])) // => tensor([1.5, 2], float32)
 * ```
 */
export const abs = (x: Tensor): Tensor => bind(absRow, [x], undefined)

/**
 * −1, 0 or 1.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sign } from '@bp/ops'
 * sign(tensor([-3, 0, 2])) // => tensor([-1, 0, 1], float32)
 * ```
 */
export const sign = (x: Tensor): Tensor => bind(signRow, [x], undefined)

/**
 * The largest whole number ≤ x.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { floor } from '@bp/ops'
 * floor(tensor([1.7, -1.2])) // => tensor([1, -2], float32)
 * ```
 */
export const floor = (x: Tensor): Tensor => bind(floorRow, [x], undefined)

/**
 * The nearest whole number, or the nearest multiple of 10^−decimals; halves to even.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { round } from '@bp/ops'
 * round(tensor([0.5, 1.5, 2.6])) // => tensor([0, 2, 3], float32)
 * round(tensor([0.126, 1.5]), 2) // => tensor([0.13, 1.5], float32)
 * ```
 */
export function round(x: Tensor, decimals = 0): Tensor {
  if (decimals === 0) return bind(roundRow, [x], undefined)
  const power = 10 ** Math.abs(decimals)
  return decimals > 0 ? div(round(mul(x, power)), power) : mul(round(div(x, power)), power)
}
