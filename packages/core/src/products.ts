// Products with second derivatives that never make the matrix: Hessian–vector, vector–Hessian, Gauss–Newton.

import { fail } from './errors.ts'
import { vjp } from './grad.ts'
import { jvp } from './jvp.ts'
import { describe } from './shape.ts'
import type { Tensor } from './tensor.ts'
import type { Tree } from './tree.ts'
import { onesLike } from './vector.ts'

/** The gradient by all arguments. */
function gradientOf<A extends readonly Tree[]>(op: string, f: (...args: A) => Tensor, args: A): A {
  const [y, pullback] = vjp(f, args)
  if (y.size !== 1) fail('grad', op, `the function must return a scalar, got ${describe(y)}. Reduce it with sum or mean`)
  return pullback(onesLike(y))
}

/**
 * H·v: the derivative of the gradient along a direction, by forward over reverse mode, at the cost of about two gradients
 * (Pearlmutter 1994, "Fast Exact Multiplication by the Hessian"). One tangent for each primal; trees are allowed.
 *
 * @example
 * ```ts
 * import { hvp, mul, tensor } from '@bp/core'
 * import { sum } from '@bp/ops'
 * hvp(x => sum(mul(mul(x, x), x)), [tensor([1, 2])], [tensor([1, 1])]) // => [tensor([6, 12], float32)]
 * ```
 */
export const hvp = <A extends readonly Tree[]>(f: (...args: A) => Tensor, primals: readonly [...A], tangents: readonly [...A]): A =>
  jvp((...args: A) => gradientOf('hvp', f, args), primals, tangents)[1]

/** vᵀ·H by reverse over reverse mode: the same numbers as {@link hvp} for smooth functions, where forward mode is not wanted. */
export const vhp = <A extends readonly Tree[]>(f: (...args: A) => Tensor, primals: readonly [...A], cotangents: A): A =>
  vjp((...args: A) => gradientOf('vhp', f, args), primals)[1](cotangents)

/**
 * G·v with G = Jᵀ·H·J the Gauss–Newton matrix of `loss(model(…))`: J the model's Jacobian, H the Hessian of the loss by the
 * model's output. For a convex loss it is never negative (Schraudolph 2002, "Fast Curvature Matrix-Vector Products").
 *
 * @example
 * ```ts
 * import { gaussNewtonProduct, mul, tensor } from '@bp/core'
 * import { sum } from '@bp/ops'
 * const model = w => mul(w, w)
 * const loss = y => sum(mul(y, y))
 * gaussNewtonProduct(model, loss, [tensor([1, 2])], [tensor([1, 1])]) // => [tensor([8, 32], float32)]
 * ```
 */
export function gaussNewtonProduct<A extends readonly Tree[], R extends Tree>(model: (...args: A) => R, loss: (y: R) => Tensor, primals: readonly [...A], tangents: readonly [...A]): A {
  const [y, u] = jvp(model, primals, tangents)
  const [hu] = hvp(loss, [y], [u])
  return vjp(model, primals)[1](hu)
}
