// The jobs of the WebGL backend, in the page: ours and the peer's compute the same. No time is asserted.

import { findChromium, noChromiumHint } from '@bp/browser'
import { expect, test } from 'vitest'
import { parseOptions, UsageError } from './options.ts'
import { raceInPage } from './webgl/race.ts'
import { webglPage } from './webgl/results.ts'

const missing = findChromium() === null
if (missing) console.warn(`THE JOBS ON WEBGL ARE LEFT OUT: there is no Chromium here. ${noChromiumHint}.`)

/** All but those that take long where nothing is measured. */
const jobs = ['mlp', 'cnn', 'launch', 'gemm-256', 'conv-3x3', 'add', 'relu', 'exp', 'gelu', 'sum', 'softmax']

test.skipIf(missing)('every job computes what the peer computes', async () => {
  const told: string[] = []
  const { jobs: reports, adapter, chromium } = await raceInPage({ jobs, peers: ['tfjs-webgl'], adapter: 'llvmpipe' }, (job, report) => told.push(report ? `${job} done` : job), { repetitions: 1, shortest: 0, warmUp: 0 })
  expect(adapter).toContain('llvmpipe')
  expect(told).toEqual(jobs.flatMap(job => [job, `${job} done`]))
  expect(reports.map(({ job, ours, peers }) => ({ job, ours: typeof ours, ...peers }))).toEqual(jobs.map(job => ({ job, ours: 'number', 'tfjs-webgl': expect.any(Number) })))
  for (const { job, ours, peers, ratios, opByOp } of reports) {
    expect(ratios['tfjs-webgl']).toBe(peers['tfjs-webgl'] as number / (ours as number))
    expect(opByOp !== undefined).toBe(job === 'mlp' || job === 'cnn')
  }
  const page = webglPage({ machine: 'a machine', node: '24.9.0', adapter, date: '2026-01-01', versions: { Chromium: chromium }, jobs: reports, memory: {} })
  for (const job of jobs) expect(page).toContain(`| ${job}, `)
}, 120_000)

test('options of the backend', () => {
  expect(parseOptions(['--backend', 'webgl', '--jobs', 'launch,gemm-512'])).toMatchObject({ backend: 'webgl', adapter: 'llvmpipe', jobs: ['launch', 'gemm-512'], peers: ['tfjs-webgl'] })
  expect(parseOptions(['--backend', 'webgl', '--adapter', 'swiftshader'])).toMatchObject({ adapter: 'swiftshader', peers: ['tfjs-webgl'] })
  expect(parseOptions([])).toMatchObject({ backend: 'cpu', peers: expect.not.arrayContaining(['tfjs-webgl']) })
})

test.each([['--backend', 'abacus'], ['--backend', 'webgl', '--adapter', 'abacus'], ['--adapter', 'swiftshader'], ['--backend', 'webgl', '--peers', 'torch'], ['--backend', 'webgl', '--jobs', 'infer-cnn'], ['--backend', 'webgl', '--profile'], ['--peers', 'tfjs-webgl']])('%s %s %s %s is bad usage', (...argv) => {
  expect(() => parseOptions(argv)).toThrow(UsageError)
})
