// Division with remainder: quotients rounded to whole numbers, and what they leave.

import { add, mul, type Tensor, type TensorLike } from '@bp/core'
import { bindPair, defineOp, fail, inferElementwise, isFloat, toTensor } from '@bp/core/extend'
import { div, floor, inferNumber, neg, round, sub } from './arithmetic.ts'
import { equal, less, logicalAnd, notEqual, select } from './compare.ts'
import { hostPair } from './specialHost.ts'

/** y = a − b·trunc(a/b), exact on the host,   ∂y/∂a = 1,   ∂y/∂b = −trunc(a/b) */
export const fmodRow = /* @__PURE__ */ defineOp({
  name: 'fmod', arity: 2, fuse: 'map', saves: 'x',
  infer: ([a, b]) => {
    inferNumber('fmod', a)
    return inferElementwise('fmod', a, b)
  },
  host: /* @__PURE__ */ hostPair((a, b, out) => {
    if (!isFloat(out.dtype) && !b) fail('value', 'fmod', 'a whole number was divided by zero. Cast to float32 for NaN, or select another divisor first')
    return a % b
  }),
  diff: { kind: 'map', d: [() => 1, (a, b) => neg(truncDivide(a, b))] },
  decompose: ([a, b]) => sub(a, mul(b, truncDivide(a, b))),
})

/**
 * x without what follows the point: rounded towards zero.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { trunc } from '@bp/ops'
 * trunc(tensor([1.7, -1.7])) // => tensor([1, -1], float32)
 * ```
 */
export const trunc = (x: Tensor): Tensor => select(less(x, 0), neg(floor(neg(x))), floor(x))

/**
 * a/b rounded towards zero, as C divides whole numbers: PyTorch's div with rounding mode trunc. Its derivative is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { truncDivide } from '@bp/ops'
 * truncDivide(tensor([-7, 7]), 2) // => tensor([-3, 3], float32)
 * ```
 */
export function truncDivide(a: TensorLike, b: TensorLike): Tensor {
  const y = div(a, b)
  return isFloat(y.dtype) ? trunc(y) : y
}

/**
 * a/b rounded towards −∞, as Python's `//` divides: PyTorch's div with rounding mode floor. Its derivative is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { floorDivide } from '@bp/ops'
 * floorDivide(tensor([-7, 7]), 2) // => tensor([-4, 3], float32)
 * ```
 */
export function floorDivide(a: TensorLike, b: TensorLike): Tensor {
  const divisor = toTensor(b, a)
  const rest = fmod(a, divisor)
  const y = div(a, divisor)
  // from what is left of a, for a/b may have been rounded up to a whole number
  const whole = isFloat(y.dtype) ? select(equal(divisor, 0), floor(y), round(div(sub(a, rest), divisor))) : y
  return select(opposed(rest, divisor), sub(whole, 1), whole)
}

/** Whether a remainder is there and has not the divisor's sign. */
const opposed = (rest: Tensor, b: Tensor): Tensor => logicalAnd(notEqual(rest, 0), notEqual(less(rest, 0), less(b, 0)))

/**
 * The remainder of a/b with the sign of a, as C has it, exactly; NaN where b is 0. {@link remainder} has the sign of b.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { fmod } from '@bp/ops'
 * fmod(tensor([-7, 7.5]), 2) // => tensor([-1, 1.5], float32)
 * ```
 */
export const fmod = (a: TensorLike, b: TensorLike): Tensor => bindPair(fmodRow, a, b)

/**
 * The remainder of a/b with the sign of b, as Python's `%` has it, exactly; NaN where b is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { remainder } from '@bp/ops'
 * remainder(tensor([-7, 7.5]), 2) // => tensor([1, 1.5], float32)
 * ```
 */
export function remainder(a: TensorLike, b: TensorLike): Tensor {
  const divisor = toTensor(b, a)
  const rest = fmod(a, divisor)
  return select(opposed(rest, divisor), add(rest, divisor), rest)
}
