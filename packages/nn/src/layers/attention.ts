// Multi-head attention, of a sequence to itself or to another.

import { broadcastTo, full, Tensor, zeros } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { attentionWeights, concat, dropout, linear, matmul, mean, narrow, reshape, rotaryEmbedding, type RotaryOptions, scaledDotProductAttention, split, transpose, unsqueeze } from '@bp/ops'
import { xavierNormal, xavierUniform } from '../init.ts'
import { Module, Parameter } from '../module.ts'
import { defaultGenerator } from '../random.ts'
import { type AttentionMasks, joined } from './attentionMask.ts'
import { type LayerOptions, Linear } from './linear.ts'

/** Options of {@link MultiheadAttention}. */
export interface MultiheadAttentionOptions extends LayerOptions {
  /** How many of the weights are dropped in training; 0 unless given. */
  readonly dropout?: number
  /** Puts a learned key and value behind those of the input. */
  readonly addBiasKv?: boolean
  /** Puts a key and value of zeros behind those of the input. */
  readonly addZeroAttn?: boolean
  /** Features of the keys; those of the queries unless given. */
  readonly kdim?: number
  /** Features of the values; those of the queries unless given. */
  readonly vdim?: number
  /** Sequences are [n, length, features] instead of [length, n, features]; false unless given, as in PyTorch. */
  readonly batchFirst?: boolean
  /** Turns queries and keys by their places (Su et al. 2021). */
  readonly rotary?: boolean | RotaryOptions
}

/** What a call of {@link MultiheadAttention} takes beside tensors. */
export interface AttendOptions extends AttentionMasks {
  /** Whether to return the weights too; true unless given. Without them nothing of [queries, keys] need be kept. */
  readonly needWeights?: boolean
  /** Whether the weights returned are the mean of all heads'; true unless given. */
  readonly averageAttnWeights?: boolean
}

/**
 * Attention by several heads at once (Vaswani et al. 2017, "Attention Is All You Need", §3.2.2). One sequence attends to itself:
 * [length, n, dim] → the same. Or queries [l, n, dim] attend to keys [s, n, kdim] with values [s, n, vdim] → the result [l, n, dim] and the
 * weights [n, l, s], as PyTorch's `nn.MultiheadAttention`. With `batchFirst`, n comes first everywhere; the batch may be left out.
 * Parameters are named as there.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { MultiheadAttention } from '@bp/nn'
 * const attention = new MultiheadAttention(4, 2, { batchFirst: true })
 * attention.forward(ones([1, 3, 4]), { causal: true }).shape // => [1, 3, 4]
 * const [y, weights] = attention.forward(ones([1, 3, 4]), ones([1, 5, 4]), ones([1, 5, 4]))
 * weights.shape // => [1, 3, 5]
 * ```
 */
export class MultiheadAttention extends Module<[query: Tensor, key?: Tensor | AttendOptions, value?: Tensor, options?: AttendOptions], Tensor | [y: Tensor, weights: Tensor | null]> {
  /** Of queries, keys and values, one below the other, where all have `dim` features. */
  readonly in_proj_weight: Parameter | null = null
  readonly q_proj_weight: Parameter | null = null
  readonly k_proj_weight: Parameter | null = null
  readonly v_proj_weight: Parameter | null = null
  readonly in_proj_bias: Parameter | null
  readonly bias_k: Parameter | null
  readonly bias_v: Parameter | null
  readonly out_proj: Linear
  readonly dim: number
  readonly heads: number
  private readonly options: MultiheadAttentionOptions

  constructor(dim: number, heads: number, options: MultiheadAttentionOptions = {}) {
    super()
    const { bias = true, addBiasKv = false, kdim = dim, vdim = dim, dropout: p = 0, dtype } = options
    if (dim % heads !== 0) fail('value', 'MultiheadAttention', `${dim} features do not divide into ${heads} heads`)
    if (!(p >= 0 && p <= 1)) fail('value', 'MultiheadAttention', `dropout must be between 0 and 1, got ${p}`)
    if (kdim === dim && vdim === dim) this.in_proj_weight = new Parameter(xavierUniform([3 * dim, dim], options))
    else {
      this.q_proj_weight = new Parameter(xavierUniform([dim, dim], options))
      this.k_proj_weight = new Parameter(xavierUniform([dim, kdim], options))
      this.v_proj_weight = new Parameter(xavierUniform([dim, vdim], options))
    }
    this.in_proj_bias = bias ? new Parameter(zeros([3 * dim], dtype)) : null
    this.bias_k = addBiasKv ? new Parameter(xavierNormal([1, 1, dim], options)) : null
    this.bias_v = addBiasKv ? new Parameter(xavierNormal([1, 1, dim], options)) : null
    this.out_proj = new Linear(dim, dim, options)
    this.out_proj.bias?.assign(zeros([dim], dtype))
    this.dim = dim
    this.heads = heads
    this.options = options
  }

  override forward(x: Tensor, options?: AttendOptions): Tensor
  override forward(query: Tensor, key: Tensor, value: Tensor, options?: AttendOptions): [y: Tensor, weights: Tensor | null]
  override forward(query: Tensor, key?: Tensor | AttendOptions, value?: Tensor, options: AttendOptions = {}): Tensor | [y: Tensor, weights: Tensor | null] {
    if (key instanceof Tensor) return this.attend(query, key, value ?? fail('value', 'MultiheadAttention', 'keys come with values. Give both, or neither for self-attention'), options)
    return this.attend(query, query, query, { ...key, needWeights: false })[0]
  }

