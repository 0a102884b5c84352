// The bench app: what it measures besides time, its traces, its tables, and its options.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { inputs } from './data.ts'
import { footprint } from './footprint.ts'
import { parseOptions, UsageError } from './options.ts'
import { profile } from './profile.ts'
import { charts, failures, type JobReport, memoryTable, type Report, table } from './report.ts'
import { agree, median } from './statistics.ts'

const job = (name: string, rest: Partial<JobReport>): JobReport => ({ job: name, unit: 'ms', ours: 2, oursVariant: 'compile', peers: {}, ratios: {}, variants: {}, ...rest })

const report: Report = {
  machine: 'a machine, 2 cores', node: '24.9.0', date: '2026-01-01', versions: {},
  jobs: [
    job('mlp', { peers: { 'onnxruntime-node': 'has no such job', 'torch-1': 8, 'torch-2': 4, 'torch': 4, 'jax': 'no python3 here can import jax' }, ratios: { 'torch-1': 4, 'torch-2': 2, 'torch': 2 }, opByOp: 20, compiledGain: 10 }),
    job('gemm-64', { ours: 0.01, peers: { 'onnxruntime-node': 0.005, 'torch': 0.12, 'jax': 'no python3 here can import jax' }, ratios: { 'onnxruntime-node': 0.5, 'torch': 12 }, gflops: 50, peak: 100, peakShare: 0.5 }),
  ],
  memory: { mlp: { firstCall: 99.6, compiled: 2 ** 20, eager: 2 ** 22, ratio: 0.25 }, cnn: 'its process ended' },
}

test('a compiled step takes less memory than the same step op by op', () => {
  const measured = footprint('mlp', ['--conditions=@bp/source', '--no-warnings'])
  if (typeof measured === 'string') throw new Error(measured)
  const gradients = Object.entries(inputs.mlp!()).reduce((bytes, [name, { values }]) => name === 'x' || name === 'y' ? bytes : bytes + values.byteLength, 0)
  expect(measured.eager).toBeGreaterThan(gradients)
  expect(measured.ratio).toBe(measured.compiled / measured.eager)
  expect(measured.ratio).toBeLessThan(0.6)
})

test('a trace has the parts of a step, one after the other, under the name of the job', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bp-trace-'))
  const trace = join(folder, 'trace.json')
  const printed: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation(text => printed.push(String(text)) > 0)
  try {
    profile({ ...parseOptions(['--profile', '--trace', trace])!, jobs: ['mlp'] })
  } finally {
    spy.mockRestore()
  }
  const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8')) as { traceEvents: { name: string; ph: string; ts: number; dur: number; pid: number; args: object }[] }
  rmSync(folder, { recursive: true })
  const parts = traceEvents.filter(({ ph }) => ph === 'X')
  expect(traceEvents.filter(({ ph }) => ph === 'M').map(({ args }) => args)).toEqual([{ name: 'mlp, one step' }, { name: 'parts, on all threads' }])
  expect(printed[0]).toMatch(new RegExp(`^mlp: \\d+\\.\\d{3} ms in ${parts.length} parts\\n$`))
  let end = 0
  for (const { name, ts, dur, pid } of parts) {
    expect({ named: name.length > 0, pid }).toEqual({ named: true, pid: 1 })
    expect(ts).toBeCloseTo(end, 6)
    end = ts + dur
  }
  expect(parts.map(({ name }) => name)).toContainEqual(expect.stringMatching(/^dot f32\[64,256\], add\+relu/))
})

describe('the report', () => {
  test('shows each peer once, where it was fastest', () => {
    expect(table(report)).toMatchInlineSnapshot(`
      "| job | ours | ours, op by op | torch | jax | onnxruntime-node | how ours |
      | --- | --: | --: | --: | --: | --: | --: |
      | mlp, ms | 2.00 | 20.0 (10.0×) | 4.00 (2.00×) | – | – | compile |
      | gemm-64, ms | 0.010 |  | 0.120 (12.0×) | – | 0.005 (0.500×) | compile; 50 % of peak |"
    `)
  })

  test('shows memory and first calls', () => {
    expect(memoryTable(report)).toMatchInlineSnapshot(`
      "| step | first call, ms | compiled, MiB | op by op, MiB | compiled over op by op |
      | --- | --: | --: | --: | --: |
      | mlp | 100 | 1.00 | 4.00 | 25 % |
      | cnn | its process ended |  |  |  |"
    `)
  })

  test('says once why a peer could not run', () => {
    expect(failures(report)).toMatchInlineSnapshot(`
      [
        "onnxruntime-node: has no such job (mlp)",
        "jax: no python3 here can import jax (all jobs)",
      ]
    `)
  })

  test('draws a bar for each ratio in the table, none for those within a peer', () => {
    const { 'training.svg': training, 'kernels.svg': kernels, 'other.svg': other } = charts(report)
    const bars = (svg: string): number => svg.match(/height="10" fill="#/g)!.length - svg.match(/width="10" height="10"/g)!.length
    expect([bars(training!), bars(kernels!)]).toEqual([1, 2])
    expect(other).not.toContain('NaN')
  })
})

test('medians and agreement', () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5])
  expect([agree([1000, 0], [1000.9, 0.9]), agree([1000, 0], [1001.1, 0]), agree([1], [1, 1]), agree([NaN], [1])]).toEqual([true, false, false, false])
})

describe('options', () => {
  test('have defaults and are read', () => {
    expect(parseOptions(['--jobs', 'mlp,infer-cnn', '--peers', 'torch,jax', '--json', 'x.json'])).toMatchObject({ jobs: ['mlp', 'infer-cnn-1', 'infer-cnn-64'], peers: ['torch', 'jax'], json: 'x.json' })
    expect(parseOptions(['--help'])).toBeNull()
  })

  test.each([['--jobs', 'knitting'], ['--peers', 'abacus'], ['--json'], ['--trace', 'x.json'], ['--colour']])('refuse %s %s', (...argv) => {
    expect(() => parseOptions(argv)).toThrow(UsageError)
  })
})
