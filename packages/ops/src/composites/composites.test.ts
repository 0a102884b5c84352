// Composites against values worked out by hand from the definitions, and against each other.

import { cpu } from '@bp/backend-cpu'
import { grad, mul, type Tensor, tensor, use } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { message } from '../../test/message.ts'
import * as ops from '../index.ts'

use(cpu())

const { add, sum } = ops
const t = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'float64' })
const int = (data: number[] | number[][]): Tensor => tensor(data, { dtype: 'int32' })
const close = (x: Tensor, want: readonly number[]): void => {
  const got = Array.from(x.dataSync(), Number)
  expect(got).toHaveLength(want.length)
  got.forEach((value, i) => { expect(value).toBeCloseTo(want[i]!, 8) })
}
const m = t([[1, 2, 3], [4, 5, 6]])

describe('arranging', () => {
  test.each<[string, () => Tensor, unknown]>([
    ['unsqueeze', () => ops.unsqueeze(m, -1), [[[1], [2], [3]], [[4], [5], [6]]]],
    ['squeeze', () => ops.squeeze(t([[[1], [2]]])), [1, 2]],
    ['squeeze one axis', () => ops.squeeze(t([[[1], [2]]]), 2), [[1, 2]]],
    ['stack', () => ops.stack([t([1, 2]), t([3, 4])], 1), [[1, 3], [2, 4]]],
    ['tile', () => ops.tile(t([[1, 2]]), [2, 2]), [[1, 2, 1, 2], [1, 2, 1, 2]]],
    ['tile adds axes', () => ops.tile(t([1, 2]), [2, 1]), [[1, 2], [1, 2]]],
    ['roll', () => ops.roll(m, 1, 1), [[3, 1, 2], [6, 4, 5]]],
    ['roll back', () => ops.roll(m, -4, 1), [[2, 3, 1], [5, 6, 4]]],
    ['tril', () => ops.tril(m), [[1, 0, 0], [4, 5, 0]]],
    ['tril above', () => ops.tril(m, 1), [[1, 2, 0], [4, 5, 6]]],
    ['triu below', () => ops.triu(m, -1), [[1, 2, 3], [4, 5, 6]]],
    ['triu', () => ops.triu(m), [[1, 2, 3], [0, 5, 6]]],
    ['pad', () => ops.pad(t([1, 2]), [[1, 2]], { value: 9 }), [9, 1, 2, 9, 9]],
    ['pad that crops', () => ops.pad(t([1, 2, 3]), [[-1, 1]], { value: 9 }), [2, 3, 9]],
    ['pad by reflection', () => ops.pad(t([1, 2, 3]), [[2, 2]], { mode: 'reflect' }), [3, 2, 1, 2, 3, 2, 1]],
    ['pad by the edge', () => ops.pad(t([1, 2, 3]), [[2, 1]], { mode: 'edge' }), [1, 1, 1, 2, 3, 3]],
    ['slice by negative bounds', () => ops.slice(m, [0, -2], [2, -1]), [[2], [5]]],
    ['slice beyond the end', () => ops.slice(t([1, 2]), [-9], [9]), [1, 2]],
    ['reshape to be found', () => ops.reshape(m, [-1, 2]), [[1, 2], [3, 4], [5, 6]]],
    ['transpose', () => ops.transpose(m), [[1, 4], [2, 5], [3, 6]]],
    ['flip', () => ops.flip(m, [1]), [[3, 2, 1], [6, 5, 4]]],
  ])('%s', (_name, f, want) => { expect(f().toArray()).toEqual(want) })

  test('split', () => {
    expect(ops.split(t([1, 2, 3, 4, 5]), 2).map(x => x.toArray())).toEqual([[1, 2], [3, 4], [5]])
    expect(ops.split(m, [1, 2], 1).map(x => x.toArray())).toEqual([[[1], [4]], [[2, 3], [5, 6]]])
  })

  test('oneHot', () => {
    expect(String(ops.oneHot(int([2, 0]), 3))).toBe('tensor([[0, 0, 1], [1, 0, 0]], float32)')
    expect(String(ops.oneHot(int([5]), 2, 'int32'))).toBe('tensor([[0, 0]], int32)')
  })
})

