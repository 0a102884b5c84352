// What a graph holds on to: the bytes of every value that its backward pass will read.

import { isPacked, isTensor, type Node, type Packed } from './node.ts'
import type { Tensor } from './tensor.ts'

/** Counts of {@link tapeMemory}. */
export interface TapeMemory {
  /** Recorded ops. */
  readonly nodes: number
  /** Bytes of distinct saved storages, those of `except` left out. */
  readonly bytes: number
}

/**
 * The bytes that backward from `y` keeps alive, counted from the storages themselves. Storages of the tensors in `except`
 * (parameters, the input batch) are not counted: they would be alive without the graph.
 *
 * @example
 * ```ts
 * import { tensor, mul, tapeMemory } from '@bp/core'
 * const x = tensor([1, 2, 3], { requiresGrad: true })
 * tapeMemory(mul(mul(x, x), x), [x]).bytes // => 12
 * ```
 */
export function tapeMemory(y: Tensor, except: readonly Tensor[] = []): TapeMemory {
  const seen = new Set<Node>()
  const storages = new Set<object>(except.flatMap(x => x.storage ?? []))
  let bytes = 0
  for (const { storage, backend } of savedFor(y, seen)) {
    if (storage === null || storages.has(storage)) continue
    storages.add(storage)
    bytes += backend.bytes(storage)
  }
  return { nodes: seen.size, bytes }
}

/** The tensors that backward from `y` will read, or that are kept to compute those again; nodes in `seen` are passed over, and put there. */
export function savedFor(y: Tensor, seen: Set<Node>): Tensor[] {
  const packed = new Set<Packed>()
  const found = new Set<Tensor>()
  const pending = y.node ? [y.node] : []
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (seen.has(node)) continue
    seen.add(node)
    const values = [...node.xs ?? [], ...node.ys ?? []]
    for (let saved = values.pop(); saved; saved = values.pop()) {
      if (isPacked(saved) && !packed.has(saved)) {
        packed.add(saved)
        values.push(...saved.held)
      }
      if (isTensor(saved)) found.add(saved)
    }
    for (const edge of node.edges) if (edge) pending.push(edge)
  }
  return [...found]
}
