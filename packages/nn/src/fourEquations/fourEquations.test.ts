// The four equations against autodiff: every activation, one example and a batch, one to four layers.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, jacrev, mul, type Tensor, tensor, use, valueAndGrad, vjp } from '@bp/core'
import * as ops from '@bp/ops'
import { Generator, matmul, mean, oneHot, reshape, softmax, square, sub, sum, transpose } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { activations, backpropagate, bceWithLogits, costs, crossEntropy, feedForward, type DenseLayer, softmaxJacobian, softmaxVjp } from '../index.ts'

use(cpu())

const random = new Generator(4)
const normal = (shape: number[], std = 1): Tensor => random.normal(shape, { dtype: 'float64', std })

/** Equal but for a few roundings of float64. */
function same(got: Tensor, want: Tensor, rtol = 1e-12): void {
  expect(got.shape).toEqual(want.shape)
  const [a, b] = [got.dataSync() as Float64Array, want.dataSync() as Float64Array]
  a.forEach((value, i) => { expect(Math.abs(value - b[i]!), `[${i}]: ${value} against ${b[i]}`).toBeLessThanOrEqual(rtol * Math.max(1, Math.abs(b[i]!))) })
}

/** Every activation, each with options that are not the default too. */
const every: Readonly<Record<string, activations.Activation>> = {
  identity: activations.identity, sigmoid: activations.sigmoid, tanh: activations.tanh, relu: activations.relu, relu6: activations.relu6,
  leakyRelu: activations.leakyRelu(), 'leakyRelu 0.3': activations.leakyRelu(0.3), elu: activations.elu(), 'elu 0.5': activations.elu(0.5),
  selu: activations.selu, celu: activations.celu(), 'celu 2': activations.celu(2), gelu: activations.gelu, geluTanh: activations.geluTanh,
  silu: activations.silu, softplus: activations.softplus, logSigmoid: activations.logSigmoid, mish: activations.mish, softsign: activations.softsign,
  hardSigmoid: activations.hardSigmoid, hardSwish: activations.hardSwish, hardTanh: activations.hardTanh(), 'hardTanh −2, 0.5': activations.hardTanh(-2, 0.5),
  hardShrink: activations.hardShrink(), softShrink: activations.softShrink(0.3), tanhShrink: activations.tanhShrink, threshold: activations.threshold(0.2, 5),
}
const names = Object.keys(every)

test('the list of activations is whole', () => {
  const listed = new Set(names.map(name => name.split(' ')[0]!))
  expect(Object.keys(activations).filter(name => name !== 'softmax' && !listed.has(name))).toEqual([])
})

test.each(names)('%s has autodiff’s derivative, far out and at its kinks too', name => {
  const { f, derivative } = every[name]!
  const z = tensor([-800, -40, -6, -3, -2, -1, -0.5, -0.3, -0.1, 0, 0.1, 0.2, 0.3, 0.5, 1, 3, 6, 40, 800], { dtype: 'float64' })
  same(derivative(z, f(z)), grad((x: Tensor) => sum(f(x)))(z))
})

/** A network of 3 inputs, hidden layers of 4 and 2 outputs. */
function network(depth: number, hidden: activations.Activation, output = hidden): DenseLayer[] {
  const sizes = [3, ...Array.from({ length: depth - 1 }, () => 4), 2]
  return Array.from({ length: depth }, (_, l) => ({ weight: normal([sizes[l + 1]!, sizes[l]!], 0.8), bias: normal([sizes[l + 1]!], 0.5), activation: l === depth - 1 ? output : hidden }))
}

type Parameters = readonly { readonly weight: Tensor; readonly bias: Tensor }[]

