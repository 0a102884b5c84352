// Every module of @bp/nn goes out as a file, runs in ONNX Runtime, comes back the same, and goes out again the same.

import { noGrad, Tensor, tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import * as nn from '@bp/nn'
import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { layers } from '../../../nn/test/layers.ts'
import { losses } from '../../../nn/test/losses.ts'
import type { Row } from '../../../nn/test/step.ts'
import { exportOnnx, type ExportOptions, importOnnx } from '../index.ts'

use(cpu())

const wave = (shape: readonly number[], k: number): Tensor => tensor(Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.cos(1.3 * i + k)), { shape })

type Forward = nn.Module<Tensor[], Tensor | Tensor[]>

/** A module that takes and gives tensors alone, made of one that does not; it has the parameters of that one under their own names. */
class Adapted extends nn.Module<Tensor[], Tensor | Tensor[]> {
  private readonly inner: nn.AnyModule
  private readonly f: (xs: readonly Tensor[]) => Tensor | Tensor[]

  constructor(inner: nn.AnyModule, f: (xs: readonly Tensor[]) => Tensor | Tensor[]) {
    super()
    this.inner = inner
    this.f = f
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return nn.Module.fieldsOf(this.inner)
  }

  override train(on = true): this {
    this.inner.train(on)
    return super.train(on)
  }

  override forward(...xs: Tensor[]): Tensor | Tensor[] {
    return this.f(xs)
  }
}

/** A module and what it is fed. */
interface Case {
  readonly model: Forward
  readonly inputs: readonly Tensor[]
  /** Whether only the third file is the last that differs: the importer writes scattering without a reduction in other ops. */
  readonly settlesLate?: boolean
}

const of = <M extends nn.Module>(model: M, ...inputs: Tensor[]): Case => ({ model: model, inputs })
const by = (model: nn.AnyModule, f: (xs: readonly Tensor[]) => Tensor | Tensor[], ...inputs: Tensor[]): Case => ({ model: new Adapted(model, f), inputs })

const batch = wave([2, 4], 0)
const sequences = wave([2, 5, 4], 0)
const image = wave([2, 3, 4, 4], 1)
const small = { feedForward: 8, batchFirst: true }

