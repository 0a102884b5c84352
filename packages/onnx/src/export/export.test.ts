// Exported files run in ONNX Runtime, and read back by the importer, give what the module gives.

import { type DType, grad, type Tensor, tensor, use, Variable } from '@bp/core'
import { bind, defineComposite, defineOp } from '@bp/core/extend'
import { cpu } from '@bp/backend-cpu'
import { BatchNorm2d, Conv2d, Embedding, Flatten, GRU, LayerNorm, Linear, LSTM, MaxPool2d, Module, ReLU, RNN, Sequential, TransformerEncoderLayer } from '@bp/nn'
import * as ops from '@bp/ops'
import { gruResetFirstLayerRow, gruResetFirstOf, lstmLayerRow, lstmOf, recur } from '@bp/ops/extend'
import proto, { type onnx } from 'onnx-proto'
import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { exportOnnx, type ExportInput, type ExportOptions, importOnnx } from '../index.ts'
import { graphOf, initialiser, modelBytes, nodeWith, value } from '../../test/model.ts'

use(cpu())

type Program = Module<never, Tensor | Tensor[]> | ((...xs: Tensor[]) => Tensor | readonly Tensor[])

const generator = new ops.Generator(3)

/** An input with values in [low, high); `fixed` keeps its first axis out of the dynamic batch. */
interface Input extends ExportInput {
  readonly shape: readonly number[]
  readonly low?: number
  readonly high?: number
  readonly fixed?: boolean
}

const sample = ({ dtype = 'float32', low = -2, high = 2 }: Input, shape: readonly number[]): Tensor => ops.cast(generator.uniform(shape, { low, high }), dtype)

const call = (f: Program, xs: Tensor[]): Tensor[] => [f instanceof Module ? f.forward(...xs as never) : f(...xs)].flat()

const operatorsOf = (bytes: Uint8Array): string[] => (proto.onnx.ModelProto.decode(bytes).graph?.node ?? []).map(({ opType }) => opType ?? '')

function expectClose(what: string, got: ArrayLike<number | bigint>, want: Tensor): void {
  const expected = Array.from<number | bigint, number>(want.dataSync(), Number)
  const scale = Math.max(1, ...expected.map(Math.abs).filter(Number.isFinite))
  expect(got.length, what).toBe(expected.length)
  expected.forEach((value, i) => {
    if (!Object.is(Number(got[i]), value)) expect(Math.abs(Number(got[i]) - value), `${what}[${i}]: ${got[i]} and ${value}`).toBeLessThanOrEqual(1e-5 * scale)
  })
}

/** Exports at a fixed and at a dynamic batch, and compares both with the program itself. */
async function expectRoundTrip(f: Program, inputs: readonly Input[], options: ExportOptions = {}): Promise<void> {
  if (f instanceof Module) f.eval()
  for (const dynamicBatch of [false, true]) {
    const specs = inputs.map((input, i): Input => ({ name: `x${i}`, ...input, dynamicBatch: dynamicBatch && !input.fixed }))
    const bytes = exportOnnx(f, specs, options)
    expect(exportOnnx(f, specs, options)).toEqual(bytes)
    const session = await runtime.InferenceSession.create(bytes)
    const back = importOnnx(bytes)
    for (const batch of dynamicBatch ? [1, 4] : [null]) {
      const xs = specs.map(spec => sample(spec, batch !== null && spec.dynamicBatch ? [batch, ...spec.shape.slice(1)] : spec.shape))
      const want = call(f, xs)
      const got = await session.run(Object.fromEntries(specs.map(({ name }, i) => [name!, new runtime.Tensor(xs[i]!.dtype as 'float32', xs[i]!.dataSync() as Float32Array, [...xs[i]!.shape])])))
      const again = [back.forward(...xs)].flat()
      want.forEach((y, i) => {
        const theirs = got[session.outputNames[i]!]!
        expect(theirs.dims).toEqual([...y.shape])
        expectClose('onnxruntime', theirs.data as Float32Array, y)
        expect([again[i]!.dtype, again[i]!.shape]).toEqual([y.dtype, y.shape])
        expectClose('imported', again[i]!.dataSync(), y)
      })
    }
  }
}

const vector: Input = { shape: [2, 3] }
const image: Input = { shape: [2, 3, 8, 8] }
const index = (shape: number[], high: number, dtype: DType = 'int32'): Input => ({ shape, dtype, low: 0, high })

