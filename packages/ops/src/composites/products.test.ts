// Products and distances against their definitions, element by element, and the errors of those that do not fit.

import { cpu } from '@bp/backend-cpu'
import { full, grad, type Tensor, tensor, use } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { message } from '../../test/message.ts'
import * as ops from '../index.ts'

use(cpu())

const generator = new ops.Generator(1)
const random = (...shape: number[]): Tensor => generator.normal(shape, { dtype: 'float64' })
const t = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'float64' })
const close = (got: Tensor, want: Tensor): void => {
  expect(got.shape).toEqual(want.shape)
  const values = Array.from(want.dataSync(), Number)
  Array.from(got.dataSync(), Number).forEach((value, i) => { expect(value).toBeCloseTo(values[i]!, 10) })
}

/** The sum over every value of every label, for equations that spell out their axes and their result. */
function plainEinsum(equation: string, xs: readonly Tensor[]): Tensor {
  const [left, result] = equation.split('->') as [string, string]
  const terms = left.split(',')
  const sizes = new Map<string, number>()
  terms.forEach((term, i) => { Array.from(term).forEach((label, axis) => sizes.set(label, xs[i]!.shape[axis] === 1 ? sizes.get(label) ?? 1 : xs[i]!.shape[axis]!)) })
  const labels = [...sizes.keys()]
  const shape = Array.from(result, label => sizes.get(label)!)
  const out = new Float64Array(shape.reduce((a, b) => a * b, 1))
  const data = xs.map(x => x.dataSync() as Float64Array)
  const place = (term: string, dims: readonly number[], at: ReadonlyMap<string, number>): number =>
    Array.from(term).reduce((n, label, axis) => n * dims[axis]! + (dims[axis] === 1 ? 0 : at.get(label)!), 0)
  const visit = (i: number, at: Map<string, number>): void => {
    if (i < labels.length) {
      for (let k = 0; k < sizes.get(labels[i]!)!; k++) visit(i + 1, at.set(labels[i]!, k))
      return
    }
    out[place(result, shape, at)]! += terms.reduce((product, term, k) => product * data[k]![place(term, xs[k]!.shape, at)]!, 1)
  }
  visit(0, new Map())
  return tensor(out, { shape })
}

