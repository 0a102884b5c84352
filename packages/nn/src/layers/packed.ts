// Packed sequences: sequences of different lengths as one tensor without padding, step by step.

import { type Tensor, tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { pad, reshape, select, stack, take, transpose } from '@bp/ops'

/**
 * Sequences of different lengths, the longest first, without padding: the first steps of all of them, then the second steps of those
 * that have one, and so on. Made by {@link packPaddedSequence}; recurrent layers take and return it.
 */
export class PackedSequence {
  /** [Σ lengths, …] */
  readonly data: Tensor
  /** How many sequences have each step. */
  readonly batchSizes: readonly number[]
  /** Which sequence of the batch comes first, second, … */
  readonly sortedIndices: readonly number[]

  constructor(data: Tensor, batchSizes: readonly number[], sortedIndices: readonly number[]) {
    this.data = data
    this.batchSizes = batchSizes
    this.sortedIndices = sortedIndices
  }

  /** How long each sequence of the batch is, in the batch's own order. */
  get lengths(): number[] {
    const lengths = new Array<number>(this.sortedIndices.length).fill(0)
    this.sortedIndices.forEach((n, place) => { lengths[n] = this.batchSizes.filter(size => size > place).length })
    return lengths
  }

  /** The same with other elements, one for each of the old ones. */
  with(data: Tensor): PackedSequence {
    return new PackedSequence(data, this.batchSizes, this.sortedIndices)
  }
}

/** Options of {@link packPaddedSequence}. */
export interface PackOptions {
  /** x is [n, steps, …] instead of [steps, n, …]. */
  readonly batchFirst?: boolean
  /** Throws unless the longest sequences come first; true unless given. With false they are sorted, and come back in their own order. */
  readonly enforceSorted?: boolean
}

const whole = (list: readonly number[], like: Tensor): Tensor => tensor(list, { dtype: 'int32', backend: like.backend })

/**
 * Leaves out the padding of [steps, n, …]: PyTorch's `pack_padded_sequence`. Throws where a length is not from 1 to the number of steps.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { packPaddedSequence } from '@bp/nn'
 * const packed = packPaddedSequence(tensor([[1, 2, 3], [4, 0, 0]]), [3, 1], { batchFirst: true })
 * packed.data // => tensor([1, 4, 2, 3], float32)
 * packed.batchSizes // => [2, 1, 1]
 * ```
 */
export function packPaddedSequence(x: Tensor, lengths: readonly number[], { batchFirst = false, enforceSorted = true }: PackOptions = {}): PackedSequence {
  if (x.rank < 2) fail('shape', 'packPaddedSequence', `needs [${batchFirst ? 'n, steps' : 'steps, n'}, …], got ${describe(x)}`)
  const [steps, n] = (batchFirst ? [x.shape[1], x.shape[0]] : x.shape) as [number, number]
  const bad = lengths.find(length => !Number.isInteger(length) || length < 1 || length > steps)
  if (bad !== undefined || lengths.length !== n) fail('value', 'packPaddedSequence', `lengths must be ${n} whole numbers from 1 to the ${steps} steps of ${describe(x)}, got [${lengths.join(',')}]`)
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]!)
  if (enforceSorted && order.some((from, i) => from !== i)) fail('value', 'packPaddedSequence', `the longest sequences must come first, got lengths [${lengths.join(',')}]. Pass { enforceSorted: false } to have them sorted`)
  const batchSizes = Array.from({ length: Math.max(...lengths) }, (_, t) => lengths.filter(length => length > t).length)
  const places = batchSizes.flatMap((size, t) => order.slice(0, size).map(i => batchFirst ? i * steps + t : t * n + i))
  return new PackedSequence(take(reshape(x, [steps * n, ...x.shape.slice(2)]), whole(places, x)), batchSizes, order)
}

/** Options of {@link padPackedSequence}. */
export interface PadPackedOptions {
  /** Gives [n, steps, …] instead of [steps, n, …]. */
  readonly batchFirst?: boolean
  /** What stands after the end of a sequence; 0 unless given. */
  readonly paddingValue?: number
  /** How many steps to give; those of the longest sequence unless given. */
  readonly totalLength?: number
}

/**
 * The sequences with padding, [steps, n, …], and their lengths: PyTorch's `pad_packed_sequence`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { packPaddedSequence, padPackedSequence } from '@bp/nn'
 * const packed = packPaddedSequence(tensor([[1, 4], [2, 9]]), [2, 1])
 * padPackedSequence(packed) // => [tensor([[1, 4], [2, 0]], float32), [2, 1]]
 * ```
 */
export function padPackedSequence(packed: PackedSequence, { batchFirst = false, paddingValue = 0, totalLength }: PadPackedOptions = {}): [x: Tensor, lengths: number[]] {
  const { data, batchSizes, sortedIndices: order, lengths } = packed
  const steps = totalLength ?? batchSizes.length
  if (steps < batchSizes.length) fail('value', 'padPackedSequence', `totalLength must be at least the ${batchSizes.length} steps of the longest sequence, got ${steps}`)
  const n = order.length
  const places = new Array<number>(steps * n).fill(0)
  let place = 0
  batchSizes.forEach((size, t) => { for (const i of order.slice(0, size)) places[t * n + i] = place++ })
  const item = data.shape.slice(1)
  const valid = tensor(Array.from({ length: steps * n }, (_, k) => Math.floor(k / n) < lengths[k % n]!), { shape: [steps * n, ...item.map(() => 1)], backend: data.backend })
  const x = reshape(select(valid, take(data, whole(places, data)), paddingValue), [steps, n, ...item])
  return [batchFirst ? transpose(x, [1, 0, ...item.map((_, i) => i + 2)]) : x, lengths]
}

/**
 * Sequences [steps, …] of different lengths side by side as [longest, n, …], or [n, longest, …]: PyTorch's `pad_sequence`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { padSequence } from '@bp/nn'
 * padSequence([tensor([1, 2]), tensor([3])], { batchFirst: true }) // => tensor([[1, 2], [3, 0]], float32)
 * ```
 */
export function padSequence(xs: readonly Tensor[], { batchFirst = false, paddingValue = 0 }: Omit<PadPackedOptions, 'totalLength'> = {}): Tensor {
  const longest = Math.max(...xs.map(x => x.shape[0] ?? fail('shape', 'padSequence', `needs sequences [steps, …], got ${describe(x)}`)))
  return stack(xs.map(x => pad(x, x.shape.map((_, axis): [number, number] => axis === 0 ? [0, longest - x.shape[0]!] : [0, 0]), { value: paddingValue })), batchFirst ? 0 : 1)
}