describe('along an axis', () => {
  test('takeAlong reads, putAlong writes', () => {
    expect(ops.takeAlong(m, int([[2, 0], [1, -1]]), 1).toArray()).toEqual([[3, 1], [5, 6]])
    expect(ops.putAlong(m, int([[0], [2]]), t([[10], [20]]), 1).toArray()).toEqual([[10, 2, 3], [4, 5, 20]])
    expect(ops.putAlong(m, int([[0, 0], [2, 2]]), t([[1, 2], [3, 4]]), 1, 'add').toArray()).toEqual([[4, 2, 3], [4, 5, 13]])
  })

  test('sort and topk give values and places, and pass gradients to where they came from', () => {
    const x = t([3, 1, 2])
    expect(ops.sort(x).map(y => y.toArray())).toEqual([[1, 2, 3], [1, 2, 0]])
    expect(ops.sort(x, 0, true).map(y => y.toArray())).toEqual([[3, 2, 1], [0, 2, 1]])
    expect(ops.topk(x, 2).map(y => y.toArray())).toEqual([[3, 2], [0, 2]])
    expect(ops.topk(x, 2, 0, false).map(y => y.toArray())).toEqual([[1, 2], [1, 2]])
    expect(grad((z: Tensor) => sum(mul(ops.sort(z)[0], t([1, 10, 100]))))(x).toArray()).toEqual([100, 1, 10])
    expect(grad((z: Tensor) => sum(ops.topk(z, 2)[0]))(x).toArray()).toEqual([1, 0, 1])
  })

  test('take repeats, scatterAdd adds', () => {
    expect(ops.take(m, int([1, 0, 1])).toArray()).toEqual([[4, 5, 6], [1, 2, 3], [4, 5, 6]])
    expect(ops.scatterAdd(t([1, 2, 3]), int([0, 2, 0]), 3).toArray()).toEqual([4, 0, 2])
    expect(ops.take(t([5, 6]), tensor([1n])).toArray()).toEqual([6])
  })
})

describe('products', () => {
  const [a, b] = [t([[1, 2], [3, 4]]), t([[5, 6], [7, 8]])]

  test.each<[string, () => Tensor, unknown]>([
    ['matrix, matrix', () => ops.matmul(a, b), [[19, 22], [43, 50]]],
    ['matrix, vector', () => ops.matmul(a, t([1, 10])), [21, 43]],
    ['vector, matrix', () => ops.matmul(t([1, 10]), a), [31, 42]],
    ['vector, vector', () => ops.matmul(t([1, 2]), t([3, 4])), 11],
    ['stack, matrix', () => ops.matmul(ops.stack([a, b]), a), [[[7, 10], [15, 22]], [[23, 34], [31, 46]]]],
    ['matrix, stack', () => ops.matmul(a, ops.stack([b, a])), [[[19, 22], [43, 50]], [[7, 10], [15, 22]]]],
    ['linear', () => ops.linear(t([[1, 2]]), a, t([10, 20])), [[15, 31]]],
  ])('%s', (_name, f, want) => { expect(f().toArray()).toEqual(want) })

  test('attention is a mean of the values it may see', () => {
    const q = t([[0, 0], [0, 0]])
    const v = t([[1], [3]])
    expect(ops.scaledDotProductAttention(q, q, v).toArray()).toEqual([[2], [2]])
    expect(ops.scaledDotProductAttention(q, q, v, { causal: true }).toArray()).toEqual([[1], [2]])
    expect(ops.scaledDotProductAttention(q, q, v, { mask: tensor([[false, true]]) }).toArray()).toEqual([[3], [3]])
  })
})

