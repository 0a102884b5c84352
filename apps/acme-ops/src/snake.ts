// A primitive of our own: the activation that makes networks extrapolate periodic functions.

import { add, type Tensor } from '@bp/core'
import { bind, defineOp, type Kernel } from '@bp/core/extend'
import { div, mul, sin, square } from '@bp/ops'

/** The parameters of `snake`. */
export interface SnakeParams {
  /** The frequency: the larger, the faster it winds. */
  readonly a: number
}

/** One pass over the elements, for the CPU; every other backend runs the decomposition. */
const cpuKernel: Kernel<Float32Array | Float64Array, SnakeParams> = ([x], { a }) => x!.storage.map(value => value + Math.sin(a * value) ** 2 / a)

/** y = x + sin²(a·x)/a,   dy/dx = 1 + sin(2a·x) */
export const snakeRow = /* @__PURE__ */ defineOp({
  name: 'acme/snake', arity: 1, fuse: 'map', saves: 'x',
  infer: ([x], _p: SnakeParams) => x.aval,
  diff: { kind: 'map', d: [(x, _y, p) => add(1, sin(mul(x, 2 * p.a)))] },
  decompose: ([x], { a }) => add(x, div(square(sin(mul(x, a))), a)),
  kernels: { cpu: cpuKernel as Kernel<never> },
})

/**
 * x + sin²(a·x)/a (Ziyin et al. 2020, "Neural Networks Fail to Learn Periodic Functions and How to Fix It", eq. 3).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { snake } from '@acme/ops'
 * snake(tensor([0, 1])) // => tensor([0, 1.70807], float32)
 * ```
 */
export const snake = (x: Tensor, a = 1): Tensor => bind(snakeRow, [x], { a })
