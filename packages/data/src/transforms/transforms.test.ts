// Transforms: what they make of images, against PyTorch's numbers where it has them.

import { describe, expect, it } from 'vitest'
import { classIndex, type NdArray, ndarray } from '../array.ts'
import { RandomStream } from '../random.ts'
import { randomAffine, randomRotation } from './affine.ts'
import { colorJitter } from './colour.ts'
import { centerCrop, normalize, randomCrop, randomErasing, randomHorizontalFlip, randomVerticalFlip, toFloat } from './image.ts'
import { resize } from './resize.ts'
import { at, compose, oneHot, randomApply, randomChoice, type Transform } from './transform.ts'

const random = new RandomStream(1)
const image = ndarray(Array.from({ length: 24 }, (_, i) => i * 7 % 11), [2, 3, 4])
const numbers = ({ data }: NdArray): number[] => Array.from(data as Float32Array)

const expectClose = (got: NdArray, want: readonly number[], within = 1e-5): void => {
  expect(got.data).toHaveLength(want.length)
  expect(Math.max(...want.map((value, i) => Math.abs(value - Number(got.data[i]))))).toBeLessThan(within)
}

describe('moving pixels', () => {
  it('crops any part, padded', () => {
    const x = ndarray(Uint8Array.from({ length: 9 }, (_, i) => i + 1), [1, 3, 3])
    const seen = new Set(Array.from({ length: 200 }, () => String(randomCrop(2)(x, random).data)))
    expect([...seen].sort()).toEqual(['1,2,4,5', '2,3,5,6', '4,5,7,8', '5,6,8,9'])
    const padded = new Set(Array.from({ length: 400 }, () => String(randomCrop(3, { padding: 1, fill: 7 })(x, random).data)))
    expect(padded.size).toBe(9)
    expect(padded).toContain('7,7,7,7,1,2,7,4,5')
    expect(padded).toContain('5,6,7,8,9,7,7,7,7')
    expect(numbers(centerCrop([1, 3])(x, random))).toEqual([4, 5, 6])
    expect(numbers(centerCrop([5, 1])(x, random))).toEqual([0, 2, 5, 8, 0])
    expect(() => randomCrop(4)(x, random)).toThrowErrorMatchingInlineSnapshot(`[BpError: randomCrop: no part of 4 × 4 pixels lies in u8[1,3,3]. Give more padding, or resize first]`)
  })

  it('mirrors', () => {
    const x = ndarray([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2])
    expect(numbers(randomHorizontalFlip(1)(x, random))).toEqual([2, 1, 4, 3, 6, 5, 8, 7])
    expect(numbers(randomVerticalFlip(1)(x, random))).toEqual([3, 4, 1, 2, 7, 8, 5, 6])
    expect(randomHorizontalFlip(0)(x, random)).toBe(x)
  })

  it('resizes as PyTorch 2.15 interpolates, bilinear with antialias', () => {
    expectClose(resize([2, 3])(image, random), [3.1125001907348633, 5.1875, 7.262500762939453, 3.7375001907348633, 5.8125, 3.0749998092651367, 5.162499904632568, 6.6875, 5.324999809265137, 5.787500381469727, 3.875000238418579, 3.887500286102295])
    expectClose(resize([4, 3])(image, random), [2.1000001430511475, 5, 7.90000057220459, 3.7874999046325684, 5.3125, 6.837500095367432, 4.162499904632568, 5.6875, 4.324999809265137, 3.1000001430511475, 6, 1.1999995708465576, 5.800000190734863, 6.5, 7.199999809265137, 4.737500190734863, 6.8125, 4.0749993324279785, 5.112500190734863, 5.125, 3.2125000953674316, 6.800000190734863, 2, 4.90000057220459])
    expect(resize([3, 4])(image, random)).toBe(image)
    expect(resize([1, 2])(ndarray(Uint8Array.of(0, 255, 10, 255), [2, 2, 1]), random)).toEqual(ndarray(Uint8Array.of(5, 255), [1, 2, 1]))
    expect(() => resize(3)(ndarray([1]), random)).toThrowErrorMatchingInlineSnapshot(`[BpError: resize: needs an image f32[c,h,w] or u8[h,w,c], got f32[1]]`)
  })

  it('turns as PyTorch 2.15 samples a grid: 30° counter-clockwise', () => {
    expectClose(randomRotation([30, 30])(image, random), [1.88406, 4.18301, 6.50601, 3.91146, 2.35409, 3.5347, 7.4653, 2.05385, 3.79912, 4.49399, 5.54071, 1.07661, 1.61122, 6.16034, 6.34808, 1.10761, 5.4988, 7.41627, 4.01795, 4.64591, 1.8899, 5.823, 2.00481, 0.80376])
  })

  it('moves, scales and shears', () => {
    const dot = ndarray(Float32Array.from({ length: 25 }, (_, i) => i === 12 ? 1 : i === 13 ? 2 : 0), [1, 5, 5])
    const moved = new Set(Array.from({ length: 50 }, () => numbers(randomAffine({ translate: [0.2, 0.2] })(dot, random)).findIndex(value => value > 0.9)))
    expect(moved.size).toBeGreaterThan(2)
    // twice as large: the pixel right of the middle is now two away
    expect(numbers(randomAffine({ scale: [2, 2] })(dot, random)).slice(10, 15)).toEqual([0, 0.5, 1, 1.5, 2])
    // 45° of shear: the row above the middle shifts by one
    const column = ndarray(Float32Array.from({ length: 9 }, (_, i) => i % 3 === 1 ? 1 : 0), [1, 3, 3])
    expectClose(randomAffine({ shear: [45, 45] })(column, random), [1, 0, 0, 0, 1, 0, 0, 0, 1])
  })

  it('erases a part of the size asked for', () => {
    const white = ndarray(new Float32Array(2 * 100 * 100).fill(1), [2, 100, 100])
    for (let i = 0; i < 20; i++) {
      const erased = numbers(randomErasing({ p: 1, scale: [0.1, 0.2] })(white, random)).filter(value => value === 0).length / 20000
      expect(erased).toBeGreaterThan(0.095)
      expect(erased).toBeLessThan(0.205)
    }
  })
})

