// Multi-head attention and the encoder layer of a transformer.

import { add, type Tensor, zeros } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { gelu, linear, relu, reshape, scaledDotProductAttention, split, transpose, type AttentionOptions } from '@bp/ops'
import { xavierUniform } from '../init.ts'
import { Module, Parameter } from '../module.ts'
import { Dropout } from './dropout.ts'
import { type LayerOptions, Linear } from './linear.ts'
import { LayerNorm } from './norm.ts'

/**
 * Self-attention by several heads at once: [n, length, dim] → the same (Vaswani et al. 2017). Parameters are named as in
 * PyTorch's `MultiheadAttention`.
 */
export class MultiheadAttention extends Module<[x: Tensor, options?: AttentionOptions]> {
  readonly in_proj_weight: Parameter
  readonly in_proj_bias: Parameter
  readonly out_proj: Linear
  readonly heads: number

  constructor(dim: number, heads: number, options: LayerOptions = {}) {
    super()
    if (dim % heads !== 0) fail('value', 'MultiheadAttention', `${dim} features do not divide into ${heads} heads`)
    this.in_proj_weight = new Parameter(xavierUniform([3 * dim, dim], options))
    this.in_proj_bias = new Parameter(zeros([3 * dim], options.dtype))
    this.out_proj = new Linear(dim, dim, options)
    this.out_proj.bias?.assign(zeros([dim], options.dtype))
    this.heads = heads
  }

  override forward(x: Tensor, options: AttentionOptions = {}): Tensor {
    if (x.rank !== 3) fail('shape', 'MultiheadAttention', `needs [n, length, dim], got ${describe(x)}`)
    const [n, length, dim] = x.shape as [number, number, number]
    const heads = (t: Tensor): Tensor => transpose(reshape(t, [n, length, this.heads, dim / this.heads]), [0, 2, 1, 3])
    const [q, k, v] = split(linear(x, this.in_proj_weight, this.in_proj_bias), dim, 2).map(heads) as [Tensor, Tensor, Tensor]
    const seen = scaledDotProductAttention(q, k, v, options)
    return this.out_proj.forward(reshape(transpose(seen, [0, 2, 1, 3]), [n, length, dim]))
  }
}

/** Options of {@link TransformerEncoderLayer}. */
export interface TransformerOptions extends LayerOptions {
  /** Width of the feed-forward part; 2048 unless given. */
  readonly feedForward?: number
  /** 0.1 unless given. */
  readonly dropout?: number
  readonly activation?: 'relu' | 'gelu'
  /** Normalises before each part instead of after it. */
  readonly normFirst?: boolean
}

/** Self-attention and a feed-forward part, each with dropout, residual and layer normalisation. */
export class TransformerEncoderLayer extends Module<[x: Tensor, options?: AttentionOptions]> {
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
    const { feedForward = 2048, dropout = 0.1, activation = 'relu', normFirst = false, ...layer } = options
    this.self_attn = new MultiheadAttention(dim, heads, layer)
    this.linear1 = new Linear(dim, feedForward, layer)
    this.linear2 = new Linear(feedForward, dim, layer)
    const { dtype = 'float32' } = layer
    this.norm1 = new LayerNorm(dim, { dtype })
    this.norm2 = new LayerNorm(dim, { dtype })
    this.dropout = new Dropout(dropout, layer)
    this.activation = activation === 'gelu' ? gelu : relu
    this.normFirst = normFirst
  }

  override forward(x: Tensor, options: AttentionOptions = {}): Tensor {
    const attend = (t: Tensor): Tensor => this.dropout.forward(this.self_attn.forward(t, options))
    const think = (t: Tensor): Tensor => this.dropout.forward(this.linear2.forward(this.dropout.forward(this.activation(this.linear1.forward(t)))))
    if (this.normFirst) {
      const y = add(x, attend(this.norm1.forward(x)))
      return add(y, think(this.norm2.forward(y)))
    }
    const y = this.norm1.forward(add(x, attend(x)))
    return this.norm2.forward(add(y, think(y)))
  }
}