/** Modules that are in neither of the tables of @bp/nn. */
const others: Readonly<Record<string, () => Case>> = {
  Sequential: () => of(new nn.Sequential(new nn.Linear(4, 3), new nn.Tanh(), new nn.Linear(3, 2)), batch),
  ModuleList: () => {
    const list = new nn.ModuleList([new nn.Linear(4, 4), new nn.Linear(4, 2)])
    return by(list, ([x]) => [...list].reduce((y, layer) => layer.forward(y), x!), batch)
  },
  ModuleDict: () => {
    const dict = new nn.ModuleDict({ a: new nn.Linear(4, 4), b: new nn.Linear(4, 2) })
    return by(dict, ([x]) => dict.get('b').forward(dict.get('a').forward(x!)), batch)
  },
  BatchNorm: () => of(new nn.BatchNorm(4), batch),
  AlphaDropout: () => of(new nn.AlphaDropout(), batch), Dropout: () => of(new nn.Dropout(), batch), Dropout1d: () => of(new nn.Dropout1d(), sequences),
  Dropout2d: () => of(new nn.Dropout2d(), image), Dropout3d: () => of(new nn.Dropout3d(), wave([1, 2, 2, 2, 2], 0)),
  FeatureAlphaDropout: () => of(new nn.FeatureAlphaDropout(), batch), GaussianNoise: () => of(new nn.GaussianNoise(), batch),
  Residual: () => of(new nn.Residual(new nn.Linear(4, 4), { drop: 0.2 }), batch),
  StochasticDepth: () => of(new nn.StochasticDepth(0.5), batch),
  WeightNorm: () => of(new nn.WeightNorm(new nn.Linear(4, 3)), batch),
  LoRA: () => of(new nn.LoRA(new nn.Linear(4, 3), { rank: 2 }), batch),
  RNN: () => {
    const rnn = new nn.RNN(4, 3, { batchFirst: true, nonlinearity: 'relu' })
    return by(rnn, ([x]) => rnn.forward(x!), sequences)
  },
  GRU: () => {
    const gru = new nn.GRU(4, 3, { numLayers: 2, bidirectional: true })
    return by(gru, ([x, h]) => gru.forward(x!, h), sequences, wave([4, 5, 3], 1))
  },
  LSTM: () => {
    const lstm = new nn.LSTM(4, 3, { batchFirst: true, bidirectional: true })
    return by(lstm, ([x]) => lstm.forward(x!).flat(), sequences)
  },
  'LSTM, projected': () => {
    const lstm = new nn.LSTM(4, 3, { batchFirst: true, projSize: 2 })
    return by(lstm, ([x]) => lstm.forward(x!).flat(), sequences)
  },
  RNNCell: () => of(new nn.RNNCell(4, 3), batch), GRUCell: () => of(new nn.GRUCell(4, 3), batch),
  LSTMCell: () => {
    const cell = new nn.LSTMCell(4, 3)
    return by(cell, ([x]) => cell.forward(x!), batch)
  },
  MultiheadAttention: () => {
    const attention = new nn.MultiheadAttention(4, 2, { batchFirst: true })
    return by(attention, ([x]) => attention.forward(x!, { causal: true }), sequences)
  },
  LearnedPositions: () => of(new nn.LearnedPositions(8, 4, { batchFirst: true }), sequences),
  SinusoidalPositions: () => of(new nn.SinusoidalPositions({ batchFirst: true }), sequences),
  Transformer: () => {
    const model = new nn.Transformer(4, 2, { numEncoderLayers: 1, numDecoderLayers: 1, ...small })
    return by(model, ([x, y]) => model.forward(x!, y!, { tgtIsCausal: true }), sequences, wave([2, 3, 4], 1))
  },
  TransformerDecoder: () => {
    const decoder = new nn.TransformerDecoder(() => new nn.TransformerDecoderLayer(4, 2, small), 1, new nn.LayerNorm(4))
    return by(decoder, ([x, y]) => decoder.forward(x!, y!), sequences, wave([2, 3, 4], 1))
  },
  TransformerDecoderLayer: () => {
    const layer = new nn.TransformerDecoderLayer(4, 2, small)
    return by(layer, ([x, y]) => layer.forward(x!, y!), sequences, wave([2, 3, 4], 1))
  },
  TransformerEncoder: () => of(new nn.TransformerEncoder(() => new nn.TransformerEncoderLayer(4, 2, small), 2) as unknown as nn.Module, sequences),
  TransformerEncoderLayer: () => of(new nn.TransformerEncoderLayer(4, 2, { ...small, normFirst: true }) as unknown as nn.Module, sequences),
}

/** A row of a table of @bp/nn's: inputs go in as they come through, and of a result that is more the output is taken. */
function caseOf([name, make, inputs]: Row): Case {
  const options = { dtype: 'float32' } as const
  const inner = make(options) as unknown as nn.Module<Tensor[], Tensor | { readonly output: Tensor }>
  inner.parameters().forEach((parameter, k) => { parameter.assign(tensor(Array.from({ length: parameter.size }, (_, i) => Math.cos(0.7 * i + k)), { shape: parameter.shape })) })
  const xs = inputs.map((input, k) => {
    if (typeof input !== 'function') return wave(input, k)
    const { x, through } = input(k, options)
    return through?.(x) ?? x
  })
  return {
    ...by(inner, args => {
      const y = inner.forward(...args)
      return y instanceof Tensor ? y : y.output
    }, ...xs), settlesLate: name.startsWith('MaxUnpool'),
  }
}

