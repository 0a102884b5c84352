// @bp/ops/fluent: the ops as methods, x.matmul(w).add(b).relu(). Importing it is the one side effect in the project.

import { add, mul, Tensor, type TensorLike } from '@bp/core'
import { gelu, silu, square } from './composites/activations.ts'
import { matmul } from './composites/matmul.ts'
import { logSoftmax, softmax } from './composites/softmax.ts'
import { amin, mean, variance } from './composites/statistics.ts'
import { abs, div, maximum, minimum, neg, sub } from './rows/arithmetic.ts'
import { cast } from './rows/compare.ts'
import { exp, log, pow, relu, sigmoid, sqrt, tanh } from './rows/exponential.ts'
import { amax, argMax, sum } from './rows/reduce.ts'
import { cos, sin } from './rows/trigonometric.ts'
import { detach, reshape, slice, transpose } from './rows/view.ts'

const methods = {
  add, mul, sub, div, neg, pow, maximum, minimum, abs, square,
  exp, log, sqrt, tanh, sigmoid, relu, gelu, silu, sin, cos,
  sum, mean, variance, amax, amin, argMax, softmax, logSoftmax,
  matmul, reshape, transpose, slice, cast, detach,
}

/** A function of a tensor (or number) first, as a method of that tensor. */
type Method<F> = F extends (x: infer X, ...rest: infer R) => infer Y ? Tensor extends X ? (...rest: R) => Y : never : never

/** The methods that this module adds to every tensor. */
export type Fluent = { readonly [K in keyof typeof methods]: Method<(typeof methods)[K]> }

declare module '@bp/core' {
  interface Tensor extends Fluent {
    /** Only here to keep the interface from being empty. */
    readonly fluent?: never
  }
}

for (const [name, f] of Object.entries(methods) as [string, (x: TensorLike, ...rest: unknown[]) => Tensor][]) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return f(this, ...rest)
    },
    configurable: true,
    writable: true,
  })
}
