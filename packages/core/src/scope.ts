// scope: the end of a stretch of code frees the memory of all tensors made in it, but for what is kept.

import { fail } from './errors.ts'
import { savedFor } from './memory.ts'
import type { Node } from './node.ts'
import { backTo, enter, handlesOf, open, orphaned, type Region } from './ownership.ts'
import type { Tensor } from './tensor.ts'
import { tensorsIn } from './tree.ts'

/** A stretch of code whose tensors are freed at its end; see {@link scope}. */
export interface Scope {
  /**
   * Lets the tensors in `tree` (arrays, maps, sets and plain objects of them; all else is passed over), and whatever their
   * graphs need, live on, in the enclosing scope if there is one. Returns its argument.
   */
  keep<T>(tree: T): T
  /** Ends the scope; `using` calls it. Scopes end in the opposite order in which they were opened. */
  [Symbol.dispose](): void
}

/**
 * Opens a scope: at its end the memory of every tensor made in it is freed, at once instead of when the engine collects it,
 * which on a GPU may be too late. It lasts until the end of the block for `using s = scope()`, or while `f` runs for
 * `scope(f)`, where what `f` returns is kept. On the CPU, which needs no freeing, it does nothing.
 *
 * What lives on:
 * - what was given to `keep` or returned by `f`, with what its graph needs for `backward`, in the enclosing scope if any;
 * - variables, such as parameters and the states of modules and optimisers, also those made in the scope;
 * - gradients in the `.grad` of leaves, until they are replaced or set to `null`: the scope in which that happens frees them;
 * - what compiled functions have captured.
 *
 * A tensor that was freed cannot be used again; the backend says so. What functions close over is not seen by `keep`: keep the
 * tensors, or call the function (a pullback of `vjp`, say) within the scope.
 *
 * Scopes nest, and belong to synchronous code: `f` must not be async. A block with `using` may await only where nothing else
 * makes tensors meanwhile, for these would be the scope's too. Throws where scopes end in another order than that of nesting;
 * the one that ended too early then frees nothing.
 *
 * @example
 * ```ts
 * import { mul, scope, tensor } from '@bp/core'
 * const w = tensor(3, { requiresGrad: true })
 * const loss = scope(() => { const y = mul(mul(w, w), w); y.backward(); return y })
 * loss // => tensor(27, float32)
 * w.grad // => tensor(27, float32)
 * ```
 */
export function scope(): Scope
export function scope<R>(f: () => R): R
export function scope<R>(f?: () => R): Scope | R {
  const region = enter('scope')
  const kept: Tensor[] = []
  const opened: Scope = {
    keep: tree => {
      if (region.closed) fail('memory', 'scope', 'keep was called after the scope had ended. Call it inside, before the end of the block')
      kept.push(...tensorsIn(tree))
      return tree
    },
    [Symbol.dispose]: () => { if (!region.closed) end(region, kept) },
  }
  if (f === undefined) return opened
  try {
    const result = f()
    if (result instanceof Promise) fail('value', 'scope', 'the function is async: what it makes after its first await would not be in the scope. Await first, then compute inside a plain function')
    return opened.keep(result)
  } finally {
    opened[Symbol.dispose]()
  }
}

function end(region: Region, kept: readonly Tensor[]): void {
  const inside = open
  region.closed = true
  while (region.outer?.closed) region.outer = region.outer.outer
  if (inside === region) backTo(region.outer)
  else misplaced(region)
  if (region.handles.size === 0 && region.touched.size === 0) return
  region.forget()
  const live = new Set<object>()
  const seen = new Set<Node>()
  const mark = (x: Tensor): void => {
    for (const y of [x, ...savedFor(x, seen)]) {
      if (y.storage !== null) live.add(y.storage)
      for (const part of y.parts() ?? []) mark(part)
    }
  }
  kept.forEach(mark)
  const graded = gradsIn(region, seen, live)
  if (region.outer === null || region.outer.kind === 'good') {
    for (const [node, grad] of graded) for (const storage of handlesOf(grad)) if (!live.has(storage) && region.handles.has(storage)) orphaned(storage, node)
  } else {
    for (const node of region.touched) region.outer.touched.add(node)
    for (const [node, x] of region.leaves) region.outer.leaves.set(node, x)
  }
  region.move([...live, ...graded.flatMap(([, grad]) => handlesOf(grad))], region.outer)
  region.sweep()
}

/** The gradients that leaves go on holding: those of all that lives on itself, variables first of all. */
function gradsIn({ touched, leaves, handles, since }: Region, seen: ReadonlySet<Node>, live: ReadonlySet<object>): [Node, Tensor][] {
  const found: [Node, Tensor][] = []
  const reached = new Set(seen)
  const held = new Set(live)
  const pending = new Set(touched)
  const lives = (node: Node): boolean => {
    if (reached.has(node)) return true
    const storage = leaves.get(node)?.storage
    return storage ? !handles.has(storage) || held.has(storage) : node.row === null || node.stamp <= since
  }
  // a gradient with a graph may reach further leaves
  for (let before = -1; before !== pending.size;) {
    before = pending.size
    for (const node of pending) {
      if (!lives(node)) continue
      pending.delete(node)
      for (const grad of [node.grad, ...node.hooks?.retainedGrads() ?? []]) {
        if (grad === null) continue
        found.push([node, grad])
        for (const storage of handlesOf(grad)) held.add(storage)
        savedFor(grad, reached)
      }
    }
  }
  return found
}

/** A scope that ends while others are open in it: nothing of it is freed, for it is not known whose it is. */
function misplaced(region: Region): never {
  for (let inner = open; inner !== null; inner = inner.outer) if (inner.outer === region) inner.outer = region.outer
  region.move([...region.handles.keys()], region.outer)
  return fail('memory', 'scope', 'a scope ended that is not the innermost: another was opened in it and has not ended, or an await let other code open one. End scopes in the opposite order, with `using s = scope()` or scope(f), and await outside')
}
