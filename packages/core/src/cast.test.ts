// Element types that meet, and float16: values, promotion, gradients in each operand's own type.

import { cpu } from '@bp/backend-cpu'
import { concat, cos, div, equal, erfc, exp, Generator, less, matmul, maximum, mean, pow, select, softmax, sort, sqrt, sub, sum, take } from '@bp/ops'
import { primitives } from '@bp/ops/extend'
import { reference } from '@bp/testkit'
import { describe, expect, test } from 'vitest'
import { type AnyRow, cast, dtypes } from './extend.ts'
import { fromHalf, toHalf } from './half.ts'
import { add, backward, decodeFloat16, type DType, encodeFloat16, grad, jvp, mul, promoteTypes, type Tensor, tensor, use } from './index.ts'

use(cpu())

const of = (dtype: DType, ...values: number[]): Tensor => tensor(values, { dtype })

describe('promotion', () => {
  test('is a total order: symmetric, associative, and every type with itself', () => {
    for (const a of dtypes) {
      expect(promoteTypes(a, a)).toBe(a)
      for (const b of dtypes) {
        expect(promoteTypes(a, b)).toBe(promoteTypes(b, a))
        for (const c of dtypes) expect(promoteTypes(promoteTypes(a, b), c)).toBe(promoteTypes(a, promoteTypes(b, c)))
      }
    }
  })

  test.each<[DType, DType, DType]>([
    ['bool', 'uint8', 'uint8'], ['uint8', 'int32', 'int32'], ['int32', 'int64', 'int64'], ['int64', 'float16', 'float16'],
    ['int32', 'float32', 'float32'], ['float16', 'float32', 'float32'], ['float32', 'float64', 'float64'], ['bool', 'float64', 'float64'],
  ])('%s and %s meet in %s', (a, b, want) => {
    expect([add(of(a, 1), of(b, 1)).dtype, mul(of(b, 1), of(a, 1)).dtype, maximum(of(a, 1), of(b, 1)).dtype, select(tensor([true]), of(a, 1), of(b, 1)).dtype, concat([of(a, 1), of(b, 1)]).dtype]).toEqual([want, want, want, want, want])
  })

  test('numbers take the tensor’s type where it can hold them', () => {
    const types = (x: Tensor): DType[] => [add(x, 1).dtype, mul(0.5, x).dtype, add(x, Infinity).dtype]
    expect([of('int32', 1), of('bool', 1), of('float64', 1), of('float16', 1)].map(types)).toEqual([
      ['int32', 'float32', 'float32'], ['int32', 'float32', 'float32'], ['float64', 'float64', 'float64'], ['float16', 'float16', 'float16'],
    ])
  })

  test('comparisons, products and functions of real numbers promote too', () => {
    expect(less(of('int32', 1, 3), of('float32', 2.5, 2.5)).toArray()).toEqual([true, false])
    expect(equal(of('int64', 1), of('float64', 1)).toArray()).toEqual([true])
    expect(matmul(of('int32', 1, 2), of('float64', 0.5, 0.25)).item()).toBe(1)
    expect([exp(of('int32', 0)).dtype, cos(of('int64', 0)).dtype, sqrt(of('uint8', 4)).dtype, erfc(of('bool', 0)).dtype]).toEqual(['float32', 'float32', 'float32', 'float32'])
  })

  test('gradients come back in each operand’s own type', () => {
    const a = tensor([1, 2], { dtype: 'float32', requiresGrad: true })
    const b = tensor([3, 4], { dtype: 'float64', requiresGrad: true })
    const c = tensor([5, 6], { dtype: 'float16', requiresGrad: true })
    backward(sum(mul(mul(a, b), add(c, of('int32', 1, 1)))))
    expect([a, b, c].map(x => String(x.grad))).toEqual(['tensor([18, 28], float32)', 'tensor([6, 14], float64)', 'tensor([3, 8], float16)'])
    expect(jvp((x: Tensor) => mul(x, b), [a], [a])[1].dtype).toBe('float64')
  })
})

