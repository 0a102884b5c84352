// What is said of bad input: the op, the rule, what it got, and the way out.

import { cpu } from '@bp/backend-cpu'
import { matmul, sum, tanh } from '@bp/ops'
import { describe, expect, test, vi } from 'vitest'
import { add, BpError, broadcastTo, grad, jvp, sumTo, type Tensor, tensor, to, use, vjp, zeros } from './index.ts'

use(cpu())

test('without a backend every op says how to choose one', async () => {
  vi.resetModules()
  const fresh = await import('./index.ts')
  expect(() => fresh.tensor(1)).toThrowErrorMatchingInlineSnapshot("[BpError: bp: no backend is in use. Call use(cpu()) first, with cpu from '@bp/backend-cpu']")
  expect(() => fresh.zeros([1])).toThrow(/no backend is in use/)
})

describe('bad input', () => {
  test.each<[string, () => unknown, string]>([
    ['ragged data', () => tensor([[1, 2], [3]]), 'tensor: nested arrays must be regular: data[1] is 1 elements, where data[0] has 2 elements. Pad or split the data'],
    ['a wrong shape', () => tensor([1, 2, 3], { shape: [2, 2] }), 'tensor: 3 elements do not fill [2,2], which has 4. Give a shape with that many elements'],
    ['a NaN where a count is due', () => zeros([NaN]), 'full: axis 0 of [NaN] must be a whole number ≥ 0, got NaN'],
    ['absurd sizes', () => zeros([1e6, 1e6]), 'full: [1000000,1000000] has more than 4294967296 elements; split the work into smaller tensors'],
    ['shapes that do not broadcast', () => add(zeros([2, 3]), zeros([4])), 'add: cannot broadcast [2,3] with [4]: axis 1 has 3 and 4. Axes must be equal or 1; reshape or slice one operand first'],
    ['arithmetic on bool', () => add(tensor([true]), tensor([true])), "add: bool tensors have no arithmetic, got bool[1] and bool[1]. Use logicalAnd, logicalOr, or cast(x, 'int32')"],
    ['inner axes', () => matmul(zeros([2, 3]), zeros([4, 5])), 'matmul: inner axes must match, got f32[2,3] and f32[4,5] (3 ≠ 4). Transpose or reshape one of them'],
    ['inner axes that a transpose would mend', () => matmul(zeros([2, 3]), zeros([5, 3])), 'matmul: inner axes must match, got f32[2,3] and f32[5,3] (3 ≠ 5). Did you mean matmul(a, transpose(b))?'],
    ['an axis out of range', () => sum(zeros([2]), 1), 'sum: axis 1 is out of range for rank 1: use -1 to 0'],
    ['an axis given twice', () => sum(zeros([2, 2]), [0, -2]), 'sum: axis 0 is given twice in [0,-2]'],
    ['a broadcast that cannot be', () => broadcastTo(zeros([2]), [3]), 'broadcastTo: f32[2] does not broadcast to [3]: aligned at the last axis, each axis must be equal or 1. Reshape x first'],
    ['a sum that cannot be', () => sumTo(zeros([2]), [3]), '[3] does not broadcast to f32[2]'],
    ['item of many', () => zeros([2]).item(), 'item: needs one element, got f32[2]. Use toArray() or dataSync()'],
    ['a tangent that does not fit', () => jvp(tanh, [zeros([2])], [zeros([3])]), 'jvp: a tangent is f32[3], its primal f32[2]. They must be alike'],
    ['a cotangent that does not fit', () => vjp(tanh, [zeros([2])])[1](zeros([3])), 'vjp: a cotangent is f32[3], its result f32[2]. They must be alike'],
    ['a gradient of a vector', () => grad(tanh)(zeros([2])), 'grad: the function must return a scalar, got f32[2]. Reduce it with sum or mean, or use vjp'],
    ['a number among parameters', () => grad((p: { w: Tensor }) => p.w)({ w: 1 as unknown as Tensor }), 'grad: .w is of type number, not a tensor. Wrap it with tensor(), or close over it'],
  ])('%s', (_name, f, message) => {
    expect(f).toThrow(BpError)
    expect(f).toThrow(message)
  })

  test('two backends do not mix, and tensors move between them', async () => {
    const other = { ...cpu(), name: 'other' }
    const x = tensor([1], { backend: other })
    expect(() => add(tensor([1]), x)).toThrowErrorMatchingInlineSnapshot('[BpError: add: operands are on two backends, cpu and other. Move one with await to(x, backend)]')
    expect(add(tensor([1]), await to(x, cpu())).item()).toBe(2)
  })

  test('a value kept from inside a transform is refused outside', () => {
    let kept: Tensor | undefined
    jvp(x => kept = tanh(x), [tensor(1)], [tensor(1)])
    expect(() => add(kept!, 1)).toThrow(/belongs to a grad, jvp or trace that has ended/)
    expect(() => kept!.item()).toThrow(/has no value/)
  })
})
