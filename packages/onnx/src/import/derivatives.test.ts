// Derivatives of every order through imported networks: by weights and inputs, in every mode, compiled and recomputed.

import { checkpoint, compile, grad, gradgradcheck, gradcheck, hessian, hvp, jvp, tensor, type Tensor, use, vmap } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { Adam, AvgPool2d, BatchNorm2d, Conv2d, crossEntropy, Flatten, functionalCall, Linear, LSTM, manualSeed, Module, Sequential, Sigmoid, Tanh, TransformerEncoderLayer } from '@bp/nn'
import { mul, square, stack, sum } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, node, nodeWith, value } from '../../test/model.ts'
import { exportOnnx, importOnnx, type OnnxModule } from '../index.ts'

use(cpu())
manualSeed(3)

const dtype = 'float64'
const wave = (shape: number[], scale = 1): Tensor => tensor(Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => scale * Math.sin(1 + 2 * i)), { shape, dtype })

/** All outputs of an LSTM's last layer. */
class Recurrent extends Module {
  readonly lstm = new LSTM(2, 3, { batchFirst: true, dtype })
  forward(x: Tensor): Tensor {
    return this.lstm.forward(x)[0]
  }
}

const reimported = (module: Module, shape: number[]): OnnxModule => importOnnx(exportOnnx(module, [{ name: 'x', shape, dtype }]))

/** A model, an input, and the weight by which it is differentiated. */
const networks: [name: string, model: OnnxModule, x: Tensor, weight: string][] = [
  ['a convolutional network', reimported(new Sequential(new Conv2d(1, 2, 2, { dtype }), new Tanh(), new AvgPool2d(2), new Flatten(), new Linear(2, 2, { dtype })), [1, 1, 3, 3]), wave([1, 1, 3, 3]), '0.weight'],
  ['attention', reimported(new TransformerEncoderLayer(2, 1, { feedForward: 2, dropout: 0, batchFirst: true, activation: 'gelu', dtype }), [1, 2, 2]), wave([1, 2, 2]), 'linear1.weight'],
  ['an LSTM', reimported(new Recurrent(), [1, 2, 2]), wave([1, 2, 2]), ''],
]

describe.each(networks)('%s', (_name, model, x, named) => {
  const weights = model.namedParameters()
  const [name, weight] = weights.find(([key]) => key === named) ?? weights[0]!
  const value = tensor(weight.dataSync(), { shape: weight.shape, dtype })
  const output = (w: Tensor, at: Tensor): Tensor => functionalCall(model, { [name]: w }, at) as Tensor
  const loss = (w: Tensor, at: Tensor): Tensor => sum(square(output(w, at)))

  test('first and second derivatives are those of differences, forward and in reverse, by weight and input', async () => {
    expect((await gradcheck((w: Tensor, at: Tensor) => output(w, at), [value, x])).worst).toBeLessThanOrEqual(1)
    expect((await gradgradcheck((w: Tensor, at: Tensor) => loss(w, at), [value, x])).worst).toBeLessThanOrEqual(1)
  })

  test('Hessians, products with them, and pushforwards agree', () => {
    const direction = wave(value.shape as number[], 0.3)
    const [, push] = jvp((w: Tensor) => loss(w, x), [value], [direction])
    expect(push.item()).toBeCloseTo(sum(mul(grad((w: Tensor) => loss(w, x))(value), direction)).item(), 9)
    const [product] = hvp((w: Tensor) => loss(w, x), [value], [direction])
    const whole = hessian((w: Tensor) => loss(w, x))(value)
    const n = value.size
    const [h, d] = [whole.dataSync(), direction.dataSync()]
    const expected = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Number(h[i * n + j]) * Number(d[j])).reduce((a, b) => a + b, 0))
    product.dataSync().forEach((p: number | bigint, i: number) => { expect(Number(p)).toBeCloseTo(expected[i]!, 8) })
  })

  test('a batch of weights at once, compiled, and recomputed instead of kept', () => {
    const many = stack([value, mul(value, 0.5)])
    const each = [value, mul(value, 0.5)].map(w => loss(w, x).item())
    vmap((w: Tensor) => loss(w, x))(many).dataSync().forEach((y: number | bigint, i: number) => { expect(Number(y)).toBeCloseTo(each[i]!, 9) })
    const plain = grad((w: Tensor) => loss(w, x))(value).dataSync()
    for (const f of [compile(grad((w: Tensor) => loss(w, x))), grad((w: Tensor) => checkpoint((v: Tensor) => loss(v, x), w))]) {
      f(value).dataSync().forEach((g: number | bigint, i: number) => { expect(Number(g)).toBeCloseTo(Number(plain[i]), 9) })
    }
  })
})

