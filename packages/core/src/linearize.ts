// linearize: the value of a function and its derivative as a function that does not evaluate it again.

import { alike } from './grad.ts'
import { pullbackOf } from './pull.ts'
import { flatten, type Tree, unflatten } from './tree.ts'
import { zerosLike } from './vector.ts'

/**
 * The value of `f` at `primals` and the linear map t ↦ J·t there, which can be applied to any number of tangents without
 * running `f` again: J·t is the pullback of ct ↦ Jᵀ·ct, whose own graph is made once (Radul et al. 2022, "You Only Linearize
 * Once").
 *
 * @example
 * ```ts
 * import { linearize, mul, tensor } from '@bp/core'
 * const [y, push] = linearize(x => mul(x, x), [tensor(3)])
 * y // => tensor(9, float32)
 * push(tensor(1)) // => tensor(6, float32)
 * push(tensor(10)) // => tensor(60, float32)
 * ```
 */
export function linearize<A extends readonly Tree[], R extends Tree>(f: (...args: A) => R, primals: readonly [...A]): [R, (...tangents: A) => R] {
  const xs = flatten('linearize', primals)
  let form: R | undefined
  const { ys, pullback } = pullbackOf(zs => {
    form = f(...unflatten(primals as unknown as A, zs))
    return flatten('linearize', form)
  }, xs)
  const transpose = pullbackOf(cts => pullback(cts), ys.map(zerosLike))
  return [unflatten(form!, ys), (...tangents) => {
    const ts = flatten('linearize', tangents)
    ts.forEach((t, i) => { alike('linearize', 'tangent', t, 'primal', xs[i]!) })
    return unflatten(form!, transpose.pullback(ts))
  }]
}
