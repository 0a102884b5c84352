// Who frees a storage: the regions of a program that are open, and the handles that each will free at its end.

import type { Backend } from './backend.ts'
import { savedFor } from './memory.ts'
import { type Node, now } from './node.ts'
import type { Tensor } from './tensor.ts'

/** A scope of the user's, a backward pass, a step of something (the rule of a node, a decomposition), or what is made for good. */
export type RegionKind = 'scope' | 'pass' | 'step' | 'good'

/** A stretch of a program at whose end the handles made in it are freed, but for those that leave it. Only backends with `free` make any. */
export class Region {
  readonly kind: RegionKind
  outer: Region | null
  readonly handles = new Map<object, Backend>()
  /** Of a scope: nodes whose gradients were set in it. */
  readonly touched = new Set<Node>()
  /** Of a scope: what was made a leaf in it. */
  readonly leaves = new Map<Node, Tensor>()
  /** Nodes made later than this were made in it. */
  readonly since = now()
  closed = false
  /** Of a step: tensors that the pass around it keeps until then. */
  readonly lent: Tensor[] = []
  private readonly caches: (() => void)[] = []
  private readonly counts = new Map<Tensor, number>()

  constructor(kind: RegionKind, outer: Region | null) {
    this.kind = kind
    this.outer = outer
  }

  /** Forgets a cache of tensors made here when this ends. */
  atEnd(forget: () => void): void {
    this.caches.push(forget)
  }

  /** Empties the caches. */
  forget(): void {
    for (const forget of this.caches.splice(0)) forget()
  }

  /** Of a pass: counts another place where each of these stands. */
  hold(xs: readonly (Tensor | null)[]): void {
    for (const x of xs) if (x !== null) this.counts.set(x, (this.counts.get(x) ?? 0) + 1)
  }

  /** Of a pass: counts one place less, and frees what was made in it and stands nowhere any more. */
  drop(xs: readonly (Tensor | null)[]): void {
    for (const x of xs) {
      if (x === null) continue
      const count = (this.counts.get(x) ?? 1) - 1
      if (count > 0) this.counts.set(x, count)
      else {
        this.counts.delete(x)
        if (x.storage !== null) this.release(x.storage)
      }
    }
  }

  /** Frees a handle if it is this region's. */
  release(storage: object): void {
    const backend = this.handles.get(storage)
    if (backend === undefined) return
    this.handles.delete(storage)
    backend.free!(storage)
  }

  /** Moves handles to another region; to none where that is made for good, and the engine collects them. */
  move(storages: Iterable<object>, to: Region | null): void {
    for (const storage of storages) {
      const backend = this.handles.get(storage)
      if (backend === undefined) continue
      this.handles.delete(storage)
      if (to !== null && to.kind !== 'good') to.handles.set(storage, backend)
    }
  }

  /** Frees what is left. */
  sweep(): void {
    for (const [storage, backend] of this.handles) backend.free!(storage)
    this.handles.clear()
  }
}

/** The innermost region. */
export let open: Region | null = null

/**
 * Tells the innermost open scope of a new handle, so that it frees it at its end. A backend with `free` calls it for each
 * handle that a kernel, `write`, `snapshot` or a program's output gives; where no scope is open, it does nothing.
 */
export function owned(storage: object, backend: Backend): void {
  if (open !== null && open.kind !== 'good') open.handles.set(storage, backend)
}

/** Tells the scopes that a handle is not theirs (any more): a variable's, a constant's, or one that was freed. */
export function disowned(storage: object): void {
  for (let region = open; region !== null; region = region.outer) if (region.handles.delete(storage)) return
}

/** Opens a region. */
export const enter = (kind: RegionKind): Region => open = new Region(kind, open)

/** Makes the region the innermost one again, or the first around it that has not ended. */
export function backTo(region: Region | null): void {
  while (region?.closed) region = region.outer
  open = region
}

/** The innermost scope, passes and steps in it left out; `null` where there is none, or things are made for good. */
export function innermostScope(): Region | null {
  let region = open
  while (region !== null && region.kind !== 'scope' && region.kind !== 'good') region = region.outer
  return region?.kind === 'scope' ? region : null
}

/** The innermost pass, or scope if there is none in it. */
export function innermostPass(): Region | null {
  let region = open
  while (region?.kind === 'step') region = region.outer
  return region?.kind === 'good' ? null : region
}

/** Notes that the pass may free a tensor that it keeps when the present step, which reads it, is over. */
export function lend(x: Tensor): void {
  if (open?.kind === 'step') open.lent.push(x)
}

/** Runs `f`; what it makes is no scope's. */
export function forGood<R>(f: () => R): R {
  if (open === null) return f()
  const before = open
  enter('good')
  try {
    return f()
  } finally {
    backTo(before)
  }
}

/** Runs the user's `f` on tensors of a backward pass: neither these nor what it makes is the pass's any more, for `f` may keep them. */
export function handingOut<R>(xs: readonly (Tensor | null)[], f: () => R): R {
  const before = open
  const scope = innermostScope()
  if (before === scope || before?.kind === 'good') return f()
  const storages = xs.flatMap(x => x?.storage ?? [])
  for (let region = before; region !== null && region !== scope && region.kind !== 'good'; region = region.outer) region.move(storages, scope)
  open = scope
  try {
    return f()
  } finally {
    backTo(before)
  }
}

/** A handle of the tensor's value that no later run of a compiled function changes, and that is its holder's own. */
export const kept = ({ storage, backend }: Tensor): object | null => storage !== null && backend.snapshot ? backend.snapshot(storage) : storage

/** Notes that a variable has given up one handle for another. */
export function replaced(before: object | null, after: object | null, backend: Backend): void {
  if (after !== null) disowned(after)
  if (before !== null && before !== after) backend.free?.(before)
}

/** Of handles that outlived their scope in a leaf's `.grad`: the leaves that hold them. */
const holders = new WeakMap<object, Set<Node>>()

/** The handles of a gradient, and of the graph that made it. */
export const handlesOf = (grad: Tensor): object[] => [grad, ...grad.node === null ? [] : savedFor(grad, new Set())].flatMap(x => x.storage ?? [])

/** Notes that a handle has outlived its scopes in the `.grad` of a leaf. */
export function orphaned(storage: object, holder: Node): void {
  const known = holders.get(storage)
  if (known) known.add(holder)
  else holders.set(storage, new Set([holder]))
}

/** Notes that the gradient of a leaf is replaced: what outlived its scope as that is the present scope's again. */
export function regraded(node: Node, before: Tensor | null, after: Tensor | null): void {
  const scope = innermostScope()
  scope?.touched.add(node)
  if (after?.storage) holders.get(after.storage)?.add(node)
  if (before?.storage == null || before === after) return
  for (const storage of handlesOf(before)) {
    const known = holders.get(storage)
    if (!known?.delete(node) || known.size > 0) continue
    holders.delete(storage)
    scope?.handles.set(storage, before.backend)
  }
}
