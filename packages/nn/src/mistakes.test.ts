// Mistakes that types do not catch, or not in JavaScript: each error names what it got and the way out.

import { cpu } from '@bp/backend-cpu'
import { ones, tensor, use } from '@bp/core'
import { expect, test } from 'vitest'
import { messageOf } from '../test/messages.ts'
import {
  Adam, ASGD, clipGradNorm, clipGradValue, CosineAnnealingLR, crossEntropy, ctcLoss, EMA, Embedding, ExponentialLR, GRU, Linear, LSTM, mseLoss, MultiheadAttention,
  Parameter, ReduceLROnPlateau, RNN, SGD, TransformerEncoderLayer,
} from './index.ts'

use(cpu())

const ints = (data: readonly number[], shape: readonly number[] = [data.length]) => tensor(data, { shape, dtype: 'int32' })
/** What JavaScript would let pass. */
const wrong = (value: unknown): never => value as never
const optimiser = () => new SGD([new Parameter(tensor([1]))], { lr: 1 })
const sequences = ones([5, 2, 3])

const mistakes: Readonly<Record<string, () => unknown>> = {
  'a size that is no number': () => new Linear(wrong(undefined), 2),
  'an unknown reduction': () => mseLoss(ones([2]), ones([2]), { reduction: wrong('avg') }),
  'too much smoothing': () => crossEntropy(ones([2, 3]), ints([0, 1]), { labelSmoothing: 2 }),
  'inputs shorter than their length': () => ctcLoss(ones([4, 1, 3]), ints([1, 2], [1, 2]), { inputLengths: [9] }),
  'a tensor of lengths beyond the steps': () => new LSTM(3, 4).forward(sequences, undefined, { lengths: ints([5, 6]) }),
  'one state where there are two': () => new LSTM(3, 4).forward(sequences, wrong(ones([1, 2, 4]))),
  'a list of states where there is one': () => new GRU(3, 4).forward(sequences, wrong([ones([1, 2, 4])])),
  'an unknown nonlinearity': () => new RNN(3, 4, { nonlinearity: wrong('gelu') }).forward(sequences),
  'an unknown activation': () => new TransformerEncoderLayer(4, 2, { activation: wrong('tanh') }),
  'a row that no table has': () => new Embedding(3, 2).forward(ints([0, -1])),
  'a mask of whole numbers': () => new MultiheadAttention(4, 2).forward(ones([1, 3, 4]), { keyPaddingMask: ints([0, 0, 1], [1, 3]) }),
  'no parameters': () => new SGD([]),
  'a model in place of its parameters': () => new SGD(wrong(new Linear(1, 1))),
  'names beside parameters': () => new Adam(wrong(new Linear(1, 1).namedParameters())),
  'a tensor in place of a parameter': () => new ASGD([wrong(tensor([1]))]),
  'a negative norm': () => clipGradNorm([], -1),
  'a limit that is no number': () => { clipGradValue([], NaN) },
  'a schedule without its factor': () => { new ExponentialLR(optimiser(), wrong(undefined)).step() },
  'a schedule of no steps': () => { new CosineAnnealingLR(optimiser(), 0).step() },
  'a metric that is a tensor': () => { new ReduceLROnPlateau(optimiser()).step(wrong(tensor(1))) },
  'a model’s state for an optimiser': () => { optimiser().loadStateDict(wrong(new Linear(1, 1).stateDict())) },
  'an optimiser’s state for a model': () => new Linear(1, 1).loadStateDict(wrong(optimiser().stateDict())),
  'no state for averages': () => { new EMA(new Linear(1, 1)).loadStateDict(wrong(null)) },
}

test('mistakes are named, with the way out', () => {
  expect(Object.fromEntries(Object.entries(mistakes).map(([name, mistake]) => [name, messageOf(mistake)]))).toMatchInlineSnapshot(`
    {
      "a limit that is no number": "clipGradValue: the limit must be at least 0, got NaN",
      "a list of states where there is one": "gru: the initial state must be a tensor, or left out for zeros",
      "a mask of whole numbers": "MultiheadAttention: keyPaddingMask must be bool, true where nobody may look, or floating-point numbers that are added to the scores, got i32[1,3]. Convert it with cast(mask, 'bool')",
      "a metric that is a tensor": "ReduceLROnPlateau: step needs the metric as a number, got object. Pass loss.item()",
      "a model in place of its parameters": "SGD: needs a list of parameters or of groups. Pass model.parameters()",
      "a model’s state for an optimiser": "loadStateDict: the state is none of an optimiser. Load what stateDict of SGD gave",
      "a negative norm": "clipGradNorm: maxNorm must be at least 0, got -1",
      "a row that no table has": "embedding: row -1 is outside 0 … 2, the rows of f32[3,2]. Give padding a row of its own, and name it as paddingIdx",
      "a schedule of no steps": "CosineAnnealingLR: the rate of epoch 1 would be NaN, from 1 before. Check what the schedule was given",
      "a schedule without its factor": "ExponentialLR: the rate of epoch 1 would be NaN, from 1 before. Check what the schedule was given",
      "a size that is no number": "Linear: inFeatures must be a whole number ≥ 0, got undefined",
      "a tensor in place of a parameter": "ASGD: its parameters must be Parameters, which a step can assign. Pass model.parameters(), or new Parameter(x) for a tensor",
      "a tensor of lengths beyond the steps": "lstm: a length must be a whole number from 1 to the 5 steps of f32[5,2,3], got 6",
      "an optimiser’s state for a model": "loadStateDict: the state must be a Map of tensors by name. Pass what stateDict() gave, the tensors of decodeSafetensors, or new Map(Object.entries(…))",
      "an unknown activation": "Transformer: activation must be 'relu', 'gelu' or a function, got tanh",
      "an unknown nonlinearity": "rnn: nonlinearity must be 'tanh' or 'relu', got gelu",
      "an unknown reduction": "loss: reduction must be 'mean', 'sum' or 'none', got avg",
      "inputs shorter than their length": "ctcLoss: inputLengths must be whole numbers from 0 to 4, got 9",
      "names beside parameters": "Adam: its parameters must be Parameters, which a step can assign. Pass model.parameters(), or new Parameter(x) for a tensor",
      "no parameters": "SGD: got no parameters. Pass model.parameters()",
      "no state for averages": "loadStateDict: the state is none of averages. Load what stateDict of the averages gave",
      "one state where there are two": "lstm: the initial state must be a pair of tensors [h, c], or left out for zeros",
      "too much smoothing": "crossEntropy: labelSmoothing must be between 0 and 1, got 2",
    }
  `)
})

test('a layer without inputs gives its bias, which begins at 0', () => {
  expect(String(new Linear(0, 2).forward(ones([1, 0])))).toBe('tensor([[0, 0]], float32)')
})