describe('modules', () => {
  test('a perceptron is two Gemms, its parameters under their own names', async () => {
    const model = new Sequential(new Linear(3, 5), new ReLU(), new Linear(5, 2))
    await expectRoundTrip(model, [vector])
    const bytes = exportOnnx(model, [{ shape: [1, 3], dynamicBatch: true }])
    expect(operatorsOf(bytes)).toEqual(['Gemm', 'Relu', 'Gemm'])
    expect(importOnnx(bytes).namedParameters().map(([name]) => name)).toEqual(['0.weight', '0.bias', '2.weight', '2.bias'])
    expect(importOnnx(bytes).inputs).toMatchObject([{ name: 'input', dtype: 'float32', shape: ['batch', 3] }])
    expect(importOnnx(bytes).outputs).toMatchObject([{ name: 'output', dtype: 'float32', shape: ['batch', 2] }])
  })

  test('a convolutional network', async () => {
    const model = new Sequential(new Conv2d(3, 4, 3, { padding: 1 }), new BatchNorm2d(4), new ReLU(), new MaxPool2d(2), new Flatten(), new Linear(64, 5))
    model.forward(sample(image, image.shape))
    await expectRoundTrip(model, [image])
    const bytes = exportOnnx(model, [{ ...image, dynamicBatch: true }])
    expect(operatorsOf(bytes).filter(name => name !== 'Constant')).toEqual(['Conv', 'BatchNormalization', 'Relu', 'MaxPool', 'Reshape', 'Gemm'])
    expect(importOnnx(bytes).namedBuffers().map(([name]) => name)).toEqual(['1.running_mean', '1.running_var'])
  })

  test('a transformer layer', async () => {
    await expectRoundTrip(new TransformerEncoderLayer(8, 2, { feedForward: 16, batchFirst: true }), [{ shape: [2, 5, 8] }])
  })

  test('an embedding and layer normalisation', async () => {
    await expectRoundTrip(new Sequential(new Embedding(7, 4), new LayerNorm(4)), [index([2, 3], 7, 'int64')])
  })

  /** A recurrent layer's outputs and last states alone. */
  const recurrent = (model: LSTM | GRU | RNN): Program => {
    class Whole extends Module<[x: Tensor, lengths?: Tensor], Tensor[]> {
      readonly layer = model
      override forward(x: Tensor, lengths?: Tensor): Tensor[] {
        const options = { lengths }
        return (this.layer instanceof LSTM ? this.layer.forward(x, undefined, options) : this.layer.forward(x, undefined, options)).flat()
      }
    }
    return new Whole()
  }
  const sequences: Input = { shape: [2, 5, 3] }
  const lengths = index([2], 6, 'int32')

  test.each<readonly [string, LSTM | GRU | RNN, readonly string[], readonly Input[]]>([
    ['LSTM', new LSTM(3, 4, { numLayers: 2, bidirectional: true, batchFirst: true }), ['LSTM', 'LSTM', 'LSTM', 'LSTM'], [sequences]],
    ['GRU of many lengths', new GRU(3, 4, { bidirectional: true, batchFirst: true }), ['GRU', 'GRU'], [sequences, { ...lengths, low: 1 }]],
    ['RNN with relu, without biases', new RNN(3, 4, { nonlinearity: 'relu', bias: false, batchFirst: true }), ['RNN'], [sequences]],
    ['LSTM with a projection, step by step', new LSTM(3, 4, { projSize: 2, batchFirst: true }), [], [sequences]],
  ])('a recurrent network: %s', async (_name, model, operators, inputs) => {
    const program = recurrent(model)
    await expectRoundTrip(program, inputs)
    const bytes = exportOnnx(program, inputs)
    expect(operatorsOf(bytes).filter(name => ['LSTM', 'GRU', 'RNN'].includes(name))).toEqual(operators)
    expect(importOnnx(bytes).namedParameters()).toHaveLength(model.parameters().length)
  })

  test('a cell with peepholes, clipped, coupled or that resets first comes back as it was', async () => {
    const w = (...shape: number[]): Tensor => generator.normal(shape, { std: 0.5 })
    const peepholes = [w(4), w(4), w(4)] as const
    const lstm = { ih: w(16, 3), hh: w(16, 4), biasIh: w(16), biasHh: w(16), peepholes }
    const gru = { ih: w(12, 3), hh: w(12, 4) }
    const initial = [w(2, 4), w(2, 4)]
    const programs: readonly (readonly [string, (x: Tensor) => Tensor])[] = [
      ['LSTM', x => recur({ row: lstmLayerRow, of: lstmOf }, { clip: 3 }, x, lstm, { initial }).last[1]!],
      ['LSTM', x => recur({ row: lstmLayerRow, of: lstmOf }, { coupled: true, output: ops.relu }, x, { ...lstm, peepholes: undefined }, { reverse: true }).y],
      ['GRU', x => recur({ row: gruResetFirstLayerRow, of: gruResetFirstOf }, {}, x, gru).y],
    ]
    for (const [operator, program] of programs) {
      await expectRoundTrip(program, [{ shape: [5, 2, 3], fixed: true }])
      expect(operatorsOf(exportOnnx(program, [{ shape: [5, 2, 3] }]))).toContain(operator)
    }
    const odd = (x: Tensor): Tensor => recur({ row: lstmLayerRow, of: lstmOf }, { output: ops.gelu }, x, lstm).y
    await expectRoundTrip(odd, [{ shape: [5, 2, 3], fixed: true }])
  })

  test('training mode is left as it was', () => {
    const model = new Sequential(new BatchNorm2d(3))
    exportOnnx(model, [image])
    expect([model.training, model.layers[0]!.training]).toEqual([true, true])
  })
})

