// Metrics against scikit-learn 1.9's values, in one batch and in several, and their states.

import { cpu } from '@bp/backend-cpu'
import { type DType, encodeFloat16, type Tensor, tensor, use } from '@bp/core'
import { decodeCheckpoint, encodeCheckpoint } from '@bp/nn'
import { describe, expect, test } from 'vitest'
import { Accuracy, AUROC, type Average, ConfusionMatrix, F1, Mean, MeanAbsoluteError, MeanSquaredError, type Metric, Perplexity, Precision, R2Score, Recall, TopKAccuracy } from '../index.ts'

use(cpu())

const ints = (values: readonly number[], dtype: DType = 'int32'): Tensor => tensor(values, { dtype })

const y = [0, 1, 2, 2, 1, 0, 3, 3, 1, 2, 2, 0], p = [0, 2, 2, 1, 1, 0, 3, 2, 1, 2, 0, 0]
/** With a class that is only right, and one that is only predicted. */
const y2 = [...y, 5, 1], p2 = [...p, 4, 4]
const right = [1, 0, 1, 1, 0, 0, 1, 0], scores = [0.9, 0.8, 0.4, 0.6, 0.3, 0.5, 0.5, 0.1]
const table = [[0.1, 0.5, 0.4], [0.3, 0.31, 0.39], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]], t = [2, 0, 1, 2, 2]
const numbers = [[3, 10], [-0.5, 12], [2, 9], [7, 11], [1, 14]], guesses = [[2.5, 10.5], [0, 11], [2, 9.5], [8, 11], [1.5, 12]]

type Case = readonly [name: string, make: () => Metric<number>, predictions: readonly unknown[], targets: readonly unknown[], value: number]

const averages = (average: Average, precision: number, recall: number, f1: number, predictions = p, targets = y): Case[] => [
  [`${average} precision of ${targets.length}`, () => new Precision({ average }), predictions, targets, precision],
  [`${average} recall of ${targets.length}`, () => new Recall({ average }), predictions, targets, recall],
  [`${average} F1 of ${targets.length}`, () => new F1({ average }), predictions, targets, f1],
]

const cases: Case[] = [
  ['accuracy', () => new Accuracy(), p, y, 0.6666666666666666],
  ...averages('macro', 0.7291666666666666, 0.6666666666666666, 0.6726190476190476),
  ...averages('micro', 0.6666666666666666, 0.6666666666666666, 0.6666666666666666),
  ...averages('weighted', 0.6875, 0.6666666666666666, 0.6587301587301587),
  ...averages('macro', 0.4861111111111111, 0.4166666666666667, 0.4325396825396825, p2, y2),
  ...averages('micro', 0.5714285714285714, 0.5714285714285714, 0.5714285714285714, p2, y2),
  ...averages('weighted', 0.6369047619047619, 0.5714285714285714, 0.5850340136054422, p2, y2),
  ...averages('binary', 0.6, 0.75, 0.6666666666666666, scores, right),
  ['AUROC', () => new AUROC(), scores, right, 0.71875],
  ['top 1', () => new TopKAccuracy(1), table, t, 0.4],
  ['top 2', () => new TopKAccuracy(2), table, t, 0.6],
  ['top 3', () => new TopKAccuracy(3), table, t, 1],
  ['mean absolute error', () => new MeanAbsoluteError(), guesses, numbers, 0.65],
  ['mean squared error', () => new MeanSquaredError(), guesses, numbers, 0.725],
  ['R²', () => new R2Score(), guesses, numbers, 0.7868454391891893],
]

const floats = (values: readonly unknown[]): Tensor => tensor(values as number[], { dtype: 'float64' })
const predictionsOf = (values: readonly unknown[]): Tensor => values.every(Number.isInteger) ? ints(values as number[]) : floats(values)

test.each(cases)('%s', (_name, make, predictions, targets, value) => {
  const targetsOf = (values: readonly unknown[]): Tensor => targets === numbers ? floats(values) : ints(values as number[])
  const whole = make(), parts = make(), resumed = make()
  expect(whole.compute()).toBeNaN()
  whole.update(predictionsOf(predictions), targetsOf(targets))
  expect(whole.compute()).toBeCloseTo(value, 12)
  for (let at = 0; at < targets.length; at += 3) {
    parts.update(predictionsOf(predictions.slice(at, at + 3)), targetsOf(targets.slice(at, at + 3)))
    if (at === 3) decodeCheckpoint(encodeCheckpoint({ metric: parts }), { metric: resumed })
    if (at > 3) resumed.update(predictionsOf(predictions.slice(at, at + 3)), targetsOf(targets.slice(at, at + 3)))
  }
  expect(parts.compute()).toBeCloseTo(value, 12)
  if (targets.length > 6) expect(resumed.compute()).toBe(parts.compute())
  parts.reset()
  expect(parts.compute()).toBeNaN()
})

