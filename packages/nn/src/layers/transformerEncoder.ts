// The encoder of a transformer: its layer, and layers one after the other.

import { add, type Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { type AttentionOptions, gelu, relu, type RotaryOptions } from '@bp/ops'
import { Module } from '../module.ts'
import { Dropout } from './dropout.ts'
import { MultiheadAttention } from './attention.ts'
import { type LayerOptions, Linear } from './linear.ts'
import { LayerNorm } from './norm.ts'

/** Options of {@link TransformerEncoderLayer} and `TransformerDecoderLayer`. */
export interface TransformerOptions extends LayerOptions {
  /** Width of the feed-forward part; 2048 unless given. */
  readonly feedForward?: number
  /** Of the weights of attention, within the feed-forward part, and of what each part adds; 0.1 unless given. */
  readonly dropout?: number
  /** relu unless given. */
  readonly activation?: 'relu' | 'gelu' | ((x: Tensor) => Tensor)
  /** Normalises before each part instead of after it (Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture"). */
  readonly normFirst?: boolean
  /** Added to the variance in layer normalisation; 1e-5 unless given. */
  readonly layerNormEps?: number
  /** Sequences are [n, length, dim] instead of [length, n, dim]; false unless given, as in PyTorch. */
  readonly batchFirst?: boolean
  /** Turns queries and keys of self-attention by their places (Su et al. 2021). */
  readonly rotary?: boolean | RotaryOptions
}

/** What a call of an encoder takes beside the sequence: options of attention, or PyTorch's masks, where true hides. */
export interface EncoderMasks extends AttentionOptions {
  /** bool, true where a place may **not** look, or numbers that are added to the scores: [length, length] or [n·heads, length, length]. */
  readonly srcMask?: Tensor | undefined
  /** bool, true where a place is padding, or numbers that are added to the scores: [n, length]. */
  readonly srcKeyPaddingMask?: Tensor | undefined
  /** PyTorch's name of `causal`. */
  readonly isCausal?: boolean | undefined
}

/** The function of a name. */
export function activationOf(activation: NonNullable<TransformerOptions['activation']>): (x: Tensor) => Tensor {
  if (typeof activation === 'function') return activation
  const named = { relu, gelu }
  return Object.hasOwn(named, activation) ? named[activation] : fail('value', 'Transformer', `activation must be 'relu', 'gelu' or a function, got ${activation}`)
}

/** x and what a part makes of it, normalised after the sum or before the part. */
export const residual = (normFirst: boolean, norm: LayerNorm, x: Tensor, part: (x: Tensor) => Tensor): Tensor => normFirst ? add(x, part(norm.forward(x))) : norm.forward(add(x, part(x)))

/**
 * Self-attention and a feed-forward part, each with dropout, residual and layer normalisation (Vaswani et al. 2017, §3.1). PyTorch's
 * `nn.TransformerEncoderLayer`.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { TransformerEncoderLayer } from '@bp/nn'
 * new TransformerEncoderLayer(4, 2, { feedForward: 8, batchFirst: true }).forward(ones([2, 3, 4]), { causal: true }).shape // => [2, 3, 4]
 * ```
 */
export class TransformerEncoderLayer extends Module<[x: Tensor, options?: EncoderMasks]> {
  readonly self_attn: MultiheadAttention
  readonly linear1: Linear
  readonly linear2: Linear
  readonly norm1: LayerNorm
  readonly norm2: LayerNorm
  private readonly dropout: Dropout
  private readonly activation: (x: Tensor) => Tensor
  private readonly normFirst: boolean

  constructor(dim: number, heads: number, options: TransformerOptions = {}) {
    super()
    const { feedForward = 2048, dropout = 0.1, activation = 'relu', normFirst = false, layerNormEps: eps = 1e-5, batchFirst = false, rotary = false, ...layer } = options
    this.self_attn = new MultiheadAttention(dim, heads, { ...layer, dropout, batchFirst, rotary })
    this.linear1 = new Linear(dim, feedForward, layer)
    this.linear2 = new Linear(feedForward, dim, layer)
    this.norm1 = new LayerNorm(dim, { ...layer, eps })
    this.norm2 = new LayerNorm(dim, { ...layer, eps })
    this.dropout = new Dropout(dropout, layer)
    this.activation = activationOf(activation)
    this.normFirst = normFirst
  }

  override forward(x: Tensor, { srcMask, srcKeyPaddingMask, ...options }: EncoderMasks = {}): Tensor {
    const y = residual(this.normFirst, this.norm1, x, t => this.dropout.forward(this.self_attn.forward(t, { ...options, attnMask: srcMask, keyPaddingMask: srcKeyPaddingMask })))
    return residual(this.normFirst, this.norm2, y, t => this.dropout.forward(this.linear2.forward(this.dropout.forward(this.activation(this.linear1.forward(t))))))
  }
}

/** Layers of one kind, each made anew. */
export function stacked<L>(op: string, make: () => L, count: number): readonly L[] {
  if (!Number.isInteger(count) || count < 1) fail('value', op, `needs at least one layer, got ${count}`)
  return Array.from({ length: count }, make)
}

/**
 * Encoder layers one after the other, and a normalisation at the end where one is given. Every layer is made by `make`, with first values of
 * its own, where PyTorch's `nn.TransformerEncoder` copies one.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { LayerNorm, TransformerEncoder, TransformerEncoderLayer } from '@bp/nn'
 * const encoder = new TransformerEncoder(() => new TransformerEncoderLayer(4, 2, { feedForward: 8, batchFirst: true }), 2, new LayerNorm(4))
 * encoder.forward(ones([2, 3, 4])).shape // => [2, 3, 4]
 * ```
 */
export class TransformerEncoder extends Module<[x: Tensor, options?: EncoderMasks]> {
  readonly layers: readonly TransformerEncoderLayer[]
  readonly norm: LayerNorm | null

  constructor(make: () => TransformerEncoderLayer, count: number, norm: LayerNorm | null = null) {
    super()
    this.layers = stacked('TransformerEncoder', make, count)
    this.norm = norm
  }

  override forward(x: Tensor, options: EncoderMasks = {}): Tensor {
    const y = this.layers.reduce((t, layer) => layer.forward(t, options), x)
    return this.norm ? this.norm.forward(y) : y
  }
}