/** The loss of the last layer's z (of the network without its last activation), differentiated by autodiff. */
function byAutodiff(layers: readonly DenseLayer[], x: Tensor, loss: (z: Tensor) => Tensor): [Tensor, Parameters] {
  const f = (parameters: Parameters): Tensor => loss(feedForward(layers.map((layer, l) => ({ ...layer, ...parameters[l]! })), x).z.at(-1)!)
  return valueAndGrad(f)(layers.map(({ weight, bias }) => ({ weight, bias })))
}

function check(layers: readonly DenseLayer[], x: Tensor, y: Tensor, cost: costs.Cost, loss: (z: Tensor) => Tensor): void {
  const got = backpropagate(layers, x, y, cost)
  const [value, want] = byAutodiff(layers, x, loss)
  same(got.loss, value)
  expect(got.gradients).toHaveLength(layers.length)
  got.gradients.forEach(({ weight, bias }, l) => {
    same(weight, want[l]!.weight)
    same(bias, want[l]!.bias)
  })
}

const columns = (x: Tensor): Tensor => x.rank === 1 ? reshape(x, [x.size, 1]) : x

describe.each([['one example', []], ['a batch of 5', [5]]] as const)('%s', (_, batch) => {
  test.each(names)('squared error with %s, 1 to 4 layers', name => {
    for (const depth of [1, 2, 3, 4]) {
      const layers = network(depth, every[name]!)
      const [x, y] = [normal([3, ...batch]), normal([2, ...batch])]
      const loss = (z: Tensor): Tensor => mul(0.5, mean(sum(square(sub(every[name]!.f(z), columns(y))), 0)))
      check(layers, x, y, costs.squaredError, loss)
    }
  })

  test('softmax with cross-entropy, and sigmoid with its own, 1 to 4 layers', () => {
    for (const depth of [1, 2, 3, 4]) {
      const x = normal([3, ...batch])
      const shares = softmax(normal([2, ...batch]), 0)
      check(network(depth, activations.tanh, activations.softmax), x, shares, costs.crossEntropy, z => crossEntropy(transpose(z), transpose(columns(shares))))
      const targets = ops.sigmoid(normal([2, ...batch]))
      check(network(depth, activations.gelu, activations.sigmoid), x, targets, costs.binaryCrossEntropy, z => mul(2, bceWithLogits(z, columns(targets))))
    }
  })
})

test('compiled, they give the same', () => {
  const layers = network(3, activations.tanh, activations.softmax)
  const [x, y] = [normal([3, 5]), softmax(normal([2, 5]), 0)]
  const step = (xs: Tensor, ys: Tensor): Tensor[] => backpropagate(layers, xs, ys, costs.crossEntropy).gradients.flatMap(({ weight, bias }) => [weight, bias])
  const [compiled, eager] = [compile(step)(x, y), step(x, y)]
  compiled.forEach((g, i) => { same(g, eager[i]!) })
})

describe('the softmax', () => {
  test.each([1, 2, 7])('of %i classes has the Jacobian of autodiff', k => {
    const z = normal([k], 2)
    const J = softmaxJacobian(softmax(z))
    same(J, jacrev((x: Tensor) => softmax(x))(z))
    same(J, transpose(J))
  })

  test('has a VJP of Jᵀȳ, for any leading axes', () => {
    const [z, ct] = [normal([3, 4, 6], 2), normal([3, 4, 6])]
    const y = softmax(z)
    const byJacobian = reshape(matmul(transpose(softmaxJacobian(y), [0, 1, 3, 2]), reshape(ct, [3, 4, 6, 1])), [3, 4, 6])
    same(softmaxVjp(y, ct), byJacobian)
    same(softmaxVjp(y, ct), vjp((x: Tensor) => softmax(x), [z])[1](ct)[0])
  })

  test('never makes the k² elements of J for it', () => {
    const k = 50_000
    const y = softmax(random.normal([k]))
    expect(Math.abs(sum(softmaxVjp(y, random.normal([k]))).item())).toBeLessThan(1e-6)
  })
})

