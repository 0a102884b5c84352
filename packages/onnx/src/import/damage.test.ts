// Ten thousand damaged files, made from sound ones of every structure by a seed: each loads or is refused by an error of ours.

import * as fc from 'fast-check'
import { BpError, full, use } from '@bp/core'
import { bytesPerElement } from '@bp/core/extend'
import { cpu } from '@bp/backend-cpu'
import { expect, test } from 'vitest'
import { damaged, mutations } from '../../test/mutate.ts'
import { seeds } from '../../test/seeds.ts'
import { importOnnx, type OnnxModule, UnsupportedError } from '../index.ts'
import { defaultLimits } from './limits.ts'

use(cpu())

const externalData = (): Uint8Array => new Uint8Array(64)
const bytesOf = (model: OnnxModule): number => [...model.stateDict().values()].reduce((sum, { size, dtype }) => sum + size * bytesPerElement(dtype), 0)

test.each(Object.keys(seeds))('the sound model %s runs, or needs what is unsupported', name => {
  try {
    const model = importOnnx(seeds[name]!, { externalData })
    expect(() => model.run(Object.fromEntries(model.inputs.map(({ name, shape, dtype }) => [name, full((shape ?? []).map(n => typeof n === 'number' ? n : 2), 0.5, dtype)])))).not.toThrow()
  } catch (error) {
    expect(error).toBeInstanceOf(UnsupportedError)
  }
})

test('ten thousand damaged models load or are refused', () => {
  let [loaded, refused] = [0, 0]
  const models = fc.constantFrom(...Object.values(seeds))
  fc.assert(fc.property(models, models, mutations, (seed, other, list) => {
    const bytes = damaged(seed, list, other)
    try {
      // weights are as large as what the file and the one beside it hold, but for what is sparse
      expect(bytesOf(importOnnx(bytes, { externalData }))).toBeLessThanOrEqual(8 * bytes.length + 4 * externalData().length + defaultLimits.sparseBytes)
      loaded++
    } catch (error) {
      if (!(error instanceof BpError)) throw error
      refused++
    }
  }), { seed: 1986, numRuns: 10_000 })
  expect(loaded).toBeGreaterThan(500)
  expect(refused).toBeGreaterThan(5000)
})