describe('float16', () => {
  test('all 65536 bit patterns are read and written back', () => {
    const nans: number[] = []
    for (let half = 0; half < 65536; half++) {
      const value = fromHalf(half)
      if (Number.isNaN(value)) nans.push(half)
      else if (toHalf(value) !== half) throw new Error(`0x${half.toString(16)} is ${value}, which becomes 0x${toHalf(value).toString(16)}`)
    }
    expect(nans).toHaveLength(2 * 1023)
    expect(Number.isNaN(fromHalf(toHalf(NaN)))).toBe(true)
  })

  test.each([
    [1 + 2 ** -11, 1], [1 + 3 * 2 ** -11, 1 + 2 ** -9], [65519, 65504], [65520, Infinity], [-1e9, -Infinity], [2 ** -25, 0], [3 * 2 ** -26, 2 ** -24], [2 ** -24 * 1.5, 2 ** -23], [2047.5 * 2 ** -24, 2048 * 2 ** -24],
  ])('%s rounds to %s, ties to even', (value, want) => {
    expect(fromHalf(toHalf(value))).toBe(want)
  })

  test('tensors of it: made, read, printed', () => {
    const x = tensor([1.5, -2, 1e-8, 70000], { dtype: 'float16' })
    expect(x.toArray()).toEqual([1.5, -2, 0, Infinity])
    expect(String(tensor([0.1], { dtype: 'float16' }))).toBe('tensor([0.09998], float16)')
    expect(tensor(3, { dtype: 'float16' }).item()).toBe(3)
    expect(x.dataSync()).toEqual(encodeFloat16([1.5, -2, 0, Infinity]))
    expect(tensor(encodeFloat16([1, 2]), { dtype: 'float16' }).toArray()).toEqual([1, 2])
    expect(decodeFloat16(encodeFloat16([0.5]))).toEqual(Float32Array.of(0.5))
    expect(() => tensor(new Uint16Array(1))).toThrowErrorMatchingInlineSnapshot(`[BpError: tensor: no element type holds a Uint16Array. Convert it to a Float32Array or Int32Array first, or give { dtype: 'float16' } where it holds their bits]`)
  })

  test.each([['cpu', cpu], ['reference', reference]])('computes in float32 and rounds once, on %s', (_name, backend) => {
    const random = new Generator(3)
    const on = backend()
    const [a, b] = [random.normal([4, 8]), random.normal([8, 5])].map(x => tensor(cast(x, 'float16').dataSync(), { shape: x.shape, dtype: 'float16', backend: on })) as [Tensor, Tensor]
    const checks: ((x: Tensor, y: Tensor) => Tensor)[] = [
      (x, y) => matmul(x, y), x => exp(x), x => sum(x, 1), x => softmax(x), x => sort(x)[0], x => take(x, tensor([2, 0], { dtype: 'int32', backend: x.backend })),
      x => div(x, 3), x => pow(mul(x, x), 0.25), x => mean(sub(x, 0.5)), x => erfc(x),
    ]
    for (const f of checks) {
      const half = f(a, b)
      expect(half.dtype).toBe('float16')
      const single = f(cast(a, 'float32'), cast(b, 'float32'))
      const [got, want] = [decodeFloat16(half.dataSync() as Uint16Array), single.dataSync() as Float32Array]
      got.forEach((value, i) => { expect(Math.abs(value - want[i]!)).toBeLessThanOrEqual(2e-3 * Math.max(1, Math.abs(want[i]!))) })
    }
  })

  test('is differentiated', () => {
    const x = tensor([0.5, 2], { dtype: 'float16' })
    expect(String(grad((z: Tensor) => sum(mul(z, z)))(x))).toBe('tensor([1, 4], float16)')
  })

  test('no primitive of the CPU backend is without it', () => {
    expect(Object.values(primitives as Record<string, AnyRow>).filter(row => !(row.name in cpu().kernels))).toEqual([])
  })
})
