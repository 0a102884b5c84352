// Datasets in memory: rows of arrays, and lists.

import { fail } from '@bp/core/extend'
import { type ArraySource, asNdArray, gather, type NdArray, row } from '../array.ts'
import type { Stacked } from '../collate.ts'
import { checkIndex, type Dataset } from '../dataset.ts'

/** The rows of arrays as samples. */
export type Rows<A extends readonly ArraySource[]> = { -readonly [K in keyof A]: NdArray }

/**
 * Rows of tensors or arrays along axis 0: sample i is row i of each, as views of one memory; a batch is copied at once.
 * Throws where the arrays have different numbers of rows.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { DataLoader, TensorDataset } from '@bp/data'
 * const dataset = new TensorDataset(tensor([[1, 2], [3, 4], [5, 6]]), Int32Array.of(0, 1, 0))
 * dataset.length // => 3
 * for (const [x, y] of new DataLoader(dataset, { batchSize: 3 })) {
 *   x.shape // => [3, 2]
 *   y // => tensor([0, 1, 0], int32)
 * }
 * ```
 */
export class TensorDataset<const A extends readonly ArraySource[]> implements Dataset<Rows<A>> {
  readonly arrays: Rows<A>
  readonly length: number

  constructor(...arrays: A) {
    this.arrays = arrays.map(asNdArray) as Rows<A>
    const rows = (this.arrays as readonly NdArray[]).map(({ shape }) => shape[0])
    if (rows.length === 0 || rows.includes(undefined)) fail('shape', 'TensorDataset', 'needs arrays with at least one axis. Give numbers as an array')
    const [length] = rows as number[]
    const odd = rows.findIndex(count => count !== length)
    if (odd >= 0) fail('shape', 'TensorDataset', `array 0 has ${length!} rows and array ${odd} has ${rows[odd]!}. Every array needs a row for each sample`)
    this.length = length!
  }

  get(index: number): Rows<A> {
    checkIndex('TensorDataset', index, this.length)
    return (this.arrays as readonly NdArray[]).map(x => row(x, index)) as Rows<A>
  }

  getBatch(indices: readonly number[]): Stacked<Awaited<Rows<A>>> {
    for (const index of indices) checkIndex('TensorDataset', index, this.length)
    return (this.arrays as readonly NdArray[]).map(x => gather(x, indices)) as Stacked<Awaited<Rows<A>>>
  }
}

/**
 * A list of samples.
 *
 * @example
 * ```ts
 * import { ListDataset } from '@bp/data'
 * new ListDataset(['a', 'b']).get(1) // => b
 * ```
 */
export class ListDataset<T> implements Dataset<T> {
  private readonly items: readonly T[]

  constructor(items: readonly T[]) {
    this.items = items
  }

  get length(): number {
    return this.items.length
  }

  get(index: number): T {
    return this.items[checkIndex('ListDataset', index, this.items.length)]!
  }
}