describe('statistics', () => {
  test.each<[string, () => Tensor, number[]]>([
    ['mean', () => ops.mean(m, 0), [2.5, 3.5, 4.5]],
    ['mean of all', () => ops.mean(m), [3.5]],
    ['variance', () => ops.variance(m, 1), [1, 1]],
    ['variance of the whole population', () => ops.variance(m, 1, { correction: 0, keepDims: true }), [2 / 3, 2 / 3]],
    ['norm', () => ops.norm(t([3, 4])), [5]],
    ['amin', () => ops.amin(m, 1), [1, 4]],
    ['logSumExp', () => ops.logSumExp(t([1000, 1000])), [1000 + Math.LN2]],
    ['logSumExp of nothing but −∞', () => ops.logSumExp(t([-Infinity, -Infinity])), [-Infinity]],
    ['softmax of large numbers', () => ops.softmax(t([1000, 1000, -1000])), [0.5, 0.5, 0]],
    ['logSoftmax far from the largest', () => ops.logSoftmax(t([0, 1000])), [-1000, 0]],
    ['softmaxCrossEntropy', () => ops.softmaxCrossEntropy(t([[0, 0], [1000, 0]]), t([[0.5, 0.5], [0, 1]])), [Math.LN2, 1000]],
    ['layerNorm', () => ops.layerNorm(t([[1, 3], [2, 6]]), 1, t([1, 10]), t([0, 1]), 0), [-1, 11, -1, 11]],
    ['standardise', () => ops.standardise(t([1, 3]), 0, 0), [-1, 1]],
    ['cumSum', () => ops.cumSum(m, 1), [1, 3, 6, 4, 9, 15]],
    ['cumSum from the end', () => ops.cumSum(m, 0, true), [5, 7, 9, 4, 5, 6]],
  ])('%s', (_name, f, want) => { close(f(), want) })
})

describe('activations', () => {
  const at = [-4, -1, 0, 0.5, 4]
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
  const soft = (x: number): number => Math.log1p(Math.exp(x))
  test.each<[string, (x: Tensor) => Tensor, (x: number) => number]>([
    ['silu', ops.silu, x => x * sigmoid(x)],
    ['softplus', ops.softplus, soft],
    ['elu', x => ops.elu(x, 2), x => x > 0 ? x : 2 * Math.expm1(x)],
    ['celu', x => ops.celu(x, 2), x => x > 0 ? x : 2 * Math.expm1(x / 2)],
    ['selu', ops.selu, x => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x))],
    ['leakyRelu', ops.leakyRelu, x => x > 0 ? x : 0.01 * x],
    ['mish', ops.mish, x => x * Math.tanh(soft(x))],
    ['hardSigmoid', ops.hardSigmoid, x => Math.min(1, Math.max(0, x / 6 + 0.5))],
    ['hardSwish', ops.hardSwish, x => x * Math.min(1, Math.max(0, x / 6 + 0.5))],
    ['softsign', ops.softsign, x => x / (1 + Math.abs(x))],
    ['gelu by tanh', x => ops.gelu(x, { approximate: 'tanh' }), x => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
    ['clamp', x => ops.clamp(x, -1, 2), x => Math.min(2, Math.max(-1, x))],
    ['square', ops.square, x => x * x],
    ['ceil', ops.ceil, Math.ceil],
  ])('%s', (_name, f, want) => { close(f(t(at)), at.map(want)) })

  test('gelu is x·Φ(x)', () => {
    // Φ(1) and Φ(−2) to ten places (Abramowitz & Stegun 1964, table 26.1)
    close(ops.gelu(t([1, -2, 0])), [0.8413447461, -2 * 0.0227501319, 0])
  })

  test('stay finite where the exponentials would not', () => {
    for (const f of [ops.softplus, ops.silu, ops.mish, ops.gelu, ops.elu, ops.sigmoid, ops.tanh]) {
      const x = t([-1000, 1000])
      expect(Array.from(f(x).dataSync(), Number).every(Number.isFinite)).toBe(true)
      expect(Array.from(grad((z: Tensor) => sum(f(z)))(x).dataSync(), Number).every(Number.isFinite)).toBe(true)
    }
  })
})

