// Hooks on tensors and nodes, retained gradients, saved-tensor hooks: in PyTorch's order, with its effects.

import { cpu } from '@bp/backend-cpu'
import { dot } from '@bp/ops/extend'
import { sum } from '@bp/ops'
import { expect, test } from 'vitest'
import { add, backward, gradFn, gradients, mul, registerHook, retainGrad, savedTensorsHooks, type Tensor, tensor, use, zerosLike } from './index.ts'

use(cpu())

const leafOf = (value: number): Tensor => tensor(value, { requiresGrad: true })

test('a hook sees the whole gradient of a tensor that is used twice, once a pass', () => {
  const x = leafOf(3)
  const y = mul(x, 2)
  const seen: number[] = []
  registerHook(y, grad => { seen.push(grad.item()) })
  const z = add(mul(y, y), y)
  backward(z, { retainGraph: true })
  backward(z)
  expect(seen).toEqual([13, 13])
})

test('what a hook returns goes on in place of the gradient, hook after hook', () => {
  const x = leafOf(3)
  const y = mul(x, 2)
  registerHook(y, grad => mul(grad, 10))
  registerHook(y, grad => add(grad, 1))
  retainGrad(y)
  backward(mul(y, 5))
  expect([y.grad!.item(), x.grad!.item()]).toEqual([51, 102])
})

test('a removed hook is not called, and a hook of a leaf acts before accumulation', () => {
  const x = leafOf(3)
  const handle = registerHook(x, zerosLike)
  backward(mul(x, x))
  handle.remove()
  backward(mul(x, x))
  expect(x.grad!.item()).toBe(6)
})

test('gradients of inputs asked for have gone through their hooks', () => {
  const x = leafOf(3)
  const y = mul(x, x)
  registerHook(y, grad => mul(grad, 7))
  expect(gradients(mul(y, 2), [y])[0]!.item()).toBe(14)
})

test('retained gradients accumulate as those of leaves do', () => {
  const x = leafOf(3)
  const y = mul(x, 2)
  retainGrad(y)
  const z = mul(y, y)
  expect(y.grad).toBeNull()
  backward(z, { retainGraph: true })
  backward(z)
  expect(y.grad!.item()).toBe(24)
})

test('node hooks see what goes into a rule and what comes out, and may change both', () => {
  const a = leafOf(3)
  const b = leafOf(5)
  const y = mul(a, b)
  const seen: (number | undefined)[][] = []
  gradFn(y)!.registerPrehook(([ct]) => [mul(ct!, 2)])
  gradFn(y)!.registerHook((out, cts) => {
    seen.push([...out, ...cts].map(x => x?.item()))
    return [out[0]!, null]
  })
  backward(y)
  expect(seen).toEqual([[10, 6, 2]])
  expect([a.grad!.item(), b.grad]).toEqual([10, null])
})

test('the graph can be walked from a result to its leaves', () => {
  const x = leafOf(3)
  const f = gradFn(add(mul(x, x), tensor(1)))!
  expect([f.name, ...f.nextFunctions.map(next => next?.name ?? null)]).toEqual(['add', 'mul', null])
  expect(f.nextFunctions[0]!.nextFunctions.map(next => next?.name)).toEqual(['accumulateGrad', 'accumulateGrad'])
  expect(gradFn(tensor(1))).toBeNull()
})

test('a hook on a recorded pass is differentiated with it', () => {
  const x = leafOf(3)
  const y = mul(x, x)
  registerHook(y, grad => mul(grad, x))
  // ȳ·x·2x = 2x², whose derivative is 4x
  const [dx] = gradients(y, [x], { createGraph: true })
  expect(gradients(dx!, [x])[0]!.item()).toBe(12)
})

test('hooks refuse what does not fit', () => {
  const x = leafOf(3)
  const y = mul(x, x)
  registerHook(y, () => tensor([1, 2]))
  expect(() => { backward(y) }).toThrowErrorMatchingInlineSnapshot(`[BpError: registerHook: a gradient that a hook returned is f32[2], its tensor f32[]. They must be alike]`)
  const z = mul(x, x)
  gradFn(z)!.registerHook(() => [])
  expect(() => { backward(z) }).toThrowErrorMatchingInlineSnapshot(`[BpError: registerHook: a node hook returned 0 gradients in place of 2. Return as many as it was given, or nothing]`)
  expect(() => registerHook(tensor(1), () => undefined)).toThrowErrorMatchingInlineSnapshot(`[BpError: registerHook: f32[] does not require grad, so no gradient ever comes by. Set requiresGrad = true on it or on an input, before the forward pass]`)
})

test('saved tensors are kept by the hooks, in any form, and read back in the backward pass', () => {
  const w = tensor([[1, 2], [3, 4]], { requiresGrad: true })
  const x = tensor([[1, -1], [2, 0.5]], { requiresGrad: true })
  const store: Float32Array[] = []
  const y = savedTensorsHooks(
    saved => store.push(Float32Array.from(saved.dataSync() as Float32Array)) - 1,
    index => tensor(store[index]!, { shape: [2, 2] }),
    () => sum(dot(x, w)),
  )
  expect(store.map(values => Array.from(values))).toEqual([[1, -1, 2, 0.5], [1, 2, 3, 4]])
  backward(y)
  expect(w.grad!.toArray()).toEqual([[3, 3], [-0.5, -0.5]])
  expect(x.grad!.toArray()).toEqual([[3, 7], [3, 7]])
})

test('unpack must return a tensor like the one packed', () => {
  const x = leafOf(3)
  const y = savedTensorsHooks(() => 0, () => tensor([1, 2]), () => mul(x, x))
  expect(() => { backward(y) }).toThrowErrorMatchingInlineSnapshot(`[BpError: savedTensorsHooks: unpack returned f32[2] for a tensor saved as f32[]. Return a tensor alike]`)
})
