// Making, reading and printing tensors, and every error on the way; variables.

import { cpu } from '@bp/backend-cpu'
import { add, broadcastTo, full, mul, ones, onesLike, sumTo, Tensor, tensor, to, use, Variable, zeros, zerosLike } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { message } from '../test/message.ts'

use(cpu())


describe('tensor', () => {
  test.each([
    [tensor(3), [], 'float32', 'tensor(3, float32)'],
    [tensor([[1, 2], [3, 4]]), [2, 2], 'float32', 'tensor([[1, 2], [3, 4]], float32)'],
    [tensor([true, false]), [2], 'bool', 'tensor([true, false], bool)'],
    [tensor([1n, -2n]), [2], 'int64', 'tensor([1, -2], int64)'],
    [tensor([]), [0], 'float32', 'tensor([], float32)'],
    [tensor([[], []]), [2, 0], 'float32', 'tensor([[], []], float32)'],
    [tensor(Int32Array.of(1, 2)), [2], 'int32', 'tensor([1, 2], int32)'],
    [tensor(Uint8Array.of(0, 7), { dtype: 'bool' }), [2], 'bool', 'tensor([false, true], bool)'],
    [tensor([1, 2, 3, 4], { shape: [2, 2], dtype: 'float64' }), [2, 2], 'float64', 'tensor([[1, 2], [3, 4]], float64)'],
    [tensor(1 / 3), [], 'float32', 'tensor(0.333333, float32)'],
    [zeros([2]), [2], 'float32', 'tensor([0, 0], float32)'],
    [ones([1], 'int32'), [1], 'int32', 'tensor([1], int32)'],
    [full([2], 7, 'float64'), [2], 'float64', 'tensor([7, 7], float64)'],
    [zerosLike(tensor([1n])), [1], 'int64', 'tensor([0], int64)'],
    [onesLike(tensor([false])), [1], 'bool', 'tensor([true], bool)'],
  ] as const)('%s', (x, shape, dtype, text) => {
    expect(x.shape).toEqual(shape)
    expect(x.dtype).toBe(dtype)
    expect(String(x)).toBe(text)
    expect([x.rank, x.size]).toEqual([shape.length, (shape as readonly number[]).reduce((a, b) => a * b, 1)])
  })

  test('copies the data it is given, and gives copies', () => {
    const data = Float32Array.of(1, 2)
    const x = tensor(data)
    data[0] = 9
    expect(x.toArray()).toEqual([1, 2])
    x.dataSync()[0] = 9
    expect(x.toArray()).toEqual([1, 2])
  })

  test('reads synchronously and asynchronously', async () => {
    const x = tensor([[1, 2], [3, 4]])
    expect(await x.data()).toEqual(Float32Array.of(1, 2, 3, 4))
    expect(x.dataSync()).toEqual(await x.data())
    expect(tensor([[5n]]).item()).toBe(5)
  })

  test('prints large tensors shortened', () => {
    expect(String(tensor(Array.from({ length: 300 }, (_, i) => i)))).toBe('tensor([0, 1, 2, …, 297, 298, 299], float32)')
  })

  test('errors', () => {
    expect([
      () => tensor([[1, 2], [3]]),
      () => tensor([1, [2]]),
      () => tensor([1, 2, 3], { shape: [2, 2] }),
      () => tensor([1], { shape: [-1] }),
      () => tensor(new Int8Array(2) as unknown as Int32Array),
      () => tensor([1, 2]).item(),
      () => tensor([1], { dtype: 'int32', requiresGrad: true }),
      () => { mul(tensor([1], { requiresGrad: true }), 2).requiresGrad = false },
      () => { tensor([1]).grad = tensor([1]) },
      () => full([1.5], 0),
      () => zeros([2 ** 20, 2 ** 20]),
    ].map(message)).toMatchInlineSnapshot(`
      [
        "shape | tensor: nested arrays must be regular: data[1] is 1 elements, where data[0] has 2 elements. Pad or split the data",
        "shape | tensor: nested arrays must be regular: data[1] is 1 elements, where data[0] has a number. Pad or split the data",
        "shape | tensor: 3 elements do not fill [2,2], which has 4. Give a shape with that many elements",
        "shape | tensor: axis 0 of [-1] must be a whole number ≥ 0, got -1",
        "dtype | tensor: no element type holds a Int8Array. Convert it to a Float32Array or Int32Array first",
        "shape | item: needs one element, got f32[2]. Use toArray() or dataSync()",
        "dtype | requiresGrad: only floating-point tensors have gradients, got i32[1]. Cast it to float32 first",
        "grad | requiresGrad: this tensor is the result of an op and cannot stop requiring grad. Use detach(x) for a copy that does",
        "grad | grad: this tensor does not require grad. Set requiresGrad = true first",
        "shape | full: axis 0 of [1.5] must be a whole number ≥ 0, got 1.5",
        "shape | full: [1048576,1048576] has more than 4294967296 elements; split the work into smaller tensors",
      ]
    `)
  })
})