describe.each(['float64', 'float32'] as const)('at logits of ±1e4 in %s', dtype => {
  const z = tensor([[1e4, -1e4, 0, 1e4], [-1e4, 1e4, 0, 1e4], [0, -1e4, 1e4, -1e4]], { dtype })
  const layer = (activation: activations.Activation): DenseLayer[] => [{ weight: z, bias: tensor([0, 0, 0], { dtype }), activation }]
  const unit = oneHot(tensor([0, 1, 2, 3], { dtype: 'int32' }), 4, dtype)
  const y = tensor([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1]], { dtype })

  test('softmax with cross-entropy is finite, ŷ − y, and autodiff’s', () => {
    const { loss, deltas: [delta] } = backpropagate(layer(activations.softmax), unit, y, costs.crossEntropy)
    const wanted = tensor([[0, 0, 0, 0.5], [0, 1, -1, 0.5], [0, -1, 1, -1]], { dtype })
    same(delta!, wanted)
    expect(loss.item()).toBeCloseTo((0 + 2e4 + 1e4 + 2e4 + Math.log(2)) / 4, dtype === 'float32' ? 2 : 9)
    same(delta!, grad((x: Tensor) => crossEntropy(transpose(x), transpose(y), { reduction: 'sum' }))(z))
  })

  test('sigmoid with binary cross-entropy is finite, ŷ − y, and autodiff’s', () => {
    const { loss, deltas: [delta] } = backpropagate(layer(activations.sigmoid), unit, y, costs.binaryCrossEntropy)
    same(delta!, tensor([[0, 0, 0.5, 1], [0, 1, -0.5, 1], [0.5, -1, 1, -1]], { dtype }))
    expect(loss.item()).toBeCloseTo((6e4 + 3 * Math.log(2)) / 4, dtype === 'float32' ? 2 : 9)
    same(delta!, grad((x: Tensor) => bceWithLogits(x, y, { reduction: 'sum' }))(z))
  })
})

test('says what does not fit', () => {
  const layer: DenseLayer = { weight: tensor([[1, 2]]), bias: tensor([0]), activation: activations.tanh }
  const x = tensor([[1], [2]])
  expect(() => backpropagate([], x, x, costs.squaredError)).toThrowErrorMatchingInlineSnapshot(`[BpError: backpropagate: the network has no layers. Pass at least one]`)
  expect(() => backpropagate([layer], x, tensor([1]), costs.crossEntropy)).toThrowErrorMatchingInlineSnapshot(`[BpError: backpropagate: ŷ − y is the error of this cost after softmax only. Give the last layer activations.softmax, or use costs.squaredError]`)
  expect(() => backpropagate([layer], x, tensor([[1, 2]]), costs.squaredError)).toThrowErrorMatchingInlineSnapshot(`[BpError: backpropagate: the last layer gives f32[1,1], but f32[1,2] is wanted. Put an example in each column]`)
  expect(() => feedForward([layer], tensor([1, 2, 3]))).toThrowErrorMatchingInlineSnapshot(`[BpError: feedForward: layer 1 has weights f32[1,2] for columns of 2, got f32[3,1]]`)
  expect(() => backpropagate([{ ...layer, activation: activations.softmax }], x, tensor([1]), costs.squaredError)).toThrowErrorMatchingInlineSnapshot(`[BpError: softmax: it is not elementwise, so it has no σ′. Use it in the last layer, with costs.crossEntropy; elsewhere take softmaxVjp]`)
  expect(() => softmaxVjp(tensor([0.5, 0.5]), tensor([1]))).toThrowErrorMatchingInlineSnapshot(`[BpError: softmaxVjp: needs probabilities and a cotangent of one shape [..., k], got f32[2] and f32[1]]`)
  expect(() => softmaxJacobian(tensor(1))).toThrowErrorMatchingInlineSnapshot(`[BpError: softmaxJacobian: needs probabilities along the last axis, got f32[]]`)
})
