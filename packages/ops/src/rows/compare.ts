// Comparisons, logic on bool, and choosing by a condition; conversion between dtypes is core's.

import { type Tensor, type TensorLike, zerosLike } from '@bp/core'
import { type Abstract, Aval, bind, bindPair, broadcastShapes, cast, castRow, defineOp, describe, fail, inferElementwise, pairOf, withShape } from '@bp/core/extend'

export { cast, castRow }

const inferCompare = (op: string, a: Abstract, b: Abstract): Aval => new Aval(inferElementwise(op, a, b).shape, 'bool')

function inferLogic(op: string, ...xs: Abstract[]): Aval {
  for (const x of xs) if (x.dtype !== 'bool') fail('dtype', op, `needs bool operands, got ${describe(x)}. Compare first, as in notEqual(x, 0)`)
  return xs.reduce<Abstract>((a, b) => inferElementwise(op, a, b), xs[0]!).aval
}

/** y = [a = b] */
export const equalRow = /* @__PURE__ */ defineOp({
  name: 'equal', arity: 2, fuse: 'map', infer: ([a, b]) => inferCompare('equal', a, b), diff: { kind: 'zero' },
})

/** y = [a < b] */
export const lessRow = /* @__PURE__ */ defineOp({
  name: 'less', arity: 2, fuse: 'map', infer: ([a, b]) => inferCompare('less', a, b), diff: { kind: 'zero' },
})

/** y = [a ≤ b] */
export const lessEqualRow = /* @__PURE__ */ defineOp({
  name: 'lessEqual', arity: 2, fuse: 'map', infer: ([a, b]) => inferCompare('lessEqual', a, b), diff: { kind: 'zero' },
})

/** y = ¬x */
export const logicalNotRow = /* @__PURE__ */ defineOp({
  name: 'logicalNot', arity: 1, fuse: 'map', infer: ([x]) => inferLogic('logicalNot', x), diff: { kind: 'zero' },
})

/** y = a ∧ b */
export const logicalAndRow = /* @__PURE__ */ defineOp({
  name: 'logicalAnd', arity: 2, fuse: 'map', infer: ([a, b]) => inferLogic('logicalAnd', a, b), diff: { kind: 'zero' },
})

/** y = a ∨ b */
export const logicalOrRow = /* @__PURE__ */ defineOp({
  name: 'logicalOr', arity: 2, fuse: 'map', infer: ([a, b]) => inferLogic('logicalOr', a, b), diff: { kind: 'zero' },
})

/** y = a where c, else b;   ā = ȳ where c, else 0;   b̄ = 0 where c, else ȳ */
export const selectRow = /* @__PURE__ */ defineOp({
  name: 'select', arity: 3, fuse: 'map', saves: 'x',
  infer: ([c, a, b]) => {
    if (c.dtype !== 'bool') fail('dtype', 'select', `the condition must be bool, got ${describe(c)}. Compare first, as in notEqual(c, 0)`)
    const value = inferElementwise('select', a, b)
    return withShape(value, broadcastShapes('select', c.shape, value.shape))
  },
  diff: { kind: 'linear', transpose: [null, (ct, [c]) => select(c, ct, zerosLike(ct)), (ct, [c]) => select(c, zerosLike(ct), ct)] },
})

/**
 * Whether a = b, elementwise with broadcasting, as bool; NaN equals nothing.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { equal } from '@bp/ops'
 * equal(tensor([1, 2]), 2) // => tensor([false, true], bool)
 * ```
 */
export const equal = (a: TensorLike, b: TensorLike): Tensor => bindPair(equalRow, a, b)

/**
 * Whether a < b, elementwise with broadcasting, as bool.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { less } from '@bp/ops'
 * less(tensor([1, 2]), 2) // => tensor([true, false], bool)
 * ```
 */
export const less = (a: TensorLike, b: TensorLike): Tensor => bindPair(lessRow, a, b)

/**
 * Whether a ≤ b, elementwise with broadcasting, as bool.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { lessEqual } from '@bp/ops'
 * lessEqual(tensor([1, 2, 3]), 2) // => tensor([true, true, false], bool)
 * ```
 */
export const lessEqual = (a: TensorLike, b: TensorLike): Tensor => bindPair(lessEqualRow, a, b)

/** Whether a ≠ b; the negation of {@link equal}, so true where either is NaN. */
export const notEqual = (a: TensorLike, b: TensorLike): Tensor => logicalNot(equal(a, b))

/** Whether a > b: {@link less} with its operands exchanged. */
export const greater = (a: TensorLike, b: TensorLike): Tensor => less(b, a)

/** Whether a ≥ b: {@link lessEqual} with its operands exchanged. */
export const greaterEqual = (a: TensorLike, b: TensorLike): Tensor => lessEqual(b, a)

/** Not x, on bool. */
export const logicalNot = (x: Tensor): Tensor => bind(logicalNotRow, [x], undefined)

/** a and b, on bool, with broadcasting. */
export const logicalAnd = (a: Tensor, b: Tensor): Tensor => bind(logicalAndRow, [a, b], undefined)

/** a or b, on bool, with broadcasting. */
export const logicalOr = (a: Tensor, b: Tensor): Tensor => bind(logicalOrRow, [a, b], undefined)

/**
 * a where the condition holds, else b, with broadcasting: NumPy's and PyTorch's `where`. Unlike multiplying by a mask, it
 * keeps NaN and infinities of the branch not taken out of the result, though not out of that branch's own gradient.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { select } from '@bp/ops'
 * select(tensor([true, false]), tensor([1, 2]), 0) // => tensor([1, 0], float32)
 * ```
 */
export function select(condition: Tensor, a: TensorLike, b: TensorLike): Tensor {
  return bind(selectRow, [condition, ...pairOf(a, b)], undefined)
}