describe('values at kinks and ties are PyTorch’s', () => {
  const slope = (f: (x: Tensor) => Tensor, x: number | number[]): unknown => grad((z: Tensor) => sum(f(z)))(t(x)).toArray()

  test.each<[string, (x: Tensor) => Tensor, number | number[], unknown]>([
    ['relu at 0', ops.relu, 0, 0],
    ['abs at 0', ops.abs, 0, 0],
    ['leakyRelu at 0', x => ops.leakyRelu(x, 0.1), 0, 0.1],
    ['elu at 0', ops.elu, 0, 1],
    ['clamp at its bounds', x => ops.clamp(x, -1, 1), [-1, 1, 2], [1, 1, 0]],
    ['hardSigmoid at its bounds', ops.hardSigmoid, [-3, 3], [0, 0]],
    ['softplus at 0', ops.softplus, 0, 0.5],
    ['amax shares among ties', x => ops.amax(x), [2, 1, 2], [0.5, 0, 0.5]],
    ['amin shares among ties', x => ops.amin(x), [1, 1, 2], [0.5, 0.5, 0]],
    ['maximum shares with a constant', x => ops.maximum(x, 1), [1, 2, 0], [0.5, 1, 0]],
    ['minimum shares with a constant', x => ops.minimum(x, 1), [1, 2, 0], [0.5, 0, 1]],
    ['pow 0 at 0', x => ops.pow(x, 0), 0, 0],
    ['square by pow at 0', x => ops.pow(x, 2), 0, 0],
    ['maxPool takes the first', x => ops.maxPool(ops.reshape(x, [1, 1, 4]), { kernel: 2 }), [1, 1, 0, 5], [1, 0, 0, 1]],
  ])('%s', (_name, f, x, want) => { expect(slope(f, x)).toEqual(want) })
})

describe('convolution and pooling', () => {
  const line = ops.reshape(t([1, 2, 3, 4, 5]), [1, 1, 5])
  const kernel = ops.reshape(t([1, 0, -1]), [1, 1, 3])

  test.each<[string, () => Tensor, number[]]>([
    ['valid', () => ops.convolve(line, kernel), [-2, -2, -2]],
    ['same', () => ops.convolve(line, kernel, { padding: 'same' }), [-2, -2, -2, -2, 4]],
    ['padded on one side', () => ops.convolve(line, kernel, { padding: [[2, 0]] }), [-1, -2, -2, -2, -2]],
    ['stride and bias', () => ops.convolve(line, kernel, { stride: 2, bias: t([10]) }), [8, 8]],
    ['dilation', () => ops.convolve(line, kernel, { dilation: 2 }), [-4]],
    ['transposed', () => ops.convTranspose(ops.reshape(t([1, 2]), [1, 1, 2]), kernel, { stride: 2 }), [1, 0, 1, 0, -2]],
    ['maxPool', () => ops.maxPool(line, { kernel: 2 }), [2, 4]],
    ['maxPool with a last part', () => ops.maxPool(line, { kernel: 2, ceilMode: true }), [2, 4, 5]],
    ['maxPool of negative numbers ignores padding', () => ops.maxPool(ops.neg(line), { kernel: 3, stride: 2, padding: 1 }), [-1, -2, -4]],
    ['avgPool counts its padding', () => ops.avgPool(line, { kernel: 3, stride: 2, padding: 1 }), [1, 3, 3]],
    ['avgPool does not', () => ops.avgPool(line, { kernel: 3, stride: 2, padding: 1, countIncludePad: false }), [1.5, 3, 4.5]],
    ['avgPool with a last part', () => ops.avgPool(line, { kernel: 2, ceilMode: true }), [1.5, 3.5, 5]],
  ])('%s', (_name, f, want) => { close(f(), want) })

  test('groups keep channels apart', () => {
    const x = ops.reshape(t([1, 2, 3, 4]), [1, 2, 2])
    const w = ops.reshape(t([1, 10]), [2, 1, 1])
    expect(ops.convolve(x, w, { groups: 2 }).toArray()).toEqual([[[1, 2], [30, 40]]])
  })
})

