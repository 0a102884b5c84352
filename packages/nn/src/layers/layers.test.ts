// Every layer and loss against PyTorch's numbers, and in a compiled training step against itself op by op.

import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { Generator } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { layers } from '../../test/layers.ts'
import { losses } from '../../test/losses.ts'
import { checkAgainstPyTorch, checkCompiled, type Row } from '../../test/step.ts'
import * as nn from '../index.ts'

use(cpu())

describe.each([...layers, ...losses])('%s', (...row) => {
  test('gives what PyTorch gives', () => { checkAgainstPyTorch(row) })
  test('learns the same in a compiled step', () => { checkCompiled(row) })
})

/** Layers that draw: no numbers of PyTorch's. */
const drawing: readonly Row[] = ([
  ['Dropout', options => new nn.Dropout(0.4, options), [3, 4]],
  ['Dropout1d', options => new nn.Dropout1d(0.4, options), [2, 3, 4]],
  ['Dropout1d, unbatched', options => new nn.Dropout1d(0.4, options), [3, 4]],
  ['Dropout2d', options => new nn.Dropout2d(0.4, options), [2, 3, 2, 2]],
  ['Dropout3d', options => new nn.Dropout3d(0.4, options), [3, 2, 2, 2]],
  ['AlphaDropout', options => new nn.AlphaDropout(0.4, options), [3, 4]],
  ['FeatureAlphaDropout', options => new nn.FeatureAlphaDropout(0.4, options), [2, 3, 4]],
  ['GaussianNoise', options => new nn.GaussianNoise(0.3, options), [3, 4]],
  ['RReLU', options => new nn.RReLU(0.1, 0.4, options), [3, 4]],
  ['FractionalMaxPool2d', options => new nn.FractionalMaxPool2d(2, { outputRatio: 0.6, ...options }), [2, 5, 6]],
] satisfies [string, (options: { readonly generator: Generator }) => nn.Module, number[]][]).map(([name, make, shape]): Row => [name, () => make({ generator: new Generator(3) }), [shape], [], [], ''])

test.each(drawing)('%s draws the same in a compiled step, and anew in each', (...row) => { checkCompiled(row) })

test('every layer and loss has a row', () => {
  const rows = new Set([...layers, ...losses, ...drawing].map(([name]) => name.split(',')[0]))
  const isLayer = (value: unknown): boolean => typeof value === 'function' && value.prototype instanceof nn.Module
  // their tests are elsewhere: containers and wrappers, recurrent layers, attention, positions, and the base of BatchNorm1d to 3d
  const elsewhere = /^(Module|ModuleDict|ModuleList|Sequential|Residual|StochasticDepth|WeightNorm|LoRA|BatchNorm|(RNN|LSTM|GRU)(Cell)?|.*Positions|.*Attention|Transformer.*)$/
  expect(Object.entries(nn).flatMap(([name, value]) => isLayer(value) && !rows.has(name) && !elsewhere.test(name) ? name : [])).toEqual([])
})
