// Tables of vectors looked up by whole numbers, one by one or in bags.

import { add, full, mul, noGrad, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { detach, div, embedding, embeddingBag, type EmbeddingBagOptions as BagCall, equal, greater, iota, logicalAnd, reshape, scatterAdd, select, vectorNorm } from '@bp/ops'
import { normal } from '../init.ts'
import { Module, Parameter } from '../module.ts'
import type { LayerOptions } from './linear.ts'

/** Options of {@link Embedding}. */
export interface EmbeddingOptions extends Omit<LayerOptions, 'bias'> {
  /** A row that gets no gradient, and begins with zeros; negative counts from the end. */
  readonly paddingIdx?: number
  /** Rows with a larger norm are scaled down to it, in the table itself, when they are looked up. */
  readonly maxNorm?: number
  /** The p of that norm; 2 unless given. */
  readonly normType?: number
  /** Divides each row's gradient by how often the batch asks for it. */
  readonly scaleGradByFreq?: boolean
}

/** Options of `fromPretrained`. */
export interface PretrainedOptions {
  /** Whether the table stays as it is; true unless given. */
  readonly freeze?: boolean
}

abstract class Table<Args extends readonly unknown[]> extends Module<Args> {
  weight: Parameter
  protected readonly options: EmbeddingOptions

  /** A table of drawn rows, or the given one. */
  constructor(rows: Tensor | readonly [count: number, width: number], options: EmbeddingOptions) {
    super()
    this.weight = new Parameter('dtype' in rows ? detach(rows) : begin(rows, options))
    this.options = options
    if (this.weight.rank !== 2) fail('shape', 'Embedding', `the table must be [rows, width], got ${describe(this.weight)}`)
    const [count] = this.weight.shape as [number]
    const { paddingIdx = 0 } = options
    if (!(Number.isInteger(paddingIdx) && paddingIdx >= -count && paddingIdx < count)) fail('value', 'Embedding', `paddingIdx must name one of ${count} rows, got ${paddingIdx}`)
  }

  /** What the lookup is told; the norms have been seen to. */
  protected lookup(index: Tensor): Pick<BagCall, 'paddingIdx' | 'scaleGradByFreq'> {
    const { maxNorm, normType = 2, paddingIdx, scaleGradByFreq = false } = this.options
    if (maxNorm !== undefined) noGrad(() => { this.weight.assign(shrunk(this.weight, index, maxNorm, normType)) })
    return { scaleGradByFreq, ...paddingIdx !== undefined && { paddingIdx } }
  }
}

/** Standard normal rows, but for the padding. */
function begin([count, width]: readonly [count: number, width: number], options: EmbeddingOptions): Tensor {
  const { paddingIdx } = options
  const drawn = normal([count, width], 1, options)
  if (paddingIdx === undefined) return drawn
  return select(equal(reshape(iota(count, 'int32', drawn.backend), [count, 1]), paddingIdx < 0 ? paddingIdx + count : paddingIdx), 0, drawn)
}

/** The table with those rows scaled down that the index asks for and that are too long; 10⁻⁷ keeps them from growing, as in PyTorch. */
function shrunk(weight: Tensor, index: Tensor, maxNorm: number, p: number): Tensor {
  const asked = scatterAdd(full([index.size], 1, weight.dtype, weight.backend), reshape(index, [index.size]), weight.shape[0]!)
  const length = vectorNorm(weight, { p, axes: 1, keepDims: true })
  const long = logicalAnd(greater(reshape(asked, length.shape), 0), greater(length, maxNorm))
  return mul(weight, select(long, div(maxNorm, add(length, 1e-7)), 1))
}

/**
 * A table of vectors looked up by whole numbers: index [...] → [..., width]; weight [count, width].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Embedding } from '@bp/nn'
 * const table = Embedding.fromPretrained(tensor([[1, 2], [3, 4]]))
 * table.forward(tensor([1, 0, 1], { dtype: 'int32' })) // => tensor([[3, 4], [1, 2], [3, 4]], float32)
 * ```
 */
export class Embedding extends Table<[index: Tensor]> {
  constructor(count: number, width: number, { weight, ...options }: EmbeddingOptions & { readonly weight?: Tensor } = {}) {
    super(weight ?? [count, width], options)
  }

  /** An embedding whose table is given: [rows, width]. */
  static fromPretrained(weight: Tensor, { freeze = true, ...options }: EmbeddingOptions & PretrainedOptions = {}): Embedding {
    return new Embedding(weight.shape[0] ?? 0, weight.shape[1] ?? 0, { ...options, weight }).requiresGrad(!freeze)
  }

  override forward(index: Tensor): Tensor {
    return embedding(index, this.weight, this.lookup(index))
  }
}

/** Options of {@link EmbeddingBag}. */
export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** What becomes of a bag's rows; their mean unless given. */
  readonly mode?: 'sum' | 'mean' | 'max'
  /** Whether the last offset is where the last bag ends; else it is where one begins. */
  readonly includeLastOffset?: boolean
}

/**
 * The sum, mean or maximum of the rows of each bag: an index [bags, n], or [n] with offsets [bags] at which bags begin → [bags, width].
 * In mode `sum`, rows may have a weight each, of the index's shape.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { EmbeddingBag } from '@bp/nn'
 * const bags = EmbeddingBag.fromPretrained(tensor([[1, 2], [3, 4], [5, 8]]), { mode: 'sum' })
 * bags.forward(tensor([0, 2, 1], { dtype: 'int32' }), tensor([0, 2], { dtype: 'int32' })) // => tensor([[6, 10], [3, 4]], float32)
 * ```
 */
export class EmbeddingBag extends Table<[index: Tensor, offsets?: Tensor | null, perSampleWeights?: Tensor]> {
  private readonly bags: Required<Pick<EmbeddingBagOptions, 'mode' | 'includeLastOffset'>>

  constructor(count: number, width: number, { weight, ...options }: EmbeddingBagOptions & { readonly weight?: Tensor } = {}) {
    super(weight ?? [count, width], options)
    this.bags = { mode: options.mode ?? 'mean', includeLastOffset: options.includeLastOffset ?? false }
  }

  /** An embedding bag whose table is given: [rows, width]. */
  static fromPretrained(weight: Tensor, { freeze = true, ...options }: EmbeddingBagOptions & PretrainedOptions = {}): EmbeddingBag {
    return new EmbeddingBag(weight.shape[0] ?? 0, weight.shape[1] ?? 0, { ...options, weight }).requiresGrad(!freeze)
  }

  override forward(index: Tensor, offsets: Tensor | null = null, perSampleWeights?: Tensor): Tensor {
    return embeddingBag(index, this.weight, { ...this.lookup(index), ...this.bags, ...offsets && { offsets }, ...perSampleWeights && { perSampleWeights } })
  }
}