const cases: readonly (readonly [string, () => Case])[] = [...[...layers, ...losses].map(row => [row[0], () => caseOf(row)] as const), ...Object.entries(others)]

function expectClose(what: string, got: ArrayLike<number | bigint>, want: Tensor): void {
  const expected = Array.from<number | bigint, number>(want.dataSync(), Number)
  const scale = Math.max(1, ...expected.map(Math.abs).filter(Number.isFinite))
  expect(got.length, what).toBe(expected.length)
  expected.forEach((value, i) => { if (!Object.is(Number(got[i]), value)) expect(Math.abs(Number(got[i]) - value), `${what}[${i}]: ${got[i]} and ${value}`).toBeLessThanOrEqual(1e-5 * scale) })
}

const namesOf = (model: nn.AnyModule): string[] => [...model.stateDict().keys()].filter(name => !name.endsWith('num_batches_tracked')).sort()

/** Exports, runs in both, and exports what came back twice: the same from the second file on. */
async function checkRoundTrip({ model, inputs, settlesLate = false }: Case, options: ExportOptions): Promise<void> {
  model.eval()
  const bytes = exportOnnx(model, inputs.map(({ shape, dtype }, i) => ({ name: `x${i}`, shape, dtype })), options)
  const want = noGrad(() => [model.forward(...inputs)].flat())
  const session = await runtime.InferenceSession.create(bytes, { graphOptimizationLevel: 'disabled' })
  const feeds = inputs.map((x, i) => [`x${i}`, new runtime.Tensor(x.dtype as 'float32', x.dataSync() as Float32Array, [...x.shape])] as const)
  const got = await session.run(Object.fromEntries(feeds.filter(([name]) => session.inputNames.includes(name))))
  const back = importOnnx(bytes)
  const again = noGrad(() => [back.forward(...inputs)].flat())
  want.forEach((y, i) => {
    const theirs = got[session.outputNames[i]!]!
    expect([theirs.dims, again[i]!.shape]).toEqual([[...y.shape], y.shape])
    expectClose('onnxruntime', theirs.data as Float32Array, y)
    expectClose('imported', again[i]!.dataSync(), y)
  })
  expect(namesOf(back)).toEqual(namesOf(model).filter(name => back.stateDict().has(name)))
  const [second, third, fourth] = Array.from({ length: 3 }).reduce<Uint8Array[]>(files => [...files, exportOnnx(importOnnx(files.at(-1)!), null, options)], [bytes]).slice(1)
  expect(third).toEqual(settlesLate ? fourth : second)
}

describe('every module goes out and comes back', () => {
  test('every module of @bp/nn is in a table', () => {
    const modules = Object.entries(nn).filter(([, value]) => typeof value === 'function' && value.prototype instanceof nn.Module).map(([name]) => name)
    const shown = new Set(cases.map(([name]) => name.split(',')[0]))
    expect(modules.filter(name => !shown.has(name))).toEqual([])
  })

  test.each(cases.filter(([name]) => name.endsWith('short rows')))('%s: refused, for it writes to its weight in forward', (_name, make) => {
    const { model, inputs } = make()
    expect(() => exportOnnx(model.eval(), inputs.map(({ shape, dtype }) => ({ shape, dtype })))).toThrow('assigns variables')
  })

  test.each(cases.filter(([name]) => !name.endsWith('short rows')))('%s', async (_name, make) => { await checkRoundTrip(make(), {}) })

  test.each([13, 20, 23])('a handful at operator set %i', async opset => {
    for (const name of ['Conv2d', 'InstanceNorm2d', 'GroupNorm', 'LayerNorm', 'RMSNorm', 'BatchNorm2d', 'GELU', 'Mish', 'Upsample, bilinear', 'LSTM', 'MultiheadAttention', 'TransformerEncoderLayer']) await checkRoundTrip(new Map(cases).get(name)!(), { opset })
  })
})