describe('einsum', () => {
  test.each<[string, ...number[][]]>([
    ['ij->ij', [2, 3]],
    ['ij->ji', [2, 3]],
    ['ijk->j', [2, 3, 4]],
    ['ii->i', [3, 3]],
    ['iji->j', [3, 2, 3]],
    ['iijj->ij', [2, 2, 3, 3]],
    ['iii->', [3, 3, 3]],
    ['i,i->', [4], [4]],
    ['i,j->ji', [2], [3]],
    ['ij,jk->ki', [2, 3], [3, 4]],
    ['bij,bkj->bik', [2, 3, 4], [2, 5, 4]],
    ['bij,kbj->jbik', [2, 3, 4], [5, 2, 4]],
    ['ijkl,lkm->jmi', [2, 3, 4, 5], [5, 4, 2]],
    ['ij,kj->ik', [2, 3], [4, 1]],
    ['ij,ij->', [1, 3], [2, 1]],
    ['ij,j,jk->ik', [2, 3], [3], [3, 4]],
    ['ij,jk,ki->', [2, 3], [3, 4], [4, 2]],
    ['ab,bc,cd,de->ae', [2, 3], [3, 4], [4, 5], [5, 2]],
    ['a,b,c,ab->c', [2], [3], [4], [2, 3]],
    ['ij,jk->ik', [2, 0], [0, 3]],
    [',i->i', [], [3]],
  ])('%s', (equation, ...shapes) => {
    const xs = shapes.map(shape => random(...shape))
    close(ops.einsum(equation, ...xs), plainEinsum(equation, xs))
  })

  test('more operands than are compared in every order', () => {
    const equation = 'ab,bc,cd,de,ef,fg,gh,hi,ij,jk->ak'
    const xs = Array.from({ length: 10 }, (_, i) => random(1 + i % 3, 1 + (i + 1) % 3))
    close(ops.einsum(equation, ...xs), ops.multiDot(xs))
    expect(ops.einsumPath(equation, ...xs.map(x => x.shape)).path).toHaveLength(9)
  })

  const [m, n] = [random(2, 3), random(3, 2)]

  test('without an arrow, the letters that occur once remain, capitals first', () => {
    close(ops.einsum('ba', m), ops.transpose(m))
    close(ops.einsum('aB', m), ops.transpose(m))
    close(ops.einsum('ij, jk', m, n), ops.matmul(m, n))
    close(ops.einsum('ij,ji', m, n), ops.sum(ops.mul(m, ops.transpose(n))))
  })

  test('an ellipsis stands for axes that broadcast', () => {
    const [a, b] = [random(2, 1, 3, 4), random(5, 4, 2)]
    close(ops.einsum('...ij,...jk->...ik', a, b), ops.matmul(a, b))
    close(ops.einsum('...ij,...jk', a, b), ops.matmul(a, b))
    close(ops.einsum('i...,i...->...i', m, m), ops.transpose(ops.square(m)))
    close(ops.einsum('...i->i', a), ops.sum(a, [0, 1, 2]))
  })

  test('sublists say the same as letters', () => {
    close(ops.einsum(m, [0, 1], n, [1, 2]), ops.matmul(m, n))
    close(ops.einsum(m, [30, 4], [4, 30]), ops.transpose(m))
    close(ops.einsum(m, ['...', 0], [0, '...']), ops.transpose(m))
  })

  test('contracts in the cheapest order', () => {
    const path = (equation: string, ...shapes: number[][]): unknown => ops.einsumPath(equation, ...shapes)
    expect(path('ij,jk,kl->il', [10, 1000], [1000, 10], [10, 1000])).toEqual({ path: [[0, 1], [0, 1]], multiplications: 200_000, direct: 100_000_000 })
    expect(path('ij,jk,kl->il', [1000, 10], [10, 1000], [1000, 10])).toEqual({ path: [[1, 2], [0, 1]], multiplications: 200_000, direct: 100_000_000 })
    expect(path('ij->j', [2, 3])).toEqual({ path: [], multiplications: 0, direct: 6 })
  })

  test('says what does not fit', () => {
    expect([
      () => ops.einsum('ij,jk->ik', m),
      () => ops.einsum('ijk->i', m),
      () => ops.einsum('ij->ik', m),
      () => ops.einsum('ij->ii', m),
      () => ops.einsum('i1->i', m),
      () => ops.einsum('i->j->k', m),
      () => ops.einsum('ii', m),
      () => ops.einsum('ij,jk', m, m),
      () => ops.einsum('ij,jk', m, tensor([[1]])),
      () => ops.einsum(m, [0, 99]),
      () => ops.einsum(m, [0, 1], [0], [1]),
      () => ops.einsum('->'),
    ].map(message)).toMatchInlineSnapshot(`
      [
        "value | einsum: "ij,jk->ik" names 2 operand(s), but 1 are given. Separate the terms by commas",
        "shape | einsum: the term "ijk" of "ijk->i" names 3 axes, the operand is [2,3]. Give each axis a letter, or write ... for the rest",
        "value | einsum: the result of "ij->ik" names k, which no operand has. Add it with unsqueeze afterwards",
        "value | einsum: the result of "ij->ii" names i twice. Each axis can stand in the result once",
        "value | einsum: the term "i1" of "i1->i" must be letters with at most one ... among them",
        "value | einsum: "i->j->k" has more than one arrow. Write the result once, as in "ij,jk->ik"",
        "shape | einsum: axes of one operand with the same label i must be equal, got 2 and 3 in [2,3]",
        "shape | einsum: axes with the same label j must be equal or 1, got 3 and 2 in operand 1, [2,3]",
        "dtype | einsum: operands must have one dtype, got f64[2,3] and f32[1,1]. Convert one with cast",
        "value | einsum: a sublist holds 99. Number the axes 0 … 51",
        "value | einsum: 1 operand(s) need a sublist each, and the result may have one more; got 3",
        "value | einsum: needs at least one operand",
      ]
    `)
  })
})

