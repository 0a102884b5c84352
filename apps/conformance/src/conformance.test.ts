// The judge itself: what it lets pass, what it does not, and what it reports.

import { cpu } from '@bp/backend-cpu'
import { BpError, tensor, use } from '@bp/core'
import { Parameter } from '@bp/nn'
import { UnsupportedOperatorError } from '@bp/onnx'
import { expect, test } from 'vitest'
import { compare, compareNumbers, larger, Mismatch, single, Unsupported } from './compare.ts'
import { toReport, toTable } from './report.ts'
import { judge } from './suites/suite.ts'
import { lossOf, optimizerOf } from './suites/torch.ts'

use(cpu())
const tolerance = { rtol: 0.1, atol: 0.01 }

test('numbers pass within the tolerance, and the error is relative to it', () => {
  expect(compareNumbers('y', [1.05], [1], tolerance)).toBeCloseTo(0.05 / 0.11, 6)
  expect(() => compareNumbers('y', [1, 1.2], [1, 1], tolerance)).toThrowErrorMatchingInlineSnapshot('[Error: y[1] is 1.2, expected 1 (1.82 × the tolerance)]')
})

test('a share of the largest expected magnitude, or of 1, stands for what is allowed where that is more', () => {
  const scaled = larger({ rtol: 0, atol: 0.01 }, { rtol: 0, atol: 0, share: 0.001 })
  expect(compareNumbers('y', [0.01, 1], [0, 1], scaled)).toBeCloseTo(1, 6)
  expect(compareNumbers('y', [0.01, 1000, Infinity], [0, 1000, Infinity], scaled)).toBeCloseTo(0.01, 6)
  expect(larger({ rtol: 1e-2, atol: 1e-5 }, single)).toEqual({ rtol: 1e-2, atol: 1e-5, share: 1e-4 })
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

test('a case passes, fails or is unsupported; nothing it throws stops the run', async () => {
  const status = async (run: () => { maxError: number }): Promise<string> => (await judge('x', run)).status
  expect(await status(() => ({ maxError: 0.5 }))).toBe('pass')
  expect(await status(() => { throw new Mismatch('wrong') })).toBe('fail')
  expect(await status(() => { throw new TypeError('crash') })).toBe('fail')
  expect(await status(() => { throw new Unsupported('loss ctc') })).toBe('unsupported')
  expect(await status(() => { throw new UnsupportedOperatorError('importOnnx', ['Loop'], 'Loop') })).toBe('unsupported')
})

test('what a backend says that it has not is unsupported; other errors of types are not', async () => {
  const result = (code: 'dtype' | 'value', text: string): ReturnType<typeof judge> => judge('x', () => { throw new BpError(code, 'add', text) })
  expect(await result('dtype', 'the GPU has no float64. Cast to float32')).toEqual({ name: 'x', status: 'unsupported', reason: 'add: the GPU has no float64. Cast to float32' })
  expect(await result('dtype', 'operands must have one dtype, got f32[2] and i32[2]')).toMatchObject({ status: 'fail' })
  expect(await result('value', 'the list has no element')).toMatchObject({ status: 'fail' })
})

test('options of an optimiser that are not known are unsupported, not ignored', () => {
  const params = [new Parameter(tensor(1))]
  expect(optimizerOf({ name: 'Adam', lr: 1, weight_decay: 0.5, foreach: true }, params).groups[0]).toMatchObject({ lr: 1, weightDecay: 0.5 })
  expect(() => optimizerOf({ name: 'Adam', lr: 1, sparse: true }, params)).toThrow(Unsupported)
  expect(() => optimizerOf({ name: 'Wonder', lr: 1 }, params)).toThrow(Unsupported)
})

test('losses take PyTorch\'s names, of functions and modules, and its options; others are unsupported, not ignored', () => {
  const [logits, target] = [tensor([[2, 0, -1], [0.5, 1, 0]]), tensor([0, 2], { dtype: 'int32' })]
  const [y, wanted] = [tensor([[0.5, -2], [3, 1]]), tensor([[1, 0], [1, 1]])]
  // PyTorch 2.15
  for (const [spec, want] of [
    [{ name: 'cross_entropy', reduction: null }, 0.925058], [{ name: 'CrossEntropyLoss', weight: [1, 2, 0.5], label_smoothing: 0.1 }, 0.816553],
    [{ name: 'cross_entropy', ignore_index: 2, reduction: 'sum' }, 0.169846],
  ] as const) expect(lossOf(spec, logits, target).item(), JSON.stringify(spec)).toBeCloseTo(want, 5)
  for (const [spec, want] of [
    [{ name: 'bce_with_logits', pos_weight: [2, 1] }, 0.37138], [{ name: 'smooth_l1', beta: 0.5 }, 0.9375], [{ name: 'l1_loss' }, 1.125], [{ name: 'HuberLoss', delta: 2 }, 1.03125],
    [{ name: 'soft_margin' }, 0.382268], [{ name: 'hinge_embedding', margin: 0.5 }, 1.25],
  ] as const) expect(lossOf(spec, y, wanted).item(), JSON.stringify(spec)).toBeCloseTo(want, 5)
  expect(() => lossOf({ name: 'mse', delta: 1 }, y, wanted)).toThrowErrorMatchingInlineSnapshot(`[Error: loss mse with delta]`)
  expect(() => lossOf({ name: 'ctc' }, y, wanted)).toThrowErrorMatchingInlineSnapshot(`[Error: loss ctc]`)
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
