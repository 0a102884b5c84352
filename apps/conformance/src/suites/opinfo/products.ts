// Products of vectors, matrices and tensors, and distances between vectors.

import type { Tensor } from '@bp/core'
import { addbmm, addmm, addmv, addr, attentionWeights, baddbmm, bilinear, bmm, cdist, cosineSimilarity, einsum, inner, kron, linear, matmul, mm, multiDot, mv, outer, pairwiseDistance, pdist, scaledDotProductAttention, tensordot, vdot, type AddProductOptions } from '@bp/ops'
import { Unsupported } from '../../compare.ts'
import type { Adapter, Arguments, Value } from './arguments.ts'

/** A product of two operands, the second under a name of its own. */
const binary = (f: (a: Tensor, b: Tensor) => Tensor, other: string): Adapter => call => f(call.input, call.tensor(1, other))

/** β·input + α·product of two operands under names of their own. */
const added = (f: (c: Tensor, a: Tensor, b: Tensor, options: AddProductOptions) => Tensor, a: string, b: string): Adapter => call =>
  f(call.input, call.tensor(1, a), call.tensor(2, b), { beta: call.number(-1, 'beta', 1), alpha: call.number(-1, 'alpha', 1) })

/** `dims` of tensordot: how many axes, or which ones of each operand. */
function axesOf(call: Arguments): number | [readonly number[], readonly number[]] {
  const value = call.value(2, 'dims') ?? 2
  if (typeof value === 'number') return value
  const pair = Array.isArray(value) ? (value as readonly Value[]).map(numbersIn) : []
  if (pair.length !== 2 || !pair[0] || !pair[1]) throw new Unsupported(`argument dims = ${JSON.stringify(value)}`)
  return [pair[0], pair[1]]
}

/** The numbers of a list, or of one alone. */
function numbersIn(value: Value): readonly number[] | null {
  const list: readonly Value[] = Array.isArray(value) ? value as readonly Value[] : [value]
  return list.every(x => typeof x === 'number') ? list : null
}

/** Attention's options; dropout is random, so that only none of it can be compared. */
function attention(call: Arguments): Parameters<typeof scaledDotProductAttention> {
  const mask = call.maybeTensor(3, 'attn_mask')
  const dropout = call.number(4, 'dropout_p', 0)
  if (dropout !== 0) throw new Unsupported(`argument dropout_p = ${dropout}: random`)
  return [call.input, call.tensor(1, 'key'), call.tensor(2, 'value'), { mask }]
}

/** The adapters of this family. */
export const products: Readonly<Record<string, Adapter>> = {
  matmul: binary(matmul, 'other'),
  __rmatmul__: call => matmul(call.tensor(1, 'other'), call.input),
  mm: binary(mm, 'mat2'),
  mv: binary(mv, 'vec'),
  bmm: binary(bmm, 'mat2'),
  dot: binary(vdot, 'other'),
  vdot: binary(vdot, 'other'),
  inner: binary(inner, 'other'),
  outer: binary(outer, 'vec2'),
  ger: binary(outer, 'vec2'),
  kron: binary(kron, 'other'),
  addmm: added(addmm, 'mat1', 'mat2'),
  addmv: added(addmv, 'mat', 'vec'),
  addbmm: added(addbmm, 'batch1', 'batch2'),
  baddbmm: added(baddbmm, 'batch1', 'batch2'),
  addr: added(addr, 'vec1', 'vec2'),
  tensordot: call => tensordot(call.input, call.tensor(1, 'other'), axesOf(call)),
  'linalg.multi_dot': call => multiDot(call.tensors(0, 'tensors')),
  chain_matmul: call => multiDot(call.rest(0)),
  einsum: call => einsum(call.text(1, 'equation', ''), ...call.tensors(0, 'operands')),
  cdist: call => {
    call.text(3, 'compute_mode', '')
    return cdist(call.input, call.tensor(1, 'x2'), call.number(2, 'p', 2))
  },
  'nn.functional.linear': call => linear(call.input, call.tensor(1, 'weight'), call.maybeTensor(2, 'bias')),
  'nn.functional.bilinear': call => bilinear(call.input, call.tensor(1, 'input2'), call.tensor(2, 'weight'), call.maybeTensor(3, 'bias')),
  'nn.functional.pdist': call => pdist(call.input, call.number(1, 'p', 2)),
  'nn.functional.pairwise_distance': call => pairwiseDistance(call.input, call.tensor(1, 'x2'), {
    p: call.number(2, 'p', 2), eps: call.number(3, 'eps', 1e-6), keepDims: call.flag(4, 'keepdim'),
  }),
  'nn.functional.cosine_similarity': call => cosineSimilarity(call.input, call.tensor(1, 'x2'), { axis: call.number(2, 'dim', 1), eps: call.number(3, 'eps', 1e-8) }),
  'nn.functional._scaled_dot_product_attention': call => {
    const [q, k, v, options] = attention(call)
    call.flag(5, 'need_attn_weights')
    const weights = attentionWeights(q, k, { ...options, causal: call.flag(6, 'is_causal') })
    return [matmul(weights, v), weights]
  },
  'nn.functional.scaled_dot_product_attention': call => {
    const [q, k, v, options] = attention(call)
    return scaledDotProductAttention(q, k, v, { ...options, causal: call.flag(5, 'is_causal'), scale: call.maybeNumber(6, 'scale') })
  },
}