describe('changing values', () => {
  it('scales bytes, and normalises by channel', () => {
    const bytes = ndarray(Uint8Array.of(0, 255, 51, 102, 255, 0), [1, 2, 3])
    expectClose(toFloat()(bytes, random), [0, 0.4, 1, 1, 0.2, 0])
    expectClose(compose(toFloat(), normalize([0, 1, 0.5], [1, 2, 0.5]))(bytes, random), [0, 0.4, 0, 0, -0.6, -1])
    expect(() => normalize([1, 2], 1)(ndarray([1], [1, 1, 1]), random)).toThrowErrorMatchingInlineSnapshot(`[BpError: normalize: has numbers for 2 channels, the image has 1. Give one a channel]`)
    expect(() => normalize(0, 1)(bytes, random)).toThrowErrorMatchingInlineSnapshot(`[BpError: normalize: needs an image f32[c,h,w], got u8[1,2,3]. Put toFloat() before it]`)
    expect(() => toFloat()(image, random)).toThrowErrorMatchingInlineSnapshot(`[BpError: toFloat: needs bytes u8[h,w,c] or u8[h,w], got f32[2,3,4]]`)
  })

  it('jitters colours by the formulas of torchvision', () => {
    const pixels = ndarray([0.9, 0.1, 0.2, 0.8, 0.4, 0.3], [3, 1, 2])
    const grey = [0.2989 * 0.9 + 0.587 * 0.2 + 0.114 * 0.4, 0.2989 * 0.1 + 0.587 * 0.8 + 0.114 * 0.3]
    expectClose(colorJitter({ brightness: [0.5, 0.5] })(pixels, random), [0.45, 0.05, 0.1, 0.4, 0.2, 0.15])
    expectClose(colorJitter({ saturation: [0, 0] })(pixels, random), [...grey, ...grey, ...grey])
    const mean = (grey[0]! + grey[1]!) / 2
    expectClose(colorJitter({ contrast: [0.5, 0.5] })(pixels, random), numbers(pixels).map(value => (value + mean) / 2))
    // colorsys of Python 3: hue + 0.2
    expectClose(colorJitter({ hue: [0.2, 0.2] })(pixels, random), [0.9, 0.1, 0.84, 0.46, 0.2, 0.8])
    expect(() => colorJitter({ hue: 0.7 })).toThrowErrorMatchingInlineSnapshot(`[BpError: colorJitter: hue from -0.7 to 0.7; it must be between −0.5 and 0.5]`)
  })

  it('marks a class', () => {
    expect(numbers(oneHot(3)(classIndex(2), random))).toEqual([0, 0, 1])
    expect(() => oneHot(3)(3, random)).toThrowErrorMatchingInlineSnapshot(`[BpError: oneHot: the class must be a whole number from 0 to 2, got 3]`)
  })
})

describe('putting together', () => {
  const add = (n: number): Transform<number> => x => x + n

  it('applies and chooses by probability', () => {
    const results = Array.from({ length: 1000 }, () => randomApply(add(1), 0.2)(0, random))
    expect(Math.abs(results.filter(Boolean).length - 200)).toBeLessThan(60)
    const chosen = Array.from({ length: 1000 }, () => randomChoice([add(1), add(2), add(3)], [1, 0, 3])(0, random))
    expect(new Set(chosen)).toEqual(new Set([1, 3]))
    expect(Math.abs(chosen.filter(x => x === 3).length - 750)).toBeLessThan(60)
    expect(() => randomChoice([add(1)], [1, 2])).toThrowErrorMatchingInlineSnapshot(`[BpError: randomChoice: needs a transform, and a weight of at least 0 for each, got 1 and [1, 2]]`)
  })

  it('reaches into tuples and records', () => {
    expect(at(1, add(1))(['a', 2, 'c'] as [string, number, string], random)).toEqual(['a', 3, 'c'])
    expect(at('x', add(1))({ x: 1, y: 2 }, random)).toEqual({ x: 2, y: 2 })
  })
})
