// Samples of products of vectors, matrices and tensors, attention, and distances.

import type { Tensor } from '@bp/core'
import {
  addbmm, addmm, addmv, addr, attentionWeights, baddbmm, bilinear, bmm, cdist, cosineSimilarity, einsum, inner, kron, linear, matmul, matmulTransposed, mm, multiDot,
  mv, outer, pairwiseDistance, pdist, scaledDotProductAttention, tensordot, vdot,
} from '@bp/ops'
import type { FunctionSample } from '../functions.ts'
import { away, fixed, given, operand } from '../sample.ts'

type Sampled = Readonly<Record<string, readonly FunctionSample[]>>
type Spec = FunctionSample['operands'][number]

/** A function of two tensors at each of some pairs of operands. */
const pairs = (f: (a: Tensor, b: Tensor) => Tensor, ...operands: readonly (readonly [Spec, Spec])[]): FunctionSample[] =>
  operands.map(both => ({ f: (a, b) => f(a, b), operands: both }))

/** A function of three tensors at some operands. */
const three = (f: (a: Tensor, b: Tensor, c: Tensor) => Tensor, ...operands: readonly [Spec, Spec, Spec]): FunctionSample => ({ f: (a, b, c) => f(a, b, c), operands })

const [vector, matrix, stack] = [operand([3]), operand([2, 3]), operand([2, 2, 3])]

const products: Sampled = {
  matmul: pairs(matmul, [matrix, operand([3, 4])], [vector, operand([3, 2])], [matrix, vector], [vector, vector], [stack, operand([3, 2])], [matrix, operand([2, 3, 2])], [operand([2, 0]), operand([0, 3])]),
  matmulTransposed: pairs(matmulTransposed, [matrix, operand([4, 3])], [operand([2, 1, 2, 3]), operand([3, 4, 3])]),
  linear: [...pairs((x, w) => linear(x, w), [matrix, operand([4, 3])], [matrix, vector]), three(linear, stack, operand([4, 3]), operand([4]))],
  vdot: pairs(vdot, [vector, vector]),
  outer: pairs(outer, [vector, operand([2])]),
  inner: pairs(inner, [stack, matrix], [operand([]), matrix]),
  kron: pairs(kron, [matrix, operand([2, 2])], [operand([2]), stack], [operand([]), vector]),
  mv: pairs(mv, [matrix, vector]),
  mm: pairs(mm, [matrix, operand([3, 4])], [fixed([2, 3], 'int32'), fixed([3, 2], 'int32')]),
  bmm: pairs(bmm, [stack, operand([2, 3, 2])]),
  addmm: [three((c, a, b) => addmm(c, a, b, { beta: 0.5, alpha: -2 }), operand([4]), matrix, operand([3, 4])), three((c, a, b) => addmm(c, a, b, { beta: 0 }), operand([]), matrix, operand([3, 4]))],
  addmv: [three(addmv, operand([1]), matrix, vector)],
  addbmm: [three((c, a, b) => addbmm(c, a, b, { alpha: 0.5 }), operand([2, 1]), stack, operand([2, 3, 2]))],
  baddbmm: [three((c, a, b) => baddbmm(c, a, b, { beta: 3 }), operand([2, 1, 2]), stack, operand([2, 3, 2]))],
  addr: [three((c, a, b) => addr(c, a, b, { alpha: 2 }), operand([3, 1]), vector, operand([2]))],
  multiDot: [three((a, b, c) => multiDot([a, b, c]), matrix, operand([3, 4]), operand([4])), three((a, b, c) => multiDot([a, b, c]), vector, operand([3, 4]), operand([4, 2]))],
}

/** An equation at operands of its own. */
const sums = (equation: string, ...operands: readonly Spec[]): FunctionSample => ({ f: (...xs) => einsum(equation, ...xs), operands })

