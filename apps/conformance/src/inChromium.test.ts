// The pages of a headless run: what they run ends as it does here, and one that does not answer costs its own case only.

import { findChromium } from '@bp/browser'
import { describe, expect, test } from 'vitest'
import { inChromium } from './inChromium.ts'
import type { Listed } from './list.ts'
import { here } from './place.ts'

const setting = { compiled: false, single: false }
const entry = (name: string, options: object): Listed => ({ name, load: () => ({ 'entry.json': new TextEncoder().encode(JSON.stringify({ kind: 'schedule', name, options, base_lr: 1, lrs: [1, 0.5, 0.25] })) }) })
const cases: readonly Listed[] = [
  entry('ExponentialLR', { gamma: 0.5 }), entry('ExponentialLR', { gamma: 0.25 }), entry('Wonder', {}),
  { name: 'lost', load: () => { throw new Error('there is no such file') } }, { name: 'empty', load: () => ({}) },
]

describe.runIf(findChromium() !== null)('in Chromium', () => {
  test('a page judges as this process does', async () => {
    const [there, home] = [await inChromium({ suite: 'optim', setting, device: 'cpu', adapters: ['none'] }), here('optim', setting)]
    const results = { there: [] as unknown[], here: [] as unknown[] }
    for (const one of cases) {
      results.there.push(await there.run(one))
      results.here.push(await home.run(one))
    }
    await there.close()
    expect(results.there).toEqual(results.here)
    expect(results.here).toMatchInlineSnapshot(`
      [
        {
          "maxError": 0,
          "name": "ExponentialLR",
          "status": "pass",
        },
        {
          "name": "ExponentialLR",
          "reason": "rate[2] is 0.0625, expected 0.25 (7.47e+8 × the tolerance)",
          "status": "fail",
        },
        {
          "name": "Wonder",
          "reason": "schedule Wonder",
          "status": "unsupported",
        },
        {
          "name": "lost",
          "reason": "Error: there is no such file",
          "status": "fail",
        },
        {
          "name": "empty",
          "reason": "Error: there is no file entry.json",
          "status": "fail",
        },
      ]
    `)
  })

  test('a page that does not answer fails its case, and the next has another', async () => {
    const place = await inChromium({ suite: 'optim', setting, device: 'cpu', adapters: ['none'], patience: 1 })
    for (const one of cases.slice(0, 2)) expect(await place.run({ ...one, load: () => ({ ...one.load(), padding: new Uint8Array(2e7) }) })).toEqual({ name: one.name, status: 'fail', reason: 'no answer within 0.001 s' })
    await place.close()
  })
})
