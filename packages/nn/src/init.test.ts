// Initialisers by what they promise: bounds, variances, orthogonality, zeros.

import { cpu } from '@bp/backend-cpu'
import { ones, type Tensor, tensor, use } from '@bp/core'
import { convolve, Generator, matmul, mean, reshape, transpose, variance } from '@bp/ops'
import { expect, test } from 'vitest'
import * as nn from './index.ts'

use(cpu())

const options = (): { readonly generator: Generator } => ({ generator: new Generator(11) })
const numbers = (x: Tensor): number[] => Array.from(x.dataSync(), Number)
const shape = [60, 20, 3, 3]

test.each<[string, () => Tensor, number]>([
  ['uniform', () => nn.uniform(shape, 0.3, options()), 0.3 ** 2 / 3],
  ['normal', () => nn.normal(shape, 0.3, options()), 0.09],
  ['xavierUniform', () => nn.xavierUniform(shape, { gain: 2, ...options() }), 4 * 2 / (9 * 80)],
  ['xavierNormal', () => nn.xavierNormal(shape, options()), 2 / (9 * 80)],
  ['kaimingUniform', () => nn.kaimingUniform(shape, options()), 2 / 180],
  ['kaimingUniform, back', () => nn.kaimingUniform(shape, { mode: 'fanOut', nonlinearity: 'tanh', ...options() }), (5 / 3) ** 2 / 540],
  ['kaimingNormal', () => nn.kaimingNormal(shape, { slope: Math.sqrt(5), ...options() }), 1 / 3 / 180],
  // of a normal cut at ±2: 1 − 4·φ(2)/(2·Φ(2) − 1), which is 0.7737
  ['truncNormal', () => nn.truncNormal(shape, { std: 0.5, low: -1, high: 1, ...options() }), 0.25 * 0.77374],
])('%s has mean 0 and its variance', (_name, draw, want) => {
  const x = draw()
  expect(mean(x).item() / Math.sqrt(want)).toBeCloseTo(0, 1)
  expect(variance(x).item() / want).toBeCloseTo(1, 1)
})

test('bounds and means are kept', () => {
  const between = numbers(nn.uniform([1000], [2, 3], options()))
  expect([Math.min(...between) >= 2, Math.max(...between) < 3]).toEqual([true, true])
  expect(mean(nn.normal([1000], 0.1, { mean: 7, ...options() })).item()).toBeCloseTo(7, 1)
  const cut = numbers(nn.truncNormal([1000], { mean: 1, std: 2, low: 0, high: 1.5, ...options() }))
  expect([Math.min(...cut) >= 0, Math.max(...cut) <= 1.5, new Set(cut).size > 900]).toEqual([true, true, true])
})

test('gains are PyTorch\'s', () => {
  expect([nn.calculateGain('linear'), nn.calculateGain('relu'), nn.calculateGain('leakyRelu'), nn.calculateGain('leakyRelu', 0.2), nn.calculateGain('selu')])
    .toEqual([1, Math.SQRT2, expect.closeTo(1.4141428569978354, 12), expect.closeTo(1.3867504905630728, 12), 0.75])
})

test.each([[[3, 8]], [[8, 3]], [[4, 2, 2]]])('orthogonal %j has orthonormal rows or columns', size => {
  const x = reshape(nn.orthogonal(size, { gain: 2, dtype: 'float64', ...options() }), [size[0]!, -1])
  const [rows, columns] = x.shape as [number, number]
  const product = rows < columns ? matmul(x, transpose(x)) : matmul(transpose(x), x)
  numbers(product).forEach((v, i) => { expect(v).toBeCloseTo(i % (Math.min(rows, columns) + 1) === 0 ? 4 : 0, 10) })
})

test('sparse has the share of zeros in each column', () => {
  const columns = transpose(nn.sparse([10, 5], 0.25, options())).toArray() as number[][]
  expect(columns.map(column => column.filter(v => v === 0).length)).toEqual([3, 3, 3, 3, 3])
  expect(new Set(columns.map(column => column.map(v => v === 0).join())).size).toBeGreaterThan(1)
})

test('a Dirac convolution gives back what it gets, in groups too (PyTorch 2.15)', () => {
  const x = tensor([[[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]])
  expect(convolve(x, nn.dirac([4, 2, 3], { groups: 2 }), { padding: 1, groups: 2 }).toArray()).toEqual(x.toArray())
  expect(nn.eye([2, 2]).toArray()).toEqual([[1, 0], [0, 1]])
})

test('a parameter takes them by assign', () => {
  const layer = new nn.Linear(2, 2)
  layer.weight.assign(nn.eye(layer.weight.shape))
  layer.bias!.assign(ones([2]))
  expect(layer.forward(tensor([[3, 4]])).toArray()).toEqual([[4, 5]])
})

test('a seed gives the same layers again', () => {
  nn.manualSeed(9)
  const first = String(new nn.Linear(3, 3).weight)
  expect(String(new nn.Linear(3, 3).weight)).not.toBe(first)
  nn.manualSeed(9)
  expect(String(new nn.Linear(3, 3).weight)).toBe(first)
})

test('initialisers say what they cannot do', () => {
  expect(() => nn.fans([3])).toThrowErrorMatchingInlineSnapshot(`[BpError: fans: needs a weight with at least two axes, got [3]. Use uniform or normal for vectors]`)
  expect(() => nn.eye([3])).toThrowErrorMatchingInlineSnapshot(`[BpError: eye: needs the shape of a matrix, got [3]]`)
  expect(() => nn.dirac([3, 2])).toThrowErrorMatchingInlineSnapshot(`[BpError: dirac: needs the weight of a convolution over one to three axes, got [3,2]]`)
  expect(() => nn.sparse([3, 2], 2)).toThrowErrorMatchingInlineSnapshot(`[BpError: sparse: the share of zeros must be between 0 and 1, got 2]`)
  expect(() => nn.truncNormal([3], { low: 2, high: 1 })).toThrowErrorMatchingInlineSnapshot(`[BpError: truncNormal: needs low below high and a positive std, got 2, 1 and 1]`)
})