const kernel = generator.normal([4, 3, 3, 3])
const transposedKernel = generator.normal([3, 2, 3, 3])
const oneWay = (f: (x: Tensor) => Tensor): Program => x => f(x)

/** Programs of one float input [2, 3]. */
const unary: Record<string, (x: Tensor) => Tensor> = {
  neg: ops.neg, abs: ops.abs, sign: ops.sign, floor: ops.floor, ceil: ops.ceil, round: ops.round, exp: ops.exp, expm1: ops.expm1, tanh: ops.tanh, sigmoid: ops.sigmoid,
  erf: ops.erf, relu: ops.relu, sin: ops.sin, cos: ops.cos, tan: ops.tan, atan: ops.atan, gelu: ops.gelu, silu: ops.silu, softplus: ops.softplus, elu: ops.elu,
  leakyRelu: ops.leakyRelu, selu: ops.selu, celu: ops.celu, mish: ops.mish, hardSigmoid: ops.hardSigmoid, hardSwish: ops.hardSwish, softmax: ops.softmax,
  logSoftmax: ops.logSoftmax, logSumExp: x => ops.logSumExp(x, 1), sum: x => ops.sum(x), mean: x => ops.mean(x), variance: x => ops.variance(x), amax: x => ops.amax(x, 1),
  cumSum: ops.cumSum, argMax: ops.argMax, argSort: ops.argSort, tril: ops.tril, flip: ops.flip, roll: x => ops.roll(x, 1, 1),
  asin: x => ops.asin(ops.tanh(x)), acos: x => ops.acos(ops.tanh(x)), log: x => ops.log(ops.exp(x)), sqrt: x => ops.sqrt(ops.exp(x)),
  'log1p near 0': x => ops.mul(ops.log1p(ops.mul(ops.exp(x), 1e-6)), 1e6), 'expm1 near 0': x => ops.mul(ops.expm1(ops.mul(x, 1e-6)), 1e6),
  'pad by a value': x => ops.pad(x, [[0, 0], [1, 2]], { value: 3 }), 'pad by mirroring': x => ops.pad(x, [[0, 0], [1, 2]], { mode: 'reflect' }),
  'broadcast from before': x => ops.broadcastTo(ops.reshape(x, [x.shape[0]!, 3, 1]), [x.shape[0]!, 3, 4]),
  'broadcast to the batch': x => ops.broadcastTo(ops.sum(x, 0), x.shape), 'join the batch': x => ops.reshape(x, [x.size]),
  'count the batch': x => ops.mul(x, ops.reshape(ops.iota(x.shape[0]!, 'float32'), [x.shape[0]!, 1])),
  'a tensor closed over': x => ops.add(x, tensor([1, 2, 3])), 'standardise everything': x => ops.standardise(x, [0, 1]),
  oneHot: x => ops.oneHot(ops.argMax(x), 3), topk: x => ops.topk(x, 2)[0],
}