describe('Generator', () => {
  test('the same seed gives the same numbers, and a state goes on where it was taken', () => {
    const [a, b] = [new ops.Generator(7), new ops.Generator(7)]
    expect(a.normal([5]).toArray()).toEqual(b.normal([5]).toArray())
    const state = a.state()
    const next = a.uniform([4]).toArray()
    a.restore(state)
    expect(a.uniform([4]).toArray()).toEqual(next)
    expect(new ops.Generator(8).normal([5]).toArray()).not.toEqual(new ops.Generator(7).normal([5]).toArray())
  })

  test('numbers have the moments they should', () => {
    const g = new ops.Generator(1)
    const n = g.normal([20_000], { mean: 3, std: 2, dtype: 'float64' })
    expect(ops.mean(n).item()).toBeCloseTo(3, 1)
    expect(ops.variance(n).item() / 4).toBeCloseTo(1, 1)
    const u = g.uniform([20_000], { low: -1, high: 3 })
    expect([ops.amin(u).item() >= -1, ops.amax(u).item() < 3]).toEqual([true, true])
    expect(ops.mean(u).item()).toBeCloseTo(1, 1)
    expect(ops.mean(ops.cast(g.bernoulli(0.3, [20_000]), 'float32')).item()).toBeCloseTo(0.3, 1)
  })

  test('a permutation has every number once', () => {
    const p = new ops.Generator(3).permutation(100)
    expect(p).not.toEqual([...p].sort((a, b) => a - b))
    expect([...p].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })
})

test('ops that count make their numbers on the operand’s backend', () => {
  const other = { ...cpu(), name: 'other' }
  const x = tensor([[1, 2], [3, 4]], { backend: other })
  const index = tensor([[0], [1]], { dtype: 'int32', backend: other })
  for (const y of [
    ops.tril(x), ops.takeAlong(x, index, 1), ops.sort(x)[0], ops.pad(x, [[1, 0], [0, 0]], { value: 1 }), ops.pad(x, [[1, 0], [0, 0]], { mode: 'edge' }),
    ops.oneHot(index, 2), ops.scaledDotProductAttention(x, x, x, { causal: true }), ops.avgPool(ops.reshape(x, [1, 2, 2]), { kernel: 2, padding: 1, countIncludePad: false }),
    add(ops.variance(x), 1), grad((z: Tensor) => ops.logSumExp(z))(x),
  ]) expect(y.backend).toBe(other)
})

test('errors', () => {
  const x = tensor([[1, 2, 3], [4, 5, 6]])
  expect([
    () => ops.matmul(x, tensor([[1, 2, 3], [4, 5, 6]])),
    () => ops.matmul(x, tensor([[1, 2, 3, 4], [1, 2, 3, 4]])),
    () => ops.matmul(x, tensor(1)),
    () => ops.linear(x, tensor([[1, 2]])),
    () => ops.sum(x, 2),
    () => ops.sum(x, [0, 0]),
    () => ops.reshape(x, [4, 2]),
    () => ops.reshape(x, [4, -1]),
    () => ops.transpose(x, [0]),
    () => ops.concat([x, tensor([[1]])]),
    () => ops.concat([]),
    () => ops.slice(x, [0], [], [0]),
    () => ops.split(x, [1, 1], 1),
    () => ops.squeeze(x, 0),
    () => ops.pad(x, [[1, 1]]),
    () => ops.pad(x, [[2, 0], [0, 0]], { mode: 'reflect' }),
    () => ops.take(x, tensor([0.5])),
    () => ops.takeAlong(x, int([0]), 1),
    () => ops.topk(x, 9),
    () => ops.tril(tensor([1])),
    () => ops.amax(tensor([])),
    () => ops.exp(int([1])),
    () => ops.logicalNot(x),
    () => ops.select(x, x, x),
    () => ops.convolve(tensor([[[1, 2]]]), tensor([[[1, 2, 3]]])),
    () => ops.convolve(tensor([[[1, 2]]]), tensor([[[1], [2]]])),
    () => ops.convolve(tensor([[[1, 2]]]), tensor([[[1]]]), { stride: 0 }),
    () => ops.maxPool(x, { kernel: 2 }),
    () => ops.maxPool(tensor([[[1]]]), { kernel: 2 }),
    () => ops.softmaxCrossEntropy(x, tensor([[1, 2]])),
    () => new ops.Generator(0.5),
    () => new ops.Generator(1).bernoulli(2, []),
  ].map(message)).toMatchInlineSnapshot(`
    [
      "shape | matmul: inner axes must match, got f32[2,3] and f32[2,3] (3 ≠ 2). Did you mean matmul(a, transpose(b))?",
      "shape | matmul: inner axes must match, got f32[2,3] and f32[2,4] (3 ≠ 2). Transpose or reshape one of them",
      "shape | matmul: needs at least one axis on each side, got f32[2,3] and f32[]. Use mul for scalars",
      "shape | linear: the input f32[2,3] must end in 2, the columns of the weight f32[1,2]",
      "axis | sum: axis 2 is out of range for rank 2: use -2 to 1",
      "axis | sum: axis 0 is given twice in [0,0]",
      "shape | reshape: f32[2,3] has 6 elements, [4,2] needs 8. Use -1 for one axis to let it be found",
      "shape | reshape: axis 1 of [4,1.5] must be a whole number ≥ 0, got 1.5",
      "axis | transpose: needs each of the 2 axes of f32[2,3] once, got [0]",
      "shape | concat: operands must agree on every axis but 0, got f32[2,3] and f32[1,1]. Slice, pad or broadcast one of them, or use another axis",
      "value | concat: needs at least one tensor",
      "value | slice: a step must be a whole number ≥ 1, got 0. Use flip(x, axes) to reverse",
      "shape | split: the parts [1,1] add up to 2, axis 1 of f32[2,3] has 3 entries. Give sizes that add up to 3, or one size for all",
      "shape | squeeze: axis 0 of f32[2,3] has 2 entries; only axes of size 1 can go. Use reshape",
      "value | pad: needs a pair for each of the 2 axes of f32[2,3], got 1. Give [0, 0] for axes to leave alone",
      "value | pad: mode reflect cannot pad axis 0 of f32[2,3] by [2, 0]: at most 1 on each side. Use mode edge or constant",
      "dtype | take: indices must be int32, got f32[1]. Convert them with cast(index, 'int32')",
      "shape | takeAlong: the index i32[1] must have as many axes as [2,3] and no larger ones but axis 1. Reshape or slice it",
      "value | topk: k must be between 0 and 3, the size of axis 1 of f32[2,3], got 9",
      "shape | tril: needs a matrix or a stack of them, got f32[1]",
      "shape | amax: axis 0 of f32[0] is empty and has no largest element",
      "no error",
      "dtype | logicalNot: needs bool operands, got f32[2,3]. Compare first, as in notEqual(x, 0)",
      "dtype | select: the condition must be bool, got f32[2,3]. Compare first, as in notEqual(c, 0)",
      "shape | conv: the kernel f32[1,1,3] is larger than the padded input f32[1,1,2]. Pad more, or use a smaller kernel",
      "shape | conv: channels must match: the input f32[1,1,2] has 1, the kernel f32[1,2,1] with 1 group(s) takes 2",
      "value | conv: stride must be whole numbers ≥ 1, got 0",
      "shape | maxPool: needs [n, c, …] with at least one spatial axis, got f32[2,3]",
      "shape | maxPool: the window [2] is larger than the padded input f32[1,1,1]. Pad more, or use a smaller window",
      "shape | softmaxCrossEntropy: logits and target must have one shape, got f32[2,3] and f32[1,2]. Make class indices one-hot with oneHot(target, 3)",
      "value | Generator: the seed must be a whole number that fits 32 bits, got 0.5",
      "value | bernoulli: p must be between 0 and 1, got 2",
    ]
  `)
})
