// TensorFlow's surface: what is watched, what a tape gives once or often, tapes in tapes.

import { cpu } from '@bp/backend-cpu'
import { matmul, sum } from '@bp/ops'
import { expect, test } from 'vitest'
import { add, GradientTape, mul, type Tensor, tensor, use, Variable } from './index.ts'

use(cpu())

test('variables are watched by themselves, and are no leaves afterwards', () => {
  const x = new Variable(tensor([[1, 2], [3, 4]]))
  const w = new Variable(tensor([[5], [6]]))
  const tape = new GradientTape()
  const loss = tape.record(() => sum(matmul(x, w)))
  const [dx, dw] = tape.gradient(loss, [x, w])
  expect([dx!.toArray(), dw!.toArray()]).toEqual([[[5, 6], [5, 6]], [[4], [6]]])
  expect([x.requiresGrad, w.requiresGrad]).toEqual([false, false])
})

test('other tensors are watched when told so, from then on', () => {
  const x = tensor(3)
  const tape = new GradientTape({ persistent: true })
  const [before, after] = tape.record(() => {
    const early = mul(x, x)
    tape.watch(x)
    return [early, mul(x, x)] as const
  })
  expect(tape.gradient(before, x)).toBeNull()
  expect(tape.gradient(after, x)!.item()).toBe(6)
})

test('a tape can be told not to watch variables', () => {
  const [x, y] = [new Variable(tensor(3)), new Variable(tensor(4))]
  const tape = new GradientTape({ watchAccessedVariables: false })
  const z = tape.record(() => {
    tape.watch(x)
    return mul(x, y)
  })
  const { dx, dy } = tape.gradient(z, { dx: x, dy: y })
  expect([dx!.item(), dy]).toEqual([4, null])
})

test('one set of gradients, unless it is persistent', () => {
  const x = new Variable(tensor(3))
  const tape = new GradientTape()
  const y = tape.record(() => mul(x, x))
  tape.gradient(y, x)
  expect(() => tape.gradient(y, x)).toThrowErrorMatchingInlineSnapshot(`[BpError: GradientTape: a tape gives one set of gradients, and this one has been used. Make it with { persistent: true } for more]`)
  const lasting = new GradientTape({ persistent: true })
  const [a, b] = lasting.record(() => [mul(x, x), mul(x, 7)] as const)
  expect([a, b, a].map(z => lasting.gradient(z, x)!.item())).toEqual([6, 7, 6])
})

test('tapes nest: the outer one differentiates the gradient that the inner one gave', () => {
  const x = new Variable(tensor(3))
  const constant = tensor(2)
  const [outer, inner] = [new GradientTape(), new GradientTape()]
  const dy = outer.record(() => {
    outer.watch(constant)
    const y = inner.record(() => mul(mul(x, x), mul(x, constant)))
    return inner.gradient(y, x)!
  })
  const [ddx, mixed] = outer.gradient(dy, [x, constant])
  // y = c·x³: y′ = 3c·x² = 54, y″ = 6c·x = 36, ∂y′/∂c = 3x² = 27
  expect([dy.item(), ddx!.item(), mixed!.item()]).toEqual([54, 36, 27])
})

test('a persistent tape records the gradients taken while it records', () => {
  const x = new Variable(tensor(3))
  const tape = new GradientTape({ persistent: true })
  const dy = tape.record(() => tape.gradient(mul(x, mul(x, x)), x)!)
  expect(tape.gradient(dy, x)!.item()).toBe(18)
})

test('recording can stop, go on and start afresh', () => {
  const x = new Variable(tensor(3))
  const tape = new GradientTape({ persistent: true })
  const y = tape.record(() => add(mul(x, x), tape.stopRecording(() => mul(x, 100))))
  expect(tape.gradient(y, x)!.item()).toBe(6)
  const z = tape.record(() => mul(y, x))
  expect(tape.gradient(z, x)!.item()).toBe(309 + 18)
  tape.reset()
  const fresh = tape.record(() => mul(x, 2))
  expect(tape.gradient(fresh, x)!.item()).toBe(2)
})

test('a target that is no scalar is summed, or weighted', () => {
  const x = new Variable(tensor([1, 2]))
  const tape = new GradientTape({ persistent: true })
  const y = tape.record(() => mul(x, x))
  expect(tape.gradient(y, x)!.toArray()).toEqual([2, 4])
  expect(tape.gradient(y, x, { outputGradients: tensor([10, 1]) })!.toArray()).toEqual([20, 4])
  expect(() => tape.gradient(y, x, { outputGradients: tensor(1) })).toThrowErrorMatchingInlineSnapshot(`[BpError: GradientTape: a gradient of the target is f32[], its target f32[2]. They must be alike]`)
})

test('whole numbers cannot be watched', () => {
  const counts: Tensor = tensor([1, 2], { dtype: 'int32' })
  expect(() => { new GradientTape().watch(counts) }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradientTape: only floating-point tensors have gradients, got i32[2]. Cast it to float32 first]`)
})