test('perplexity is exp of the mean cross-entropy, also of large logits, positions and targets that do not count', () => {
  const perplexity = new Perplexity({ ignoreIndex: 9 })
  perplexity.update(tensor(table.map(row => row.map(q => 1000 + Math.log(q))), { dtype: 'float64' }), ints(t))
  const q = [0.4, 0.3, 0.5, 0.1, 0.7]
  expect(perplexity.compute()).toBeCloseTo(Math.exp(-q.reduce((sum, value) => sum + Math.log(value), 0) / 5), 9)
  const positions = new Perplexity({ ignoreIndex: 9 })
  // [n, classes, length]
  positions.update(tensor([[[0, Math.log(3)], [0, 0]]]), tensor([[1, 0]], { dtype: 'int32' }))
  expect(positions.compute()).toBeCloseTo(Math.sqrt(2 / 1 * 4 / 3), 5)
  positions.update(tensor([[[0, 5], [0, 5]]]), tensor([[9, 9]], { dtype: 'int32' }))
  expect(positions.compute()).toBeCloseTo(Math.sqrt(2 / 1 * 4 / 3), 5)
})

describe('predictions', () => {
  const value = (prediction: Tensor, target: Tensor, options = {}): number => {
    const accuracy = new Accuracy(options)
    accuracy.update(prediction, target)
    return accuracy.compute()
  }

  test('are scores, classes, or scores of the second class, of any dtype and rank', () => {
    expect(value(tensor(table), ints(t))).toBe(0.4)
    expect(value(tensor([[[1, 5], [2, 4]]]), tensor([[1, 0]], { dtype: 'int32' }))).toBe(1)
    expect(value(tensor(encodeFloat16(Float32Array.from([1, 2, 4, 3])), { dtype: 'float16', shape: [2, 2] }), ints([1, 0], 'int64'))).toBe(1)
    expect(value(ints([1, 0], 'uint8'), ints([1, 1]))).toBe(0.5)
    expect(value(tensor([2, -2]), ints([1, 0]), { threshold: 0 })).toBe(1)
    expect(value(tensor(table), ints([2, 0, 1, 2, 2]), { ignoreIndex: 2 })).toBe(0.5)
  })

  test('that are equal count for the first class', () => {
    expect(value(tensor([[1, 1], [1, 1]]), ints([0, 1]))).toBe(0.5)
    const top = new TopKAccuracy(2)
    top.update(tensor([[1, 1, 1]]), ints([2]))
    expect(top.compute()).toBe(0)
  })
})

test('a mean is weighted, of numbers and of tensors', () => {
  const mean = new Mean()
  mean.update(0.5, 32)
  mean.update(tensor(1), 16)
  expect(mean.compute()).toBeCloseTo(2 / 3, 12)
})

test('R² of targets that do not vary is 1 for perfect predictions and 0 for others', () => {
  const score = (guess: number[]): number => {
    const r2 = new R2Score()
    r2.update(tensor(guess), tensor([2, 2, 2]))
    return r2.compute()
  }
  expect([score([2, 2, 2]), score([2, 2, 3])]).toEqual([1, 0])
})

test('the confusion matrix is scikit-learn’s, and prints as a table', () => {
  const matrix = new ConfusionMatrix(4, { names: ['cat', 'dog', 'horse', 'bee'] })
  matrix.update(ints(p), ints(y))
  expect(matrix.compute().counts).toEqual([[3, 0, 0, 0], [0, 2, 1, 0], [1, 1, 2, 0], [0, 0, 1, 1]])
  expect(String(matrix.compute())).toMatchInlineSnapshot(`
    "       cat  dog  horse  bee
    cat      3    0      0    0
    dog      0    2      1    0
    horse    1    1      2    0
    bee      0    0      1    1"
  `)
})

test('errors say what to do', () => {
  const messages = [
    () => { new Accuracy().update(tensor([1, 2]), ints([1])) },
    () => { new Precision().update(ints([2]), ints([1])) },
    () => { new F1({ average: 'macro' }).update(ints([1]), ints([-1])) },
    () => { new TopKAccuracy(1).update(tensor([1]), ints([1])) },
    () => new TopKAccuracy(0),
    () => { new ConfusionMatrix(2).update(ints([2]), ints([1])) },
    () => new ConfusionMatrix(2, { names: ['one'] }),
    () => { new Perplexity().update(tensor([[1, 2]]), ints([2])) },
    () => { new MeanAbsoluteError().update(tensor([1]), tensor([1, 2])) },
    () => { new AUROC().update(tensor([1]), ints([2])) },
  ].map(act => {
    try {
      act()
      return 'nothing thrown'
    } catch (error) {
      return (error as Error).message
    }
  })
  expect(messages).toMatchInlineSnapshot(`
    [
      "Accuracy: predictions must be scores [n, classes, …] or of the targets' shape, got f32[2] for targets i32[1]",
      "Precision: there is a class 2, and average is binary. Pass { average: 'macro' }, 'micro' or 'weighted' for more than two classes",
      "F1: there is a class -1; classes are whole numbers from 0 on. Pass { ignoreIndex } for targets that do not count",
      "TopKAccuracy: predictions must be scores [n, classes, …], got f32[1] for targets i32[1]",
      "TopKAccuracy: k must be a whole number ≥ 1, got 0",
      "ConfusionMatrix: there is a class 2, and the matrix has 2 classes, from 0 on",
      "ConfusionMatrix: there are 2 classes and 1 names. Give each a name",
      "Perplexity: there is a class 2, and logits of 2 classes",
      "MeanAbsoluteError: predictions and targets must be of one shape, got f32[1] and f32[2]",
      "AUROC: targets must be 0 or 1, got 2",
    ]
  `)
})
