// The judge itself: what it lets pass, what it does not, and what it reports.

import { cpu } from '@bp/backend-cpu'
import { tensor, use } from '@bp/core'
import { Parameter } from '@bp/nn'
import { UnsupportedOperatorError } from '@bp/onnx'
import { expect, test } from 'vitest'
import { compare, compareNumbers, Mismatch, Unsupported } from './compare.ts'
import { toReport, toTable } from './report.ts'
import { runCase } from './suites/suite.ts'
import { optimizerOf } from './suites/torch.ts'

use(cpu())
const tolerance = { rtol: 0.1, atol: 0.01 }

test('numbers pass within the tolerance, and the error is relative to it', () => {
  expect(compareNumbers('y', [1.05], [1], tolerance)).toBeCloseTo(0.05 / 0.11, 6)
  expect(() => compareNumbers('y', [1, 1.2], [1, 1], tolerance)).toThrowErrorMatchingInlineSnapshot('[Error: y[1] is 1.2, expected 1 (1.82 × the tolerance)]')
})

test('NaN and infinities equal only themselves, and integers are exact', () => {
  expect(compareNumbers('y', [NaN, Infinity, 2n ** 60n], [NaN, Infinity, 2n ** 60n], tolerance)).toBe(0)
  for (const [got, want] of [[NaN, 1], [1, NaN], [Infinity, -Infinity], [Infinity, 1], [1, Infinity]] as const) {
    expect(() => compareNumbers('y', [got], [want], tolerance)).toThrow(Mismatch)
  }
})

test('shapes and dtypes must be equal', () => {
  expect(() => compare('y', tensor([1]), tensor([[1]]), tolerance)).toThrow(/shape \[1\], expected \[1,1\]/)
  expect(() => compare('y', tensor([1]), tensor([1], { dtype: 'int32' }), tolerance)).toThrow(/float32, expected int32/)
})

test('a case passes, fails or is unsupported; nothing it throws stops the run', () => {
  const status = (run: () => { maxError: number }): string => runCase({ name: 'x', run }).status
  expect(status(() => ({ maxError: 0.5 }))).toBe('pass')
  expect(status(() => { throw new Mismatch('wrong') })).toBe('fail')
  expect(status(() => { throw new TypeError('crash') })).toBe('fail')
  expect(status(() => { throw new Unsupported('loss ctc') })).toBe('unsupported')
  expect(status(() => { throw new UnsupportedOperatorError('importOnnx', ['Loop'], 'Loop') })).toBe('unsupported')
})

test('options of an optimiser that are not known are unsupported, not ignored', () => {
  const params = [new Parameter(tensor(1))]
  expect(optimizerOf({ name: 'Adam', lr: 1, weight_decay: 0.5, foreach: true }, params).groups[0]).toMatchObject({ lr: 1, weightDecay: 0.5 })
  expect(() => optimizerOf({ name: 'Adam', lr: 1, sparse: true }, params)).toThrow(Unsupported)
  expect(() => optimizerOf({ name: 'Wonder', lr: 1 }, params)).toThrow(Unsupported)
})

test('the report counts, and the table names every failure', () => {
  const report = toReport('parity', 'cpu', [{ name: 'a', status: 'pass', maxError: 0.1 }, { name: 'b', status: 'fail', reason: 'y[0] is 1' }, { name: 'c', status: 'unsupported', reason: 'Loop' }, { name: 'd', status: 'unsupported', reason: 'Loop' }], 1.25)
  expect(report).toMatchObject({ total: 4, passed: 1, failed: 1, unsupported: 2 })
  expect(toTable(report)).toMatchInlineSnapshot(`
    "fail         b: y[0] is 1
    unsupported     2  Loop
    parity on cpu: 4 cases in 1.3 s: 1 passed, 1 failed, 2 unsupported"
  `)
})