  /** Queries, keys and values to the result and the weights, with or without a batch. */
  private attend(query: Tensor, key: Tensor, value: Tensor, options: AttendOptions): [y: Tensor, weights: Tensor | null] {
    if (query.rank === 2) {
      const [y, weights] = this.attend(...sharing([query, key, value], x => unsqueeze(x, this.options.batchFirst ? 0 : 1)), options)
      return [reshape(y, query.shape), weights && reshape(weights, weights.shape.slice(1))]
    }
    this.check(query, key, value)
    const [q, k, v] = this.project(...sharing([query, key, value], x => this.batchInFront(x)))
    const { needWeights = true, averageAttnWeights = true, ...masks } = options
    const [seen, weights] = this.look(this.placed(this.split(q)), this.placed(this.split(k)), this.split(v), masks, needWeights)
    const y = this.out_proj.forward(reshape(transpose(seen, [0, 2, 1, 3]), q.shape))
    return [this.batchInFront(y), weights && averageAttnWeights ? mean(weights, 1) : weights]
  }

  /** Attention on heads [n, heads, length, features]. */
  private look(q: Tensor, k: Tensor, v: Tensor, masks: AttentionMasks, needWeights: boolean): [y: Tensor, weights: Tensor | null] {
    const { dropout: p = 0, generator = defaultGenerator() } = this.options
    const [keys, values] = [this.extended(k, this.bias_k), this.extended(v, this.bias_v)]
    const [n, heads, queries] = q.shape as [number, number, number]
    const own = joined(masks, { n, heads, queries, keys: k.shape[2]!, extra: keys.shape[2]! - k.shape[2]! }, q.dtype)
    const drops = this.training && p > 0
    if (!needWeights && !drops) return [scaledDotProductAttention(q, keys, values, own), null]
    const weights = dropout(attentionWeights(q, keys, own), p, { training: drops, generator })
    return [matmul(weights, values), needWeights ? weights : null]
  }

  private project(query: Tensor, key: Tensor, value: Tensor): [q: Tensor, k: Tensor, v: Tensor] {
    const dim = query.shape[2]!
    const bias = (i: number, count = 1): Tensor | undefined => this.in_proj_bias ? narrow(this.in_proj_bias, 0, i * dim, count * dim) : undefined
    const weight = this.in_proj_weight
    if (!weight) return [linear(query, this.q_proj_weight!, bias(0)), linear(key, this.k_proj_weight!, bias(1)), linear(value, this.v_proj_weight!, bias(2))]
    if (query === key && key === value) return split(linear(query, weight, this.in_proj_bias ?? undefined), dim, 2) as [Tensor, Tensor, Tensor]
    const q = linear(query, narrow(weight, 0, 0, dim), bias(0))
    if (key === value) return [q, ...split(linear(key, narrow(weight, 0, dim, 2 * dim), bias(1, 2)), dim, 2) as [Tensor, Tensor]]
    return [q, linear(key, narrow(weight, 0, dim, dim), bias(1)), linear(value, narrow(weight, 0, 2 * dim, dim), bias(2))]
  }

  /** [n, length, dim] as heads [n, heads, length, features]. */
  private split(x: Tensor): Tensor {
    const [n, length, dim] = x.shape as [number, number, number]
    return transpose(reshape(x, [n, length, this.heads, dim / this.heads]), [0, 2, 1, 3])
  }

  private placed(x: Tensor): Tensor {
    const { rotary = false } = this.options
    return rotary === false ? x : rotaryEmbedding(x, rotary === true ? {} : rotary)
  }

  /** Keys or values with the learned one and the one of zeros behind them. */
  private extended(x: Tensor, learned: Parameter | null): Tensor {
    const [n, heads, , features] = x.shape as [number, number, number, number]
    const behind = [
      ...learned ? [this.split(broadcastTo(learned, [n, 1, heads * features]))] : [],
      ...this.options.addZeroAttn ? [full([n, heads, 1, features], 0, x.dtype, x.backend)] : [],
    ]
    return behind.length === 0 ? x : concat([x, ...behind], 2)
  }

  private batchInFront(x: Tensor): Tensor {
    return this.options.batchFirst ? x : transpose(x, [1, 0, 2])
  }

  private check(query: Tensor, key: Tensor, value: Tensor): void {
    const { dim } = this
    const { kdim = dim, vdim = dim, batchFirst = false } = this.options
    const batch = batchFirst ? 0 : 1
    const fits = [query, key, value].every((x, i) => x.rank === 3 && x.shape[2] === [dim, kdim, vdim][i] && x.shape[batch] === query.shape[batch]) && key.shape[1 - batch] === value.shape[1 - batch]
    const [q, k, v] = batchFirst ? ['[n, l, ', '[n, s, ', '[n, s, '] : ['[l, n, ', '[s, n, ', '[s, n, ']
    if (!fits) fail('shape', 'MultiheadAttention', `needs queries ${q}${dim}], keys ${k}${kdim}] and values ${v}${vdim}], all or none with a batch, got ${[query, key, value].map(describe).join(', ')}`)
  }
}

/** A function of three tensors, once for those that are one. */
function sharing([a, b, c]: readonly [Tensor, Tensor, Tensor], f: (x: Tensor) => Tensor): [Tensor, Tensor, Tensor] {
  const [x, y] = [f(a), a === b ? null : f(b)]
  return [x, y ?? x, c === b ? y ?? x : c === a ? x : f(c)]
}
