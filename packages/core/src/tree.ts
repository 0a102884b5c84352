// Trees: tensors in arrays and objects, flattened for transforms and put back in the same form, or found among other things.

import { fail } from './errors.ts'
import { Tensor } from './tensor.ts'

/** A tensor, or arrays and plain objects of trees: parameters as a user keeps them. */
export type Tree = Tensor | readonly Tree[] | { readonly [key: string]: Tree }

/** The tensors of a tree, in order. Throws where a leaf is something else. */
export function flatten(op: string, tree: Tree): Tensor[] {
  const out: Tensor[] = []
  const walk = (node: Tree, path: string): void => {
    if (node instanceof Tensor) out.push(node)
    else if (Array.isArray(node)) node.forEach((child: Tree, i) => { walk(child, `${path}[${i}]`) })
    else if (typeof node === 'object' && (node as unknown) !== null) for (const [key, child] of Object.entries(node)) walk(child, `${path}.${key}`)
    else fail('value', op, `${path || 'the argument'} is of type ${typeof node}, not a tensor. Wrap it with tensor(), or close over it`)
  }
  walk(tree, '')
  return out
}

/** A tree of the form of `like` with other tensors as its leaves. */
export function unflatten<T extends Tree>(like: T, leaves: readonly Tensor[]): T {
  let next = 0
  const build = (node: Tree): Tree => {
    if (node instanceof Tensor) return leaves[next++]!
    if (Array.isArray(node)) return node.map((child: Tree) => build(child))
    return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, build(child)]))
  }
  return build(like) as T
}

/** The tensors in arrays, maps, sets and plain objects of anything. */
export function tensorsIn(tree: unknown): Tensor[] {
  const found = new Set<Tensor>()
  const seen = new Set<object>()
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return
    seen.add(value)
    if (value instanceof Tensor) found.add(value)
    else if (Array.isArray(value) || value instanceof Map || value instanceof Set) for (const child of value as Iterable<unknown>) walk(child)
    else if ([Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null)) for (const child of Object.values(value)) walk(child)
  }
  walk(tree)
  return [...found]
}
