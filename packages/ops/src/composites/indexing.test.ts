// Reading and writing by index, mask and diagonal: values by NumPy's and PyTorch's rules, and the errors.

import { cpu } from '@bp/backend-cpu'
import { backward, grad, type Tensor, tensor, use, vjp } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { blockDiag, chunk, diagEmbed, embedding, embeddingBag, index, indexAdd, indexFill, indexPut, indexReduce, maskedScatter, maskedSelect, meshgrid, neg, nonzero, pad, putFlat, rot90, scatter, sum, take, takeAlong, takeFlat, tensorSplit, unfold } from '../index.ts'

use(cpu())

const x = tensor([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
const ints = (...values: number[]): Tensor => tensor(values, { dtype: 'int32' })

describe('index', () => {
  test.each<[string, Parameters<typeof index>[1], unknown]>([
    ['an entry', [1], [4, 5, 6, 7]],
    ['an entry from the end', [-1, -1], 11],
    ['a range', [{ start: 1 }, { start: 1, end: 3 }], [[5, 6], [9, 10]]],
    ['a range with a step', ['...', { step: 2 }], [[0, 2], [4, 6], [8, 10]]],
    ['a range backwards', [0, { step: -1 }], [3, 2, 1, 0]],
    ['a range backwards between bounds', [0, { start: -1, end: 0, step: -2 }], [3, 1]],
    ['a range past the end', [{ start: 1, end: 100 }, 0], [4, 8]],
    ['an empty range', [{ start: 2, end: 1 }], []],
    ['a list', [[2, 0]], [[8, 9, 10, 11], [0, 1, 2, 3]]],
    ['two lists together', [[0, 2], [1, -1]], [1, 11]],
    ['lists that broadcast', [tensor([[0], [2]], { dtype: 'int32' }), [1, 3]], [[1, 3], [9, 11]]],
    ['a nested list', [[[0], [2]], [1, 3]], [[1, 3], [9, 11]]],
    ['a list of truth values', [[true, false, true], 0], [0, 8]],
    ['a truth value', [false, 0, 0], []],
    ['a range whose bounds are past both ends', [0, { start: 9, end: -9, step: -3 }], [3, 0]],
    ['a range with bounds left out', [0, { start: null, end: null, step: 3 }], [0, 3]],
    ['a mask', [tensor([true, false, true])], [[0, 1, 2, 3], [8, 9, 10, 11]]],
    ['a mask of all axes', [tensor([[true, false, false, true], [false, false, false, false], [false, true, false, false]])], [0, 3, 9]],
  ])('%s', (_name, items, want) => {
    expect(index(x, items).toArray()).toEqual(want)
  })

  test('new axes and chosen axes stand where NumPy puts them', () => {
    const cube = tensor(Array.from({ length: 120 }, (_, i) => i), { shape: [2, 3, 4, 5] })
    expect(index(cube, [null, 0, '...', null]).shape).toEqual([1, 3, 4, 5, 1])
    expect(index(cube, [{}, [0, 1], [0, 1]]).shape).toEqual([2, 2, 5])
    expect(index(cube, [[0, 1], {}, [0, 1]]).shape).toEqual([2, 3, 5])
    expect(index(cube, ['...', [0, 1], null, [0, 1]]).shape).toEqual([2, 2, 3, 1])
    expect(index(cube, [0, {}, [0, 1]]).shape).toEqual([3, 2, 5])
    expect(index(cube, [{}, tensor(true), 0]).shape).toEqual([2, 1, 4, 5])
    expect(index(cube, [{}, [[0]][0]!, {}, [1, 2]]).shape).toEqual([2, 2, 4])
  })

  test('its gradient goes back to each place as often as it was read', () => {
    expect(grad((z: Tensor) => sum(index(z, [[0, 0, 2]])))(tensor([1, 2, 3])).toArray()).toEqual([2, 0, 1])
  })

  test('errors', () => {
    expect(() => index(x, [3])).toThrowErrorMatchingInlineSnapshot(`[BpError: index: axis 0 of f32[3,4] has no entry 3. Use -3 to 2]`)
    expect(() => index(x, [0, 0, 0])).toThrowErrorMatchingInlineSnapshot(`[BpError: index: 3 axes are indexed, f32[3,4] has 2. Leave items out, or reshape first]`)
    expect(() => index(x, ['...', '...'])).toThrowErrorMatchingInlineSnapshot(`[BpError: index: only one '...' can stand in an index]`)
    expect(() => index(x, [[true, false]])).toThrowErrorMatchingInlineSnapshot(`[BpError: index: the mask bool[2] must have the sizes [3] of the axes from 0 on of f32[3,4]. Slice or broadcast it]`)
    expect(() => index(x, [[0, 4], [0, 0]])).toThrowErrorMatchingInlineSnapshot(`[BpError: gather: index 4 is out of range for axis 0 of size 3. Use -3 to 2]`)
    expect(() => index(x, [[0, 1], [0, 1, 2]])).toThrowErrorMatchingInlineSnapshot(`[BpError: index: cannot broadcast [2] with [3]: axis 0 has 2 and 3. Axes must be equal or 1; reshape or slice one operand first]`)
    expect(() => index(x, [{ step: 0 }])).toThrowErrorMatchingInlineSnapshot(`[BpError: index: a step must be a whole number other than 0, got 0]`)
  })
})

test('an index out of range is an error, never another element', () => {
  const y = tensor([[1, 2], [3, 4]])
  const out = tensor([[2], [0]], { dtype: 'int32' })
  for (const f of [
    () => takeAlong(y, out, 1), () => scatter(y, 1, out, 0), () => takeFlat(y, ints(4)), () => putFlat(y, ints(-5), tensor([1])), () => indexAdd(y, 0, ints(2), y), () => indexFill(y, 1, ints(-3), 0),
    () => take(y, tensor([2n ** 32n])), () => take(y, tensor([-(2n ** 32n)])), () => embedding(tensor([2n ** 31n]), y),
  ]) expect(f).toThrow(/index .* is out of range|row .* is outside/)
  expect(take(y, tensor([1n, -2n])).toArray()).toEqual([[3, 4], [1, 2]])
})

test('writing by index: the last value for a place stays, or all are added', () => {
  const z = tensor([0, 0, 0, 0])
  expect(indexPut(z, [[1, 1, 3]], tensor([5, 6, 7])).toArray()).toEqual([0, 6, 0, 7])
  expect(indexPut(z, [[1, 1, 3]], tensor([5, 6, 7]), { accumulate: true }).toArray()).toEqual([0, 11, 0, 7])
  expect(indexPut(tensor([NaN, Infinity, 1]), [[0, 1]], tensor([1, 2])).toArray()).toEqual([1, 2, 1])
  expect(indexPut(tensor([true, true]), [[0]], tensor(false)).toArray()).toEqual([false, true])
  expect(indexPut(tensor([1n, 2n]), [[1]], 2 ** 40).toArray()).toEqual([1n, 2n ** 40n])
  expect(() => indexPut(tensor([1, 2]), [0], ints(3))).toThrowErrorMatchingInlineSnapshot(`[BpError: indexPut: the values i32[1] must have the dtype of f32[2]. Convert them with cast(values, 'float32')]`)
  expect(putFlat(x, ints(-1, 0), tensor([50, 60])).toArray()).toEqual([[60, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 50]])
  const values = tensor([5, 6, 7], { requiresGrad: true })
  backward(sum(indexPut(z, [[1, 1, 3]], values)))
  expect(values.grad!.toArray()).toEqual([0, 1, 1])
})

describe('scatter', () => {
  const z = tensor([2, 3, 4])
  const at = ints(0, 0, 2)
  const values = tensor([10, -1, 5])
  test.each([
    ['sum', [11, 3, 9], [9, 3, 5]], ['prod', [-20, 3, 20], [-10, 3, 5]], ['mean', [11 / 3, 3, 4.5], [4.5, 3, 5]],
    ['amax', [10, 3, 5], [10, 3, 5]], ['amin', [-1, 3, 4], [-1, 3, 5]],
  ] as const)('%s, with and without what stood there', (reduce, withSelf, without) => {
    const got = (includeSelf: boolean): number[] => scatter(z, 0, at, values, { reduce, includeSelf }).toArray() as number[]
    got(true).forEach((v, i) => { expect(v).toBeCloseTo(withSelf[i]!, 6) })
    got(false).forEach((v, i) => { expect(v).toBeCloseTo(without[i]!, 6) })
  })

  test('the product’s gradient at one zero is the product of the others', () => {
    const v = tensor([0, 3, 5], { requiresGrad: true, dtype: 'float64' })
    backward(sum(scatter(tensor([2, 1, 1], { dtype: 'float64' }), 0, ints(0, 0, 0), v, { reduce: 'prod' })))
    expect(v.grad!.toArray()).toEqual([30, 0, 0])
  })

  test('a product’s second derivative is right at zeros', () => {
    const product = (v: Tensor): Tensor => sum(scatter(tensor([2, 1], { dtype: 'float64' }), 0, ints(0, 0, 0), v, { reduce: 'prod' }))
    const [, rows] = vjp(grad(product), [tensor([0, 0, 5], { dtype: 'float64' })])
    expect(rows(tensor([1, 0, 0], { dtype: 'float64' }))[0].toArray()).toEqual([0, 10, 0])
  })

  test('extremes of whole numbers, and ties', () => {
    expect(scatter(ints(1, 2, 3), 0, ints(0, 0, -1), ints(-4, 5, 9), { reduce: 'amin', includeSelf: false }).toArray()).toEqual([-4, 2, 9])
    expect(scatter(tensor([1n, 2n]), 0, ints(0, 0), tensor([-4n, 5n]), { reduce: 'amax' }).toArray()).toEqual([5n, 2n])
    const gradients = (includeSelf: boolean): unknown => {
      const [, pullback] = vjp((a: Tensor, b: Tensor) => scatter(a, 0, ints(0, 0, 1), b, { reduce: 'amax', includeSelf }), [tensor([3, 5]), tensor([3, 3, 1])])
      return pullback(tensor([6, 6])).map(dx => dx.toArray())
    }
    expect(gradients(true)).toEqual([[2, 6], [2, 2, 0]])
    expect(gradients(false)).toEqual([[0, 0], [3, 3, 6]])
  })

  test('of one axis only', () => {
    expect(indexReduce(x, 0, ints(0), tensor([[9, 9, 9, 9]]), 'mean').toArray()).toEqual([[4.5, 5, 5.5, 6], [4, 5, 6, 7], [8, 9, 10, 11]])
    expect(() => indexReduce(x, 0, ints(0, 1), tensor([[9, 9, 9, 9]]), 'sum')).toThrowErrorMatchingInlineSnapshot(`[BpError: indexReduce: the values f32[1,4] must be like f32[3,4] with 2 entries along axis 0, one for each index. Broadcast or slice them]`)
  })
})

test('masks', () => {
  const mask = tensor([true, false, true, false])
  expect(maskedSelect(x, mask).toArray()).toEqual([0, 2, 4, 6, 8, 10])
  expect(maskedScatter(tensor([1, 2, 3, 4]), mask, tensor([9, 8])).toArray()).toEqual([9, 2, 8, 4])
  expect(nonzero(tensor([[0, 3], [5, 0]])).toArray()).toEqual([[0, 1], [1, 0]])
  expect(nonzero(tensor([0, -0, 0.5], { dtype: 'float16' })).toArray()).toEqual([[2]])
  expect(nonzero(tensor([0n, 5n])).toArray()).toEqual([[1]])
  expect(maskedSelect(tensor([1, 2]), tensor([[true], [false], [true]])).toArray()).toEqual([1, 2, 1, 2])
})

test('arranging', () => {
  expect(rot90(tensor([[1, 2], [3, 4]])).toArray()).toEqual([[2, 4], [1, 3]])
  expect(rot90(tensor([[1, 2], [3, 4]]), -1).toArray()).toEqual([[3, 1], [4, 2]])
  expect(blockDiag(tensor([[1, 2]]), tensor([3])).toArray()).toEqual([[1, 2, 0], [0, 0, 3]])
  expect(diagEmbed(tensor([1, 2]), { offset: 1, axes: [1, 0] }).toArray()).toEqual([[0, 0, 0], [1, 0, 0], [0, 2, 0]])
  expect(unfold(tensor([1, 2, 3, 4, 5]), 0, 3, 2).toArray()).toEqual([[1, 2, 3], [3, 4, 5]])
  expect(meshgrid([tensor([1, 2, 3]), tensor([4, 5])], 'xy')[0]!.toArray()).toEqual([[1, 2, 3], [1, 2, 3]])
  expect(chunk(tensor([1, 2, 3, 4, 5]), 4).map(part => part.toArray())).toEqual([[1, 2], [3, 4], [5]])
  expect(tensorSplit(tensor([1, 2, 3, 4]), [3, 1]).map(part => part.toArray())).toEqual([[1, 2, 3], [], [2, 3, 4]])
  expect(pad(tensor([1, 2, 3]), [[2, 1]], { mode: 'circular' }).toArray()).toEqual([2, 3, 1, 2, 3, 1])
  expect(pad(tensor([1, 2, 3, 4]), [[-1, 2]], { mode: 'reflect' }).toArray()).toEqual([2, 3, 4, 3, 2])
  expect(pad(tensor([1, 2, 3, 4]), [[2, -1]], { mode: 'replicate' }).toArray()).toEqual([1, 1, 1, 2, 3])
  expect(() => pad(tensor([1, 2, 3]), [[4, 0]], { mode: 'circular' })).toThrowErrorMatchingInlineSnapshot(`[BpError: pad: mode circular cannot pad axis 0 of f32[3] by [4, 0]: at most 3 on each side. Use mode edge or constant]`)
})

test('embeddings: padding gets no gradient, frequency divides it, empty bags are zero', () => {
  const table = (): Tensor => tensor([[1, 1], [2, 2], [3, 3]], { requiresGrad: true })
  const gradient = (f: (w: Tensor) => Tensor): unknown => {
    const w = table()
    backward(sum(f(w)))
    return w.grad!.toArray()
  }
  expect(gradient(w => embedding(ints(0, 1, 1), w, { paddingIdx: 0 }))).toEqual([[0, 0], [2, 2], [0, 0]])
  expect(gradient(w => embedding(ints(0, 1, 1), w, { scaleGradByFreq: true }))).toEqual([[1, 1], [1, 1], [0, 0]])
  expect(String(embedding(ints(0, 2), tensor([[3, 4], [1, 1], [0.3, 0.4]]), { maxNorm: 1 }))).toBe('tensor([[0.6, 0.8], [0.3, 0.4]], float32)')
  expect(gradient(w => embedding(ints(2, 0), w, { maxNorm: 2 }))).toEqual([[1, 1], [0, 0], [1, 1]])
  const ties = tensor([[1, 2], [1, 1]], { requiresGrad: true })
  backward(sum(embeddingBag(tensor([[1, 0]], { dtype: 'int32' }), ties, { mode: 'max' })))
  expect(ties.grad!.toArray()).toEqual([[0, 1], [1, 0]])
  const padded = embeddingBag(tensor([[0, 2], [1, 1], [1, 0]], { dtype: 'int32' }), neg(table()), { mode: 'max', paddingIdx: 1 })
  expect(padded.toArray()).toEqual([[-1, -1], [0, 0], [-1, -1]])
  expect(embeddingBag(ints(0, 1, 2, 0), table(), { offsets: ints(0, 2, 3), includeLastOffset: true, mode: 'sum', paddingIdx: 1 }).toArray()).toEqual([[1, 1], [3, 3]])
  const bags = (mode: 'sum' | 'mean' | 'max'): unknown => embeddingBag(ints(0, 2, 1), table(), { offsets: ints(0, 2, 2), mode }).toArray()
  expect([bags('sum'), bags('mean'), bags('max')]).toEqual([[[4, 4], [0, 0], [2, 2]], [[2, 2], [0, 0], [2, 2]], [[3, 3], [0, 0], [2, 2]]])
})
