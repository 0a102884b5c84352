// Anomaly detection: the op whose backward made the first NaN is named, with the place it was called from.

import { cpu } from '@bp/backend-cpu'
import { log, sqrt } from '@bp/ops'
import { expect, test } from 'vitest'
import { add, backward, detectAnomaly, enableGrad, GradientTape, inferenceMode, isGradEnabled, mul, registerHook, savedTensorsHooks, type Tensor, tensor, use } from './index.ts'

use(cpu())

const message = (f: () => unknown): string => {
  try {
    f()
  } catch (error) {
    return (error as Error).message
  }
  return 'no error'
}

const lossAt = (x: Tensor): Tensor => add(mul(log(x), 0), sqrt(x))

test('the op and the line of the forward pass are named', () => {
  const x = tensor([0, 4], { requiresGrad: true })
  const text = message(() => { detectAnomaly(() => { backward(lossAt(x), { gradient: tensor([1, 1]) }) }) })
  expect(text.split('\n')[0]).toMatchInlineSnapshot(`"detectAnomaly: the backward pass of log made the first NaN, in the gradient of operand 0 f32[2]; the gradients of its results had none. It was called at"`)
  expect(text).toMatch(/at lossAt .*anomaly\.test\.ts/)
})

test('a forward pass outside is named without its place', () => {
  const x = tensor([0, 4], { requiresGrad: true })
  const y = lossAt(x)
  expect(message(() => { detectAnomaly(() => { backward(y, { gradient: tensor([1, 1]) }) }) })).toMatchInlineSnapshot(`"detectAnomaly: the backward pass of log made the first NaN, in the gradient of operand 0 f32[2]; the gradients of its results had none. Run the forward pass inside detectAnomaly too, to be told where it was called"`)
})

test('a NaN that comes from outside the pass is told apart', () => {
  const x = tensor(4, { requiresGrad: true })
  const y = mul(x, 3)
  registerHook(y, () => tensor(NaN))
  expect(message(() => { detectAnomaly(() => { backward(mul(y, 2)) }) })).toMatchInlineSnapshot(`"detectAnomaly: the backward pass of mul made the first NaN, in the gradient of operand 0 f32[]; its result had a gradient of NaN already, which came from outside the pass. Run the forward pass inside detectAnomaly too, to be told where it was called"`)
})

test('a pass without NaN goes through, and NaN passes once detection has ended', () => {
  const x = tensor([1, 4], { requiresGrad: true })
  detectAnomaly(() => { backward(lossAt(x), { gradient: tensor([1, 1]) }) })
  expect(x.grad!.toArray()).toEqual([0.5, 0.25])
  const zero = tensor(0, { requiresGrad: true })
  backward(lossAt(zero))
  expect(zero.grad!.item()).toBeNaN()
})

test('inference mode keeps recording off, whatever is inside', () => {
  const x = tensor(2, { requiresGrad: true })
  expect(inferenceMode(() => [mul(x, x).requiresGrad, enableGrad(() => mul(x, x).requiresGrad), isGradEnabled()])).toEqual([false, false, false])
  expect(mul(inferenceMode(() => mul(x, x)), x).requiresGrad).toBe(true)
})

test('async functions are refused, for what holds in them would not last', () => {
  const x = tensor(1, { requiresGrad: true })
  const f = async (): Promise<Tensor> => mul(await Promise.resolve(x), x)
  for (const run of [() => detectAnomaly(f), () => savedTensorsHooks(z => z, z => z, f), () => new GradientTape().record(f), () => inferenceMode(f)]) {
    expect(run).toThrow(/the function is async/)
  }
})