test('a whole training step compiles, running statistics too, and equals the step op by op', () => {
  const bytes = exportOnnx(new Sequential(new Conv2d(1, 2, 3, { bias: false }), new BatchNorm2d(2), new Sigmoid(), new Flatten(), new Linear(8, 3)), [{ name: 'x', shape: [4, 1, 4, 4] }])
  const x = tensor(Array.from({ length: 64 }, (_, i) => Math.cos(i)), { shape: [4, 1, 4, 4] })
  const y = tensor([0, 1, 2, 1], { dtype: 'int32' })
  const runs = [false, true].map(compiled => {
    const model = importOnnx(bytes).train()
    const optimiser = new Adam(model.parameters(), { lr: 0.01 })
    const step = (): Tensor => {
      optimiser.zeroGrad()
      const loss = crossEntropy(model.forward(x) as Tensor, y)
      loss.backward()
      optimiser.step()
      return loss
    }
    const run = compiled ? compile(step) : step
    const losses = Array.from({ length: 5 }, () => run().item())
    return [...losses, ...model.buffers().flatMap(b => [...b.dataSync()].map(Number))]
  })
  runs[0]!.forEach((n, i) => { expect(runs[1]![i]).toBeCloseTo(n, 5) })
  expect(runs[0]![4]).toBeLessThan(runs[0]![0]!)
})

describe('train() and eval() decide for every version of an operator, in bodies too', () => {
  const untyped = (name: string): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType: 1 } } })
  const weights = [initialiser('s', [2], [1, 1]), initialiser('b', [2], [0, 0]), initialiser('m', [2], [0, 0]), initialiser('v', [2], [1, 1])]
  const norm = node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], ['y'])
  const wrap = (inner: onnx.INodeProto): onnx.INodeProto => nodeWith('If', ['yes'], ['y'], { then_branch: graphOf([inner], [], [untyped('y_inner')]), else_branch: graphOf([node('Identity', ['x'], ['other'])], [], [untyped('other')]) })
  const nested = (inner: onnx.INodeProto): onnx.INodeProto => wrap({ ...inner, output: ['y_inner'] })
  const yes = { name: 'yes', dims: [], dataType: 9, int32Data: [1] }
  const x = tensor([[1, 2], [3, 8]])

  test.each([6, 7, 9, 14, 15, 17, 22])('BatchNormalization of operator set %i', opset => {
    const here = opset < 7 ? { ...norm, ...nodeWith('BatchNormalization', norm.input!, ['y'], { is_test: 1 }) } : norm
    for (const [nodes, extra] of [[[here], []], [[nested(here)], [yes]]] as const) {
      const model = importOnnx(modelBytes(graphOf([...nodes], [value('x', [2, 2])], [value('y', [2, 2])], [...weights, ...extra]), opset))
      const fromFile = String(model.forward(x))
      expect(String(model.eval().forward(x))).toBe(fromFile)
      const trained = model.train().forward(x) as Tensor
      trained.dataSync().forEach((n: number | bigint, i: number) => { expect(Number(n)).toBeCloseTo([-1, -1, 1, 1][i]!, 4) })
      const [mean] = model.buffers()
      mean!.dataSync().forEach((n: number | bigint, i: number) => { expect(Number(n)).toBeCloseTo([0.2, 0.5][i]!, 5) })
      expect(String(model.eval().forward(x))).not.toBe(fromFile)
    }
  })

  test.each([6, 7, 10, 12, 13, 22])('Dropout of operator set %i', opset => {
    const ones = tensor(new Float32Array(400).fill(1), { shape: [400] })
    const drop = opset < 12 ? nodeWith('Dropout', ['x'], ['y'], { ratio: 0.25, ...opset < 7 && { is_test: 1 } }) : node('Dropout', ['x', 'ratio'], ['y'])
    for (const [nodes, extra] of [[[drop], []], [[nested(drop)], [yes]]] as const) {
      const model = importOnnx(modelBytes(graphOf([...nodes], [value('x', [400])], [value('y', [400])], [initialiser('ratio', [], [0.25]), ...extra]), opset))
      const kept = (): number => [...(model.forward(ones) as Tensor).dataSync()].filter(n => Number(n) !== 0).length
      expect(kept()).toBe(400)
      model.eval()
      expect(kept()).toBe(400)
      model.train()
      const left = kept()
      expect(left).toBeGreaterThan(260)
      expect(left).toBeLessThan(340)
      expect(Math.max(...[...(model.forward(ones) as Tensor).dataSync()].map(Number))).toBeCloseTo(4 / 3, 5)
    }
  })
})
