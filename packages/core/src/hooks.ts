// PyTorch's hooks: functions called with gradients as a backward pass comes by a tensor or a node.

import { fail } from './errors.ts'
import { alike } from './grad.ts'
import type { Node, NodeHooks } from './node.ts'
import { describe } from './shape.ts'
import type { Tensor } from './tensor.ts'
import { add } from './vector.ts'

/** Undoes a registration. */
export interface HookHandle {
  /** Takes the hook away; later passes do not call it. */
  remove(): void
}

/** Is given the gradient of a tensor; a tensor that it returns takes the gradient's place. */
export type TensorHook = (grad: Tensor) => Tensor | undefined | void

/** Is given the cotangents of a node's results before its rule runs (`null`: none arrived); may return others. */
export type NodePrehook = (cts: readonly (Tensor | null)[]) => readonly (Tensor | null)[] | undefined | void

/** Is given the cotangents that a node's rule made for its operands, and those it was given; may return others. */
export type NodeHook = (out: readonly (Tensor | null)[], cts: readonly (Tensor | null)[]) => readonly (Tensor | null)[] | undefined | void

/** The hooks of one node, called in the order in which they were registered. */
class Hooks implements NodeHooks {
  /** By result: what its hooks are, and what has been retained. */
  readonly tensor = new Map<number, Set<TensorHook>>()
  readonly retained = new Map<number, Tensor | null>()
  readonly pre = new Set<NodePrehook>()
  readonly post = new Set<NodeHook>()

  retainedGrad(slot: number): Tensor | null {
    return this.retained.get(slot) ?? null
  }

  retainedGrads(): Tensor[] {
    return [...this.retained.values()].filter(grad => grad !== null)
  }

  before(cts: (Tensor | null)[]): (Tensor | null)[] {
    let out = cts.map((ct, slot) => {
      for (const hook of ct ? this.tensor.get(slot) ?? [] : []) ct = replaced(ct!, hook(ct!) ?? undefined)
      return ct
    })
    for (const [slot, sum] of this.retained) {
      const ct = out[slot]
      if (ct) this.retained.set(slot, sum ? add(sum, ct) : ct)
    }
    for (const hook of this.pre) out = listed('a node prehook', hook(out) ?? undefined, out)
    return out
  }

  after(out: (Tensor | null)[], cts: readonly (Tensor | null)[]): (Tensor | null)[] {
    for (const hook of this.post) out = listed('a node hook', hook(out, cts) ?? undefined, out)
    return out
  }
}

function replaced(before: Tensor, after: Tensor | undefined): Tensor {
  if (after === undefined) return before
  alike('registerHook', 'gradient that a hook returned', after, 'tensor', before)
  return after
}

function listed(what: string, after: readonly (Tensor | null)[] | undefined, before: (Tensor | null)[]): (Tensor | null)[] {
  if (after === undefined) return before
  if (after.length !== before.length) fail('value', 'registerHook', `${what} returned ${after.length} gradients in place of ${before.length}. Return as many as it was given, or nothing`)
  after.forEach((ct, i) => { if (ct && before[i]) alike('registerHook', `gradient that ${what} returned`, ct, 'gradient before', before[i]) })
  return [...after]
}

function hooksOf(node: Node): Hooks {
  if (node.hooks instanceof Hooks) return node.hooks
  const hooks = new Hooks()
  node.hooks = hooks
  return hooks
}

function nodeOf(op: string, x: Tensor): Node {
  return x.node ?? fail('grad', op, `${describe(x)} does not require grad, so no gradient ever comes by. Set requiresGrad = true on it or on an input, before the forward pass`)
}

function enter<H>(set: Set<H>, hook: H): HookHandle {
  set.add(hook)
  return { remove: () => { set.delete(hook) } }
}

/**
 * Calls `hook` with the gradient of `x` each time a backward pass has computed it; what the hook returns takes its place,
 * before it is accumulated in `.grad` or passed on: PyTorch's `Tensor.register_hook`.
 *
 * @example
 * ```ts
 * import { tensor, mul, registerHook } from '@bp/core'
 * const x = tensor(3, { requiresGrad: true })
 * const handle = registerHook(x, grad => mul(grad, 10))
 * mul(x, x).backward()
 * x.grad // => tensor(60, float32)
 * handle.remove()
 * ```
 */
export function registerHook(x: Tensor, hook: TensorHook): HookHandle {
  const { tensor } = hooksOf(nodeOf('registerHook', x))
  const set = tensor.get(x.slot) ?? new Set()
  tensor.set(x.slot, set)
  return enter(set, hook)
}

/**
 * Keeps the gradient of a tensor that an op made, in its `.grad`, where backward keeps those of leaves only.
 *
 * @example
 * ```ts
 * import { tensor, mul, retainGrad } from '@bp/core'
 * const x = tensor(3, { requiresGrad: true })
 * const y = mul(x, 2)
 * retainGrad(y)
 * mul(y, y).backward()
 * y.grad // => tensor(12, float32)
 * ```
 */
export function retainGrad(x: Tensor): void {
  const node = nodeOf('retainGrad', x)
  if (node.row === null) return
  const { retained } = hooksOf(node)
  if (!retained.has(x.slot)) retained.set(x.slot, null)
}

/** The op that made a tensor, as a node of the graph that can be walked and hooked: PyTorch's `grad_fn`. */
export class GradFn {
  private readonly node: Node

  constructor(node: Node) {
    this.node = node
  }

  /** The op's name; `accumulateGrad` where the graph ends in a leaf. */
  get name(): string {
    return this.node.row?.name ?? 'accumulateGrad'
  }

  /** For each operand what made it, `null` where it needs no gradient: PyTorch's `next_functions`. */
  get nextFunctions(): (GradFn | null)[] {
    return this.node.edges.map(edge => edge && new GradFn(edge))
  }

  /** Calls `hook` after the rule has run, with the operands' and the results' cotangents. */
  registerHook(hook: NodeHook): HookHandle {
    return enter(hooksOf(this.node).post, hook)
  }

  /** Calls `hook` before the rule runs, with the results' cotangents. */
  registerPrehook(hook: NodePrehook): HookHandle {
    return enter(hooksOf(this.node).pre, hook)
  }
}

/**
 * What made a tensor: its op, and through `nextFunctions` the graph below; `null` where it does not require grad.
 *
 * @example
 * ```ts
 * import { tensor, mul, add, gradFn } from '@bp/core'
 * const x = tensor(3, { requiresGrad: true })
 * gradFn(add(mul(x, x), x))!.name // => add
 * gradFn(add(mul(x, x), x))!.nextFunctions.map(f => f!.name) // => [mul, accumulateGrad]
 * ```
 */
export const gradFn = (x: Tensor): GradFn | null => x.node && new GradFn(x.node)
