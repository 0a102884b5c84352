// The decoder of a transformer: its layer, and layers one after the other.

import type { Tensor } from '@bp/core'
import { Module } from '../module.ts'
import { Dropout } from './dropout.ts'
import { MultiheadAttention } from './attention.ts'
import { Linear } from './linear.ts'
import { LayerNorm } from './norm.ts'
import { activationOf, residual, stacked, type TransformerOptions } from './transformerEncoder.ts'

/** What a call of a decoder takes beside the sequences: PyTorch's masks, where true hides. */
export interface DecoderMasks {
  /** bool, true where a place of the target may **not** look at the target, or numbers that are added: [l, l] or [n·heads, l, l]. */
  readonly tgtMask?: Tensor | undefined
  /** The same for the memory: [l, s] or [n·heads, l, s]. */
  readonly memoryMask?: Tensor | undefined
  /** bool, true where the target is padding, or numbers that are added: [n, l]. */
  readonly tgtKeyPaddingMask?: Tensor | undefined
  /** The same for the memory: [n, s]. */
  readonly memoryKeyPaddingMask?: Tensor | undefined
  /** A place of the target sees itself and what comes before, of the target. */
  readonly tgtIsCausal?: boolean | undefined
  /** The same for the memory. */
  readonly memoryIsCausal?: boolean | undefined
}

/**
 * Self-attention of the target, attention to the memory of an encoder and a feed-forward part, each with dropout, residual and layer
 * normalisation (Vaswani et al. 2017, §3.1): target [l, n, dim] and memory [s, n, dim] → [l, n, dim]. PyTorch's
 * `nn.TransformerDecoderLayer`; with `batchFirst`, n comes first.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { TransformerDecoderLayer } from '@bp/nn'
 * const layer = new TransformerDecoderLayer(4, 2, { feedForward: 8, batchFirst: true })
 * layer.forward(ones([2, 3, 4]), ones([2, 5, 4]), { tgtIsCausal: true }).shape // => [2, 3, 4]
 * ```
 */
export class TransformerDecoderLayer extends Module<[target: Tensor, memory: Tensor, options?: DecoderMasks]> {
  readonly self_attn: MultiheadAttention
  readonly multihead_attn: MultiheadAttention
  readonly linear1: Linear
  readonly linear2: Linear
  readonly norm1: LayerNorm
  readonly norm2: LayerNorm
  readonly norm3: LayerNorm
  private readonly dropout: Dropout
  private readonly activation: (x: Tensor) => Tensor
  private readonly normFirst: boolean

  constructor(dim: number, heads: number, options: TransformerOptions = {}) {
    super()
    const { feedForward = 2048, dropout = 0.1, activation = 'relu', normFirst = false, layerNormEps: eps = 1e-5, batchFirst = false, rotary = false, ...layer } = options
    this.self_attn = new MultiheadAttention(dim, heads, { ...layer, dropout, batchFirst, rotary })
    this.multihead_attn = new MultiheadAttention(dim, heads, { ...layer, dropout, batchFirst })
    this.linear1 = new Linear(dim, feedForward, layer)
    this.linear2 = new Linear(feedForward, dim, layer)
    this.norm1 = new LayerNorm(dim, { ...layer, eps })
    this.norm2 = new LayerNorm(dim, { ...layer, eps })
    this.norm3 = new LayerNorm(dim, { ...layer, eps })
    this.dropout = new Dropout(dropout, layer)
    this.activation = activationOf(activation)
    this.normFirst = normFirst
  }

  override forward(target: Tensor, memory: Tensor, options: DecoderMasks = {}): Tensor {
    const own = { attnMask: options.tgtMask, keyPaddingMask: options.tgtKeyPaddingMask, isCausal: options.tgtIsCausal }
    const across = { attnMask: options.memoryMask, keyPaddingMask: options.memoryKeyPaddingMask, isCausal: options.memoryIsCausal, needWeights: false }
    const x = residual(this.normFirst, this.norm1, target, t => this.dropout.forward(this.self_attn.forward(t, own)))
    const y = residual(this.normFirst, this.norm2, x, t => this.dropout.forward(this.multihead_attn.forward(t, memory, memory, across)[0]))
    return residual(this.normFirst, this.norm3, y, t => this.dropout.forward(this.linear2.forward(this.dropout.forward(this.activation(this.linear1.forward(t))))))
  }
}

/**
 * Decoder layers one after the other, all with the same memory, and a normalisation at the end where one is given; each layer is made anew.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { TransformerDecoder, TransformerDecoderLayer } from '@bp/nn'
 * const decoder = new TransformerDecoder(() => new TransformerDecoderLayer(4, 2, { feedForward: 8, batchFirst: true }), 2)
 * decoder.forward(ones([2, 3, 4]), ones([2, 5, 4])).shape // => [2, 3, 4]
 * ```
 */
export class TransformerDecoder extends Module<[target: Tensor, memory: Tensor, options?: DecoderMasks]> {
  readonly layers: readonly TransformerDecoderLayer[]
  readonly norm: LayerNorm | null

  constructor(make: () => TransformerDecoderLayer, count: number, norm: LayerNorm | null = null) {
    super()
    this.layers = stacked('TransformerDecoder', make, count)
    this.norm = norm
  }

  override forward(target: Tensor, memory: Tensor, options: DecoderMasks = {}): Tensor {
    const y = this.layers.reduce((t, layer) => layer.forward(t, memory, options), target)
    return this.norm ? this.norm.forward(y) : y
  }
}