/** Programs of one image [2, 3, 8, 8]. */
const spatial: Record<string, (x: Tensor) => Tensor> = {
  slice: x => ops.slice(x, [0, 0, 1, 2], [Infinity, 2, -1], [1, 1, 2, 3]),
  'pool with overhang': x => ops.maxPool(x, { kernel: 3, stride: 2, padding: 1, ceilMode: true }),
  'mean pool': x => ops.avgPool(x, { kernel: 3, stride: 2, padding: 1 }),
  'mean pool without padding': x => ops.avgPool(x, { kernel: 3, stride: 2, padding: 1, countIncludePad: false }),
  'mean pool with overhang': x => ops.avgPool(x, { kernel: 3, stride: 2, padding: 1, ceilMode: true }),
  'transposed convolution': x => ops.convTranspose(x, transposedKernel, { stride: 2, padding: 1, outputPadding: 1 }),
  'gradient of a convolution': x => grad((z: Tensor) => ops.sum(ops.square(ops.convolve(z, kernel, { stride: 2, padding: 1 }))))(x),
  'gradient of a slice': x => grad((z: Tensor) => ops.sum(ops.square(ops.slice(z, [0, 0, 1, 2], [Infinity, 2, -1], [1, 1, 2, 3]))))(x),
}

describe('ops', () => {
  test.each(Object.keys(unary))('%s', async name => { await expectRoundTrip(oneWay(unary[name]!), [vector]) })
  test.each(Object.keys(spatial))('%s', async name => { await expectRoundTrip(oneWay(spatial[name]!), [image]) })

  test.each<[string, (a: Tensor, b: Tensor) => Tensor, Input, Input]>([
    ['comparison and choice', (a, b) => ops.select(ops.logicalOr(ops.less(a, b), ops.logicalNot(ops.lessEqual(b, 0))), a, b), vector, vector],
    ['equal', (a, b) => ops.equal(a, b), index([2, 3], 2), index([2, 3], 2)],
    ['concat', (a, b) => ops.concat([a, b], 1), vector, vector],
    ['matmul of stacks', (a, b) => ops.matmul(a, b), { shape: [2, 4, 3] }, { shape: [2, 3, 5] }],
    ['attention', (a, b) => ops.scaledDotProductAttention(a, b, b, { causal: true }), { shape: [2, 4, 3] }, { shape: [2, 4, 3] }],
    ['take', (a, b) => ops.take(a, b, 1), vector, { ...index([4], 3), fixed: true }],
    ['takeAlong', (a, b) => ops.takeAlong(a, b, 1), vector, index([2, 2], 3, 'int64')],
    ['scatterAdd', (a, b) => ops.scatterAdd(a, b, 5, 1), { shape: [2, 4, 3] }, { ...index([4], 5), fixed: true }],
    ['gradient of a kernel', (a, b) => grad((w: Tensor) => ops.sum(ops.square(ops.convolve(a, w, { stride: 2, padding: 1, groups: 3 }))))(b), { ...image, fixed: true }, { shape: [6, 1, 3, 3], fixed: true }],
  ])('%s', async (_name, f, a, b) => { await expectRoundTrip(f, [a, b]) })

  test.each([13, 18, 21])('operator set %i', async opset => {
    await expectRoundTrip(x => ops.gelu(ops.mish(ops.add(ops.amax(x, 1, true), ops.logSumExp(x, 1, true)))), [vector], { opset })
  })
})

describe('ops of authors', () => {
  const x = { name: 'x', shape: [2] }

  test('are written as their decompositions', async () => {
    const bump = defineComposite({ name: 'acme/bump', arity: 1, decompose: ([z]) => ops.add(ops.mul(z, z), z) })
    await expectRoundTrip(z => bind(bump, [z], undefined), [vector])
  })

  test('without one are refused by name', () => {
    const swirl = defineOp({ name: 'acme/swirl', arity: 1, fuse: 'map', infer: ([z]) => z.aval, diff: { kind: 'zero' } })
    expect(() => exportOnnx(z => bind(swirl, [ops.neg(z)], undefined), [x])).toThrowErrorMatchingInlineSnapshot('[BpError: exportOnnx: acme/swirl (op 2 of 2) has no counterpart in ONNX and no decomposition. Give its row a decompose in terms of ops that have one]')
  })
})