const contractions: Sampled = {
  einsum: [
    sums('ij->ji', matrix),
    sums('i...->...', stack),
    sums('iij,jk->ik', operand([2, 2, 3]), operand([3, 2])),
    sums('ii', operand([3, 3])),
    sums('iji,jj->i', operand([2, 3, 2]), operand([3, 3])),
    sums('bij,bkj->bki', stack, operand([2, 4, 3])),
    sums('ij,ij,j->i', matrix, matrix, vector),
    sums('...ij,...jk->...ik', operand([2, 1, 2, 3]), operand([4, 3, 2])),
    sums('ij,jk,kl,l->i', matrix, operand([3, 4]), operand([4, 2]), operand([2])),
    sums('ij,kj->ik', matrix, operand([1, 1])),
    sums('i,,j->ji', vector, operand([]), operand([2])),
    sums('...,...->', matrix, vector),
    { f: (a, b) => einsum(a, [0, 1], b, [1, '...'], ['...', 0]), operands: [matrix, operand([3, 2, 2])] },
  ],
  tensordot: [
    ...pairs((a, b) => tensordot(a, b, 1), [matrix, operand([3, 2, 2])]),
    ...pairs((a, b) => tensordot(a, b, [[0, -1], [2, 0]]), [stack, operand([3, 4, 2])]),
    ...pairs((a, b) => tensordot(a, b, 0), [vector, operand([2])]),
  ],
  bilinear: [
    three((x, z, w) => bilinear(x, z, w), vector, operand([2]), operand([4, 3, 2])),
    { f: (x, z, w, b) => bilinear(x, z, w, b), operands: [operand([2, 2, 3]), operand([2, 2, 2]), operand([4, 3, 2]), operand([4])] },
  ],
}

const mask = fixed([3, 4], 'bool', given(1, 0, 1, 1, 0, 1))
const [queries, keys, values] = [operand([2, 3, 2]), operand([2, 4, 2]), operand([2, 4, 3])]

const attention: Sampled = {
  attentionWeights: [...pairs((q, k) => attentionWeights(q, k, { scale: 2 }), [queries, keys]), three((q, k, m) => attentionWeights(q, k, { mask: m, causal: true }), queries, keys, mask)],
  scaledDotProductAttention: [
    three(scaledDotProductAttention, queries, keys, values),
    { f: (q, k, v, m) => scaledDotProductAttention(q, k, v, { mask: m }), operands: [queries, keys, values, operand([3, 4])] },
    three((q, k, v) => scaledDotProductAttention(q, k, v, { causal: true }), queries, operand([4, 2]), values),
  ],
}

// no two coordinates nearer than 0.45
const left = operand([3, 2], given(0, 1.1, 1, 2.1, 2, 0.1))
const right = operand([4, 2], given(0.45, 0.6, 1.5, 1.65, 2.6, 2.7, -0.6, -0.5))
const rows = operand([4, 2], given(0, 1.3, 2.1, -0.4, -1.2, 0.7, 0.9, 2.6))

const distances: Sampled = {
  cdist: [0, 0.5, 1, 1.5, 2, 3, Infinity].flatMap(p => pairs((a, b) => cdist(a, b, p), [left, right])).concat(pairs(cdist, [operand([2, 1, 2, 3]), operand([3, 2, 3])], [operand([2, 0]), operand([3, 0])])),
  pdist: [0, 1, 2, 2.5, Infinity].map(p => ({ f: x => pdist(x, p), operands: [rows] })),
  pairwiseDistance: [
    ...pairs(pairwiseDistance, [matrix, vector]),
    ...pairs((a, b) => pairwiseDistance(a, b, { p: 3, eps: 0, keepDims: true }), [operand([3], away(-2, 0, [])), operand([3], away(0.2, 2, []))]),
    ...pairs((a, b) => pairwiseDistance(a, b, { p: -1 }), [operand([2, 2], away(-2, -0.5, [])), operand([2, 2], away(0.5, 2, []))]),
  ],
  cosineSimilarity: [...pairs(cosineSimilarity, [matrix, matrix], [stack, stack]), ...pairs((a, b) => cosineSimilarity(a, b, { axis: -2, eps: 10 }), [stack, matrix]), ...pairs((a, b) => cosineSimilarity(a, b, { axis: 0 }), [operand([], given(0.5)), operand([], given(2))])],
}

/** Samples of this family. */
export const productFunctions: Sampled = { ...products, ...contractions, ...attention, ...distances }
