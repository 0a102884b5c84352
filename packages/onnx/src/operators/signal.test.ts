// Fourier transforms against their definition and onnxruntime, their derivatives, windows and mel bands.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, mul, type Tensor, tensor, use } from '@bp/core'
import { Generator, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { agrees, single, singleBytes } from '../../test/oracle.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const random = (shape: readonly number[], seed = 1): Tensor => new Generator(seed).normal(shape, { dtype: 'float64' })
const whole = (n: number): Tensor => tensor(BigInt64Array.of(BigInt(n)), { shape: [] })
const numbers = (x: Tensor): number[] => Array.from(x.dataSync() as Float64Array)

/** Σ x[n]·e^(∓2πikn/N) by definition, of one signal of pairs. */
function definition(x: readonly number[], sign: number): number[] {
  const n = x.length / 2
  return Array.from({ length: n }, (_, k) => {
    let [re, im] = [0, 0]
    for (let i = 0; i < n; i++) {
      const angle = sign * 2 * Math.PI * (i * k % n) / n
      re += x[2 * i]! * Math.cos(angle) - x[2 * i + 1]! * Math.sin(angle)
      im += x[2 * i]! * Math.sin(angle) + x[2 * i + 1]! * Math.cos(angle)
    }
    return [re, im]
  }).flat()
}

const worst = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)))

const dft = (settings: Record<string, number> = {}, opset = 17): Parameters<typeof single>[0] => ({ operator: 'DFT', opset, settings, outputs: ['float64'] })

describe('DFT', () => {
  // below and above what one product does, even, odd, a power of two, with a large prime factor, a large prime
  test.each([1, 2, 5, 48, 60, 97, 128, 1021, 1042])('of length %i is its definition, and its inverse undoes it', n => {
    const x = random([1, n, 2])
    const y = single(dft(), x)[0]!
    expect(worst(numbers(y), definition(numbers(x), -1))).toBeLessThan(1e-9)
    expect(worst(numbers(single(dft({ inverse: 1 }), y)[0]!), numbers(x))).toBeLessThan(1e-11)
  })

  test.each([6, 7])('of a real signal of length %i from one side comes back from it', n => {
    const x = random([2, n, 1])
    const half = single(dft({ onesided: 1 }), x)[0]!
    expect(half.shape).toEqual([2, Math.floor(n / 2) + 1, 2])
    const back = single({ ...dft({ onesided: 1, inverse: 1 }), opset: 20 }, half, whole(n))[0]!
    expect(back.shape).toEqual([2, n, 1])
    expect(worst(numbers(back), numbers(x))).toBeLessThan(1e-12)
  })

  test('cuts or fills up to a length, along any axis', async () => {
    const x = new Generator(3).normal([3, 10, 2, 1])
    const along = (n: number | null, axis: number): Promise<void> => agrees({ operator: 'DFT', opset: 20 }, [x, n === null ? null : whole(n), whole(axis)])
    for (const [n, axis] of [[7, 1], [16, -3], [null, 0], [5, -2]] as const) await along(n, axis)
    await agrees({ operator: 'DFT', opset: 17, settings: { axis: 2 } }, [x])
  })

  test('has the transposed transform as derivative, eagerly and compiled', () => {
    const [x, ct] = [random([1, 60, 1]), random([1, 60, 2], 2)]
    const model = importOnnx(singleBytes(dft(), [x]))
    const loss = (v: Tensor): Tensor => sum(mul(model.forward(v) as Tensor, ct))
    // the real part of the transform of the conjugate cotangent
    const want = definition(numbers(ct).map((v, i) => i % 2 ? -v : v), -1).filter((_, i) => i % 2 === 0)
    expect(worst(numbers(grad(loss)(x)), want)).toBeLessThan(1e-10)
    expect(worst(numbers(compile(grad(loss))(x)), want)).toBeLessThan(1e-10)
  })

  test('refuses an axis of parts and signals that are none', () => {
    expect(() => single(dft({ axis: 2 }), random([1, 4, 2]))).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y0" (DFT): DFT: axis 2 of f64[1,4,2] holds the real and imaginary parts. Name one before it]`)
    expect(() => single(dft(), random([1, 4, 3]))).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y0" (DFT): DFT: the last axis must hold real numbers (1) or real and imaginary parts (2), got f64[1,4,3]]`)
  })
})

test.each([[null, 16, 1], [12, null, 1], [12, 12, 0]])('STFT with a window of %s and frames of %s equals onnxruntime', async (window, frame, onesided) => {
  const x = new Generator(5).normal([2, 50, 1])
  await agrees({ operator: 'STFT', opset: 17, settings: { onesided } }, [x, whole(5), window ? new Generator(6).normal([window]) : null, frame === null ? null : whole(frame)], 1e-4)
})

test('STFT says what holds no frame', () => {
  expect(() => single({ operator: 'STFT', opset: 17 }, new Generator(5).normal([1, 8, 1]), whole(4), null, whole(9))).toThrow('holds no frame of length 9 and step 4')
})

test.each(['HannWindow', 'HammingWindow', 'BlackmanWindow'])('%s equals onnxruntime, periodic and symmetric', async operator => {
  for (const periodic of [0, 1]) await agrees({ operator, opset: 17, settings: { periodic } }, [whole(11)])
})

test('MelWeightMatrix equals onnxruntime', async () => {
  await agrees({ operator: 'MelWeightMatrix', opset: 17 }, [whole(8), whole(64), whole(8000), tensor(20), tensor(3800)])
})
