// JAX's surface over the backward pass: vjp, grad, valueAndGrad as functions of functions.

import { fail } from './errors.ts'
import { freeing, storagesOf } from './freeing.ts'
import { pullbackOf } from './pull.ts'
import { describe } from './shape.ts'
import type { Tensor } from './tensor.ts'
import { flatten, type Tree, unflatten } from './tree.ts'
import { onesLike } from './vector.ts'

/**
 * The value of `f` at `primals` and its pullback, which turns a cotangent of the value into cotangents of the primals.
 * The pullback can be called any number of times.
 *
 * @example
 * ```ts
 * import { tensor, mul, vjp } from '@bp/core'
 * const [y, pullback] = vjp((a, b) => mul(a, b), [tensor(3), tensor(4)])
 * y // => tensor(12, float32)
 * pullback(tensor(1)) // => [tensor(4, float32), tensor(3, float32)]
 * ```
 */
export function vjp<A extends readonly Tree[], R extends Tree>(f: (...args: A) => R, primals: readonly [...A]): [R, (ct: R) => A] {
  let form: R | undefined
  const { ys, pullback } = pullbackOf(xs => {
    form = f(...unflatten(primals as unknown as A, xs))
    return flatten('vjp', form)
  }, flatten('vjp', primals))
  const value = unflatten(form!, ys)
  return [value, ct => {
    const cts = flatten('vjp', ct)
    if (cts.length !== ys.length) fail('value', 'vjp', `the function has ${ys.length} results, the pullback got ${cts.length} cotangents. Give one for each`)
    cts.forEach((c, i) => { alike('vjp', 'cotangent', c, 'result', ys[i]!) })
    return unflatten(primals as unknown as A, pullback(cts))
  }]
}

/** Throws where a tangent or cotangent has not the shape and dtype of what it belongs to. */
export function alike(op: string, what: string, a: Tensor, whose: string, b: Tensor): void {
  if (a.dtype !== b.dtype || a.rank !== b.rank || a.shape.some((d, i) => d !== b.shape[i])) {
    fail('shape', op, `a ${what} is ${describe(a)}, its ${whose} ${describe(b)}. They must be alike`)
  }
}

/** Options of {@link grad} and {@link valueAndGrad}. */
export interface GradOptions {
  /** Which argument to differentiate by; the first unless given. */
  readonly argnum?: number
}

/**
 * A function that returns the value of `f`, which must be a scalar, and its gradient by one argument.
 *
 * @example
 * ```ts
 * import { tensor, mul, valueAndGrad } from '@bp/core'
 * const [y, dx] = valueAndGrad(x => mul(x, mul(x, x)))(tensor(2))
 * y // => tensor(8, float32)
 * dx // => tensor(12, float32)
 * ```
 */
export function valueAndGrad<A extends readonly unknown[], K extends number = 0>(f: (...args: A) => Tensor, options: GradOptions & { readonly argnum?: K } = {}): (...args: A) => [Tensor, A[K]] {
  const argnum = options.argnum ?? 0
  return (...args) => {
    const by = args[argnum] as Tree
    const { ys, pullback } = pullbackOf(xs => [f(...args.with(argnum, unflatten(by, xs)) as unknown as A)], flatten('grad', by))
    const y = ys[0]!
    if (y.size !== 1) fail('grad', 'grad', `the function must return a scalar, got ${describe(y)}. Reduce it with sum or mean, or use vjp`)
    const run = (): Tensor[] => pullback([onesLike(y)], false)
    return [y, unflatten(by, y.node === null ? freeing(y.backend, 'step', run, storagesOf) : run())]
  }
}

/**
 * The gradient of a scalar function by its first argument, or the one that `argnum` names: a tensor, or a tree of them.
 * Nest it for higher orders.
 *
 * @example
 * ```ts
 * import { tensor, mul, grad } from '@bp/core'
 * const f = x => mul(x, mul(x, x))
 * grad(f)(tensor(2)) // => tensor(12, float32)
 * grad(grad(f))(tensor(2)) // => tensor(12, float32)
 * ```
 */
export function grad<A extends readonly unknown[], K extends number = 0>(f: (...args: A) => Tensor, options: GradOptions & { readonly argnum?: K } = {}): (...args: A) => A[K] {
  const both = valueAndGrad(f, options)
  return (...args) => both(...args)[1]
}