describe('products', () => {
  const [a, b] = [random(2, 3), random(3, 4)]

  test('tensordot sums over paired axes', () => {
    const [x, y] = [random(2, 3, 4), random(4, 3, 5)]
    close(ops.tensordot(x, y, [[1, 2], [1, 0]]), ops.einsum('ijk,kjl->il', x, y))
    close(ops.tensordot(a, b, 1), ops.matmul(a, b))
    close(ops.tensordot(a, b, 0), ops.einsum('ij,kl->ijkl', a, b))
    close(ops.tensordot(a, a), ops.sum(ops.square(a)))
    close(ops.tensordot(a, ops.transpose(a), [[-1], [-2]]), ops.matmulTransposed(a, a))
  })

  test('kron is a matrix of matrices', () => {
    close(ops.kron(t([[1, 2]]), a), ops.concat([a, ops.mul(a, 2)], 1))
    close(ops.kron(t(3), a), ops.mul(a, 3))
    close(ops.kron(t([1, 10]), t([[1], [2]])), t([[1, 10], [2, 20]]))
  })

  test('bilinear is a form for each output', () => {
    const [x, y, w, c] = [random(5, 2), random(5, 3), random(4, 2, 3), random(4)]
    close(ops.bilinear(x, y, w, c), ops.add(ops.einsum('ni,kij,nj->nk', x, w, y), c))
  })

  test('sums with a product', () => {
    const [s, u] = [random(3, 2, 3), random(3, 3, 4)]
    const both = ops.matmul(s, u)
    close(ops.addmm(t([1, 2, 3, 4]), a, b, { beta: 2, alpha: 3 }), ops.add(ops.mul(t([1, 2, 3, 4]), 2), ops.mul(ops.matmul(a, b), 3)))
    close(ops.addmm(t(NaN), a, b, { beta: 0 }), ops.matmul(a, b))
    close(ops.addmv(t([1, 2]), a, t([1, 0, 0])), ops.add(t([1, 2]), ops.reshape(ops.narrow(a, 1, 0, 1), [2])))
    close(ops.addbmm(t(1), s, u), ops.add(1, ops.sum(both, 0)))
    close(ops.baddbmm(t(1), s, u, { alpha: 2 }), ops.add(1, ops.mul(2, both)))
    close(ops.addr(t([[1], [2]]), t([1, 2]), t([3, 4])), t([[4, 5], [8, 10]]))
  })

  test('a chain is multiplied as it is written, whatever the order', () => {
    const chain = [random(10), random(10, 2), random(2, 7), random(7, 3), random(3)]
    close(ops.multiDot(chain), chain.reduce(ops.matmul))
    expect(ops.multiDot([random(1, 2), random(2, 1)]).shape).toEqual([1, 1])
  })

  test('linear with one output of no axis', () => { close(ops.linear(a, t([1, 0, 0]), t(1)), ops.add(1, ops.reshape(ops.narrow(a, 1, 0, 1), [2]))) })

  test('says what does not fit', () => {
    expect([
      () => ops.vdot(t([1]), t([1, 2])),
      () => ops.outer(a, t([1])),
      () => ops.inner(a, b),
      () => ops.mm(a, t([1])),
      () => ops.bmm(a, b),
      () => ops.addmm(random(3, 2, 4), a, b),
      () => ops.tensordot(a, b, 3),
      () => ops.tensordot(a, b, [[0], [0, 1]]),
      () => ops.tensordot(a, b, [[1, 1], [0, 0]]),
      () => ops.tensordot(a, b, [[0], [0]]),
      () => ops.multiDot([a]),
      () => ops.multiDot([a, t([1, 2, 3]), b]),
      () => ops.bilinear(a, b, random(2, 3, 3)),
      () => ops.linear(a, b),
      () => ops.attentionWeights(a, b),
    ].map(message)).toMatchInlineSnapshot(`
      [
        "shape | vdot: the vectors must have one length, got f64[1] and f64[2]. Use outer for all pairs",
        "shape | outer: needs operands of 1 and 1 axes, got f64[2,3] and f64[1]. Flatten them with reshape(x, [-1])",
        "shape | inner: the last axes must be equal, got f64[2,3] and f64[3,4]. Use tensordot to choose the axes",
        "shape | mm: needs operands of 2 and 2 axes, got f64[2,3] and f64[1]. Use matmul, which broadcasts",
        "shape | bmm: needs operands of 3 and 3 axes, got f64[2,3] and f64[3,4]. Use matmul, which broadcasts",
        "shape | addmm: f64[3,2,4] does not broadcast to the product, f64[2,4]. Reshape it, or use add, which broadcasts both",
        "axis | tensordot: 3 axes of f64[2,3] and f64[3,4] cannot be summed over. Use 0 to 2",
        "axis | tensordot: axes come in pairs, got [0] and [0,1]",
        "axis | tensordot: an axis stands twice in [1,1]. Each can be summed over once",
        "shape | tensordot: paired axes must be equal or 1, got 2 and 3 for axis 0 of f64[2,3] and axis 0 of f64[3,4]. Pair other axes",
        "value | multiDot: needs at least two matrices, got 1",
        "shape | multiDot: operand 1 must be a matrix, got f64[3]. Only the first and the last may be vectors",
        "shape | bilinear: a weight f64[2,3,3] must be [out, i, j] for inputs that end in i and j, got f64[2,3] and f64[3,4]",
        "shape | linear: the input f64[2,3] must end in 4, the columns of the weight f64[3,4]",
        "shape | attentionWeights: queries and keys must be [..., n, d] and [..., m, d], got f64[2,3] and f64[3,4]",
      ]
    `)
  })
})