describe('the vector-space ops', () => {
  test('broadcast', () => {
    expect(String(add(tensor([[1], [2]]), tensor([10, 20])))).toBe('tensor([[11, 21], [12, 22]], float32)')
    expect(String(mul(2, tensor([3], { dtype: 'int32' })))).toBe('tensor([6], int32)')
    expect(String(add(1, 2))).toBe('tensor(3, float32)')
    expect(String(broadcastTo(tensor([1, 2]), [2, 2]))).toBe('tensor([[1, 2], [1, 2]], float32)')
    expect(String(sumTo(tensor([[1, 2], [3, 4]]), [2, 1]))).toBe('tensor([[3], [7]], float32)')
  })

  test('errors', () => {
    const other = cpu()
    expect([
      () => add(tensor([1, 2]), tensor([1, 2, 3])),
      () => add(tensor([true]), tensor([true])),
      () => broadcastTo(tensor([1, 2]), [3]),
      () => sumTo(tensor([1, 2]), [3]),
      () => add(tensor([1]), tensor([1], { backend: { ...other, name: 'elsewhere' } })),
    ].map(message)).toMatchInlineSnapshot(`
      [
        "shape | add: cannot broadcast [2] with [3]: axis 0 has 2 and 3. Axes must be equal or 1; reshape or slice one operand first",
        "dtype | add: bool tensors have no arithmetic, got bool[1] and bool[1]. Use logicalAnd, logicalOr, or cast(x, 'int32')",
        "shape | broadcastTo: f32[2] does not broadcast to [3]: aligned at the last axis, each axis must be equal or 1. Reshape x first",
        "shape | sumTo: [3] does not broadcast to f32[2], so x cannot be summed to it. Use sum(x, axes) to reduce chosen axes",
        "backend | add: operands are on two backends, cpu and elsewhere. Move one with await to(x, backend)",
      ]
    `)
  })
})

test('to moves a value to another backend, where it is a new leaf', async () => {
  const other = { ...cpu(), name: 'other' }
  const x = tensor([1, 2], { requiresGrad: true })
  const y = await to(x, other)
  expect([y.backend.name, y.requiresGrad, y.toArray()]).toEqual(['other', false, [1, 2]])
  expect(await to(x, x.backend)).toBe(x)
})

describe('Variable', () => {
  test('holds the value it was given last', () => {
    const v = new Variable(tensor([1, 2]))
    expect(v).toBeInstanceOf(Tensor)
    v.assign(mul(v, 3))
    expect(v.toArray()).toEqual([3, 6])
    expect(v.version).toBe(1)
  })

  test('what was computed from the old value keeps it', () => {
    const v = new Variable(tensor([1, 2]))
    const y = add(v, 0)
    v.assign(tensor([5, 6]))
    expect(y.toArray()).toEqual([1, 2])
  })

  test('errors', () => {
    const v = new Variable(tensor([1, 2]))
    expect([
      () => { v.assign(tensor([1, 2, 3])) },
      () => { v.assign(tensor([1, 2], { dtype: 'int32' })) },
      () => { v.assign(tensor([1, 2], { backend: { ...cpu(), name: 'elsewhere' } })) },
    ].map(message)).toMatchInlineSnapshot(`
      [
        "shape | assign: the variable is f32[2], the new value f32[3]. Reshape or cast the value, or make a new Variable",
        "shape | assign: the variable is f32[2], the new value i32[2]. Reshape or cast the value, or make a new Variable",
        "backend | assign: the variable is on cpu, the new value on elsewhere. Move it with await to(value, backend)",
      ]
    `)
  })
})
