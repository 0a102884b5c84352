// vmap: a function of one entry as a function of a batch.

import { transpose } from './axes.ts'
import { Batch } from './batch.ts'
import { fail } from './errors.ts'
import { current, runIn } from './interpreter.ts'
import { describe, normaliseAxis } from './shape.ts'
import type { Tensor } from './tensor.ts'
import { flatten, type Tree, unflatten } from './tree.ts'

/** Options of {@link vmap}. */
export interface VmapOptions {
  /** Along which axis each argument is batched, for all its tensors: one number for all arguments, or one for each; `null` where all entries share it. 0 unless given. */
  readonly inAxes?: number | readonly (number | null)[]
  /** Which axis of each result counts the entries; 0 unless given. */
  readonly outAxes?: number
}

/** The axis `from` moved to the place `to`, the others keeping their order. */
export function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const order = x.shape.map((_, i) => i)
  order.splice(to, 0, ...order.splice(from, 1))
  return transpose(x, order)
}

/**
 * A function that applies `f` to each entry of a batch, at once: elementwise ops broadcast, the others have a rule or, without
 * one, run entry by entry. `f` sees tensors without the batch axis. It nests with itself and every other transform, so
 * `vmap(grad(loss))` gives the gradient of each sample. Random numbers are the same for all
 * entries, unless their key is batched.
 *
 * Throws where batch sizes differ, or nothing is batched.
 *
 * @example
 * ```ts
 * import { grad, mul, tensor, vmap } from '@bp/core'
 * import { sum } from '@bp/ops'
 * const norm2 = x => sum(mul(x, x))
 * vmap(norm2)(tensor([[1, 2], [3, 4]])) // => tensor([5, 25], float32)
 * // per-sample gradients of a loss with shared weights
 * const loss = (w, x) => norm2(mul(w, x))
 * vmap(grad(loss), { inAxes: [null, 0] })(tensor([1, 1]), tensor([[1, 2], [3, 4]])) // => tensor([[2, 8], [18, 32]], float32)
 * ```
 */
export function vmap<A extends readonly Tree[], R extends Tree>(f: (...args: A) => R, options: VmapOptions = {}): (...args: A) => R {
  const { inAxes = 0, outAxes = 0 } = options
  return (...args) => {
    if (typeof inAxes !== 'number' && inAxes.length !== args.length) fail('value', 'vmap', `got ${args.length} arguments and ${inAxes.length} inAxes. Give one for each, null where all entries share it`)
    const lists = args.map(arg => flatten('vmap', arg))
    const axes = lists.flatMap((list, i) => list.map(x => {
      const axis = typeof inAxes === 'number' ? inAxes : inAxes[i] ?? null
      return axis === null ? null : normaliseAxis('vmap', axis, x.rank)
    }))
    const xs = lists.flat()
    const first = axes.findIndex(axis => axis !== null)
    if (first < 0) fail('value', 'vmap', 'nothing is batched. Give at least one argument an axis in inAxes')
    const size = xs[first]!.shape[axes[first]!]!
    xs.forEach((x, i) => {
      const axis = axes[i] ?? null
      if (axis !== null && x.shape[axis] !== size) fail('shape', 'vmap', `batch sizes differ: ${describe(xs[first]!)} has ${size} entries along axis ${axes[first]}, ${describe(x)} has ${x.shape[axis]} along axis ${axis}. Use null in inAxes for what is not batched`)
    })
    const level = new Batch(current, size)
    const entries = xs.map((x, i) => {
      const axis = axes[i] ?? null
      return axis === null ? level.enter(x, false) : level.enter(moveAxis(x, axis, 0), true)
    })
    const out = runIn(level, () => f(...unflatten(args, entries)))
    return unflatten(out, flatten('vmap', out).map(y => {
      const z = level.leave(y)
      return moveAxis(z, 0, normaliseAxis('vmap', outAxes, z.rank))
    }))
  }
}