describe('attention', () => {
  const [q, k, v] = [random(2, 3, 2), random(2, 3, 2), random(2, 3, 4)]

  test('a mask of numbers is added to the scores, one of bool hides', () => {
    const seen = tensor([[true, false, true], [true, true, false], [false, false, true]])
    const added = ops.select(seen, t(0), -Infinity)
    close(ops.scaledDotProductAttention(q, k, v, { mask: added }), ops.scaledDotProductAttention(q, k, v, { mask: seen }))
    const causal = ops.logicalAnd(seen, tensor([[true, false, false], [true, true, false], [true, true, true]]))
    close(ops.attentionWeights(q, k, { mask: seen, causal: true }), ops.attentionWeights(q, k, { mask: causal }))
  })

  test('the scale is 1/√d unless given', () => {
    close(ops.attentionWeights(q, k), ops.attentionWeights(q, k, { scale: Math.SQRT1_2 }))
    close(ops.attentionWeights(q, k, { scale: 0 }), full([2, 3, 3], 1 / 3, 'float64'))
  })
})

describe('distances', () => {
  const [a, b] = [random(4, 3), random(5, 3)]
  const norms: Readonly<Record<number, (x: readonly number[]) => number>> = {
    0: x => x.filter(d => d !== 0).length,
    1: x => x.reduce((s, d) => s + Math.abs(d), 0),
    2: x => Math.hypot(...x),
    3: x => Math.cbrt(x.reduce((s, d) => s + Math.abs(d) ** 3, 0)),
    [Infinity]: x => Math.max(...x.map(Math.abs)),
  }

  test.each([0, 1, 2, 3, Infinity])('p = %s', p => {
    const rows = (x: Tensor): number[][] => x.toArray() as number[][]
    const apart = (x: readonly number[], y: readonly number[]): number => norms[p]!(x.map((d, i) => d - y[i]!))
    const all = rows(a).map(x => rows(b).map(y => apart(x, y)))
    close(ops.cdist(a, b, p), t(all))
    close(ops.pdist(a, p), t(rows(a).flatMap((x, i) => rows(a).slice(i + 1).map(y => apart(x, y)))))
    close(ops.pairwiseDistance(a, ops.narrow(b, 0, 0, 4), { p, eps: 0 }), t(all.map((row, i) => row[i]!)))
  })

  test('the derivative where two points meet is 0', () => {
    for (const p of [0, 1, 1.5, 2, 3, Infinity]) {
      expect(grad((x: Tensor) => ops.sum(ops.cdist(x, t([[1, 2]]), p)))(t([[1, 2]])).toArray()).toEqual([[0, 0]])
      expect(grad((x: Tensor) => ops.sum(ops.pdist(x, p)))(t([[1, 2], [1, 2]])).toArray()).toEqual([[0, 0], [0, 0]])
    }
  })

  test('of nothing', () => {
    expect(ops.pdist(t([[1, 2]])).shape).toEqual([0])
    expect(ops.cdist(random(2, 0), random(3, 0), Infinity).toArray()).toEqual([[0, 0, 0], [0, 0, 0]])
    expect(ops.cdist(random(0, 2), random(3, 2)).shape).toEqual([0, 3])
  })

  test('a vector that is too short has a cosine near 0', () => {
    close(ops.cosineSimilarity(t([[0, 0], [1, 1]]), t([[1, 2], [2, 2]])), t([0, 1]))
    close(ops.cosineSimilarity(t([[0.1]]), t([[0.2]]), { eps: 1 }), t([0.02]))
  })

  test('says what does not fit', () => {
    expect([
      () => ops.cdist(a, random(5, 2)),
      () => ops.cdist(a, b, -1),
      () => ops.pdist(random(2)),
      () => ops.pairwiseDistance(t(1), a),
    ].map(message)).toMatchInlineSnapshot(`
      [
        "shape | cdist: needs rows of one length, [..., n, d] and [..., m, d], got f64[4,3] and f64[5,2]",
        "value | cdist: the order p must be 0, positive or Infinity, got -1",
        "shape | pdist: needs rows [n, d], got f64[2]. Use cdist for stacks",
        "shape | pairwiseDistance: needs vectors or rows of them, got f64[] and f64[4,3]",
      ]
    `)
  })
})