describe('what cannot be exported says which op', () => {
  const x = { name: 'x', shape: [2, 3], dynamicBatch: true }

  test('sizes that follow from the batch in no way that ONNX has', () => {
    expect(() => exportOnnx(z => ops.pad(z, [[0, Math.floor(Math.sqrt(z.shape[0]!))], [0, 0]]), [x])).toThrowErrorMatchingInlineSnapshot(`[BpError: exportOnnx: pad (op 1 of 1) has a size of 2 where batch is 7, 3 where batch is 12, which neither follows from the open dimensions by whole factors and sums nor is a size of a value at hand. Export at fixed sizes]`)
    expect(() => exportOnnx(z => ops.slice(z, [0], [Math.floor(z.shape[0]! / 3)]), [x])).toThrow('slice (op 1 of 1) has a size of 2 where batch is 7, 4 where batch is 12')
  })

  test('tensors made of data by the size', () => {
    expect(() => exportOnnx(z => ops.mul(z, tensor(Array.from({ length: z.shape[0]! }, (_, i) => [i * i]))), [x])).toThrowErrorMatchingInlineSnapshot(`[BpError: exportOnnx: a tensor that the function makes from data depends on a dimension that is to stay open: it is [7,1] at one size and [12,1] at another. Make it with ops, or export at a fixed size]`)
  })

  test('programs that branch on the batch', () => {
    expect(() => exportOnnx(z => z.shape[0]! > 8 ? ops.exp(z) : ops.neg(z), [x])).toThrow('other ops at another size')
  })

  test('assignment', () => {
    const count = new Variable(tensor([0, 0, 0]))
    expect(() => exportOnnx(z => { count.assign(ops.sum(z, 0)); return z }, [x])).toThrow('assigns variables')
  })

  test('two values of one name', () => {
    expect(() => exportOnnx(z => ops.exp(z), [x], { outputs: ['x'] })).toThrow('two values would have the name "x"')
  })
})

test('inputs and parameters may be outputs', async () => {
  const weight = new Variable(tensor([1, 2]))
  const bytes = exportOnnx(x => [x, x, weight], [{ name: 'x', shape: [2] }], { parameters: [['w', weight]], outputs: ['a', 'b', 'c'] })
  const session = await runtime.InferenceSession.create(bytes)
  const got = await session.run({ x: new runtime.Tensor('float32', Float32Array.of(5, 6), [2]) })
  expect(Object.values(got).map(({ data }) => Array.from(data as Float32Array))).toEqual([[5, 6], [5, 6], [1, 2]])
})

test('a step of batch normalisation that is an output too stays a value of its own', async () => {
  const [mean, variance, scale, shift] = Array.from({ length: 4 }, () => new Variable(generator.uniform([3], { low: 0.5 }))) as [Variable, Variable, Variable, Variable]
  await expectRoundTrip(x => {
    const centred = ops.sub(x, mean)
    const widened = ops.add(variance, 1e-5)
    const root = ops.sqrt(widened)
    return [ops.add(ops.mul(ops.div(centred, root), scale), shift), root, widened]
  }, [vector])
})

test('names with commas are not taken for one another', async () => {
  await expectRoundTrip((a, b, c, d) => [ops.add(a, b), ops.add(c, d)], ['a,b', 'c', 'a', 'b,c'].map(name => ({ ...vector, name })))
})

test('a model that was read is exported as its file says until a mode is chosen', () => {
  const statistics = (name: string): onnx.ITensorProto => initialiser(name, [2], [1, 2])
  const normalised = nodeWith('BatchNormalization', ['x', 'scale', 'bias', 'mean', 'variance'], ['y', 'mean2', 'variance2'], { training_mode: 1 })
  const file = modelBytes(graphOf([normalised], [value('x', [3, 2])], [value('y', [3, 2])], ['scale', 'bias', 'mean', 'variance'].map(statistics)))
  const x = generator.uniform([3, 2])
  const again = (model: ReturnType<typeof importOnnx>): string => String(importOnnx(exportOnnx(model)).forward(x))
  expect(again(importOnnx(file))).toBe(String(importOnnx(file).forward(x)))
  expect(again(importOnnx(file).eval())).toBe(String(importOnnx(file).eval().forward(x)))
  expect(again(importOnnx(file))).not.toBe(again(importOnnx(file).eval()))
})
