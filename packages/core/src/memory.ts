// What a graph holds on to: the bytes of every value that its backward pass will read.

import { isPacked, type Node, type Packed } from './node.ts'
import { Tensor } from './tensor.ts'

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
  const packed = new Set<Packed>()
  const storages = new Set<object>(except.flatMap(x => x.storage ?? []))
  let bytes = 0
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
      if (!(saved instanceof Tensor) || saved.storage === null || storages.has(saved.storage)) continue
      storages.add(saved.storage)
      bytes += saved.backend.bytes(saved.storage)
    }
    for (const edge of node.edges) if (edge) pending.push(edge)
  }
  return { nodes: seen.size, bytes }
}
