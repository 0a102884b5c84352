// The vector functions against JavaScript's own in double precision: every exponent, both signs, and the special values.

import { decodeFloat16, encodeFloat16 } from '@bp/core'
import { describe, expect, it } from 'vitest'
import { erf } from '../../erf.ts'
import { scalar } from '../../scalar.ts'
import { engine } from '../engine.ts'
import { features } from '../features.ts'
import { i32, v128 } from '../instructions.ts'
import { ModuleBuilder } from '../module.ts'
import { doubles, floats } from '../simd.ts'
import { mathOf } from './index.ts'

type Floats = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

/* Measured maximum in ulp, rounded up: what the doc page states. */
const bounds: Readonly<Record<string, readonly [number, number]>> = {
  exp: [1.5, 1.5], expm1: [2, 2], log: [1.5, 1.5], log1p: [2, 2], sigmoid: [2.5, 2.5], tanh: [2, 2], erf: [2, 2],
  sin: [2, 2], cos: [2, 2], tan: [2.5, 3], asin: [1.5, 1.5], acos: [1.5, 1.5], atan: [1.5, 1.5], pow: [1.5, 1.5], sqrt: [0.5, 0.5],
}
const exact: Readonly<Record<string, (x: number, y: number) => number>> = { ...scalar, erf } as never
const binary = new Set(['pow'])
/** What the functions compared with may themselves be off in doubles. */
const allowance = (name: string, bits: 32 | 64): number => bits === 32 || name === 'sqrt' ? 0 : name === 'erf' ? 4 : 1

const make = (bits: 32 | 64, values: readonly number[]): Floats => bits === 32 ? Float32Array.from(values) : Float64Array.from(values)

/** Floats of every exponent and both signs, denser near 1, and the special values. */
function samples(bits: 32 | 64): number[] {
  const out: number[] = [0, -0, Infinity, -Infinity, NaN, 1, -1]
  const [least, most, each] = bits === 32 ? [-149, 128, 120] : [-1074, 1024, 16]
  const random = randomOf(1)
  for (let e = least; e < most; e++) for (let i = 0; i < each; i++) out.push(2 ** e * (1 + random()), -(2 ** e) * (1 + random()))
  for (let i = 0; i < 60000; i++) out.push((random() - 0.5) * (bits === 32 ? 220 : 1600), (random() - 0.5) * 20, (random() - 0.5) * 2)
  // the double that is nearest to a multiple of π/2
  if (bits === 64) out.push(6381956970095103 * 2 ** 797)
  while (out.length % 4 !== 0) out.push(1)
  return out
}

/** Pairs: every special value with every other, and powers of all sizes. */
function pairs(bits: 32 | 64): [number[], number[]] {
  const special = [0, -0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 1.5, -1.5, 4e15, -4e15, 16777217, 2 ** 52 + 1, Infinity, -Infinity, NaN, 1e-40, -1e-40, 3e38, -3e38]
  const xs: number[] = [], ys: number[] = []
  for (const x of special) for (const y of special) {
    xs.push(x)
    ys.push(y)
  }
  const random = randomOf(2)
  const range = bits === 32 ? 150 : 1080
  for (let i = 0; i < 40000; i++) {
    // a power between the smallest and largest floats, and somewhat beyond, of a number of any size, or near 1
    const x = i % 2 === 0 ? 2 ** ((random() - 0.5) * 2 * range) : 1 + (random() - 0.5) * 2 ** (-random() * 20)
    const y = (random() - 0.5) * 2 * range / Math.log2(x)
    xs.push(i % 5 === 0 ? -x : x)
    ys.push(i % 5 === 0 ? Math.round(y) : y)
  }
  while (xs.length % 4 !== 0) {
    xs.push(1)
    ys.push(1)
  }
  return [xs, ys]
}

function randomOf(seed: number): () => number {
  return () => (seed = Math.imul(seed, 1664525) + 1013904223 | 0) / 2 ** 32 + 0.5
}

function apply(name: string, operands: readonly Floats[], relaxed: boolean): Floats {
  const [first] = operands as readonly [Floats]
  const bytes = first.byteLength
  const pages = Math.ceil(bytes * operands.length / 65536) + 1
  const module = new ModuleBuilder({ pages, maxPages: pages, shared: false })
  const func = module.func(['i32'], [], 'run')
  const simd = first instanceof Float32Array ? floats(relaxed) : doubles(relaxed)
  func.for(0, func.params[0], 16, at => { func.do(v128.store(at, mathOf(name, simd)(func, operands.map((_, i) => func.let(v128.load(i32.add(at, i * bytes))))))) })
  const memory = new (engine().Memory)({ initial: pages, maximum: pages, shared: false })
  const { run } = new (engine().Instance)(new (engine().Module)(module.encode()), { env: { memory } }).exports
  operands.forEach((xs, i) => { new Uint8Array(memory.buffer).set(new Uint8Array(xs.buffer), i * bytes) });
  (run as (bytes: number) => void)(bytes)
  return new (first.constructor as new (buffer: ArrayBuffer) => Floats)(memory.buffer.slice(0, bytes))
}

/** The distance in units of the last place of the nearest float. */
function ulps(got: number, exact: number, bits: 32 | 64): number {
  const right = bits === 32 ? Math.fround(exact) : exact
  if (Object.is(got, right) || (Number.isNaN(got) && Number.isNaN(right))) return 0
  const [largest, least, digits] = bits === 32 ? [3.4e38, -149, 23] : [1.7e308, -1074, 52]
  if (!Number.isFinite(right) || !Number.isFinite(got)) return Math.max(Math.abs(right), Math.abs(got)) === Infinity && Math.min(Math.abs(right), Math.abs(got)) > largest && Math.sign(got) === Math.sign(right) ? 1 : Infinity
  if (got === 0 && right === 0) return Infinity
  const unit = 2 ** Math.max(least, Math.floor(Math.log2(Math.abs(right) || 2 ** least)) - digits)
  return Math.abs(got - exact) / unit
}

describe.each([32, 64] as const)('of %s bits', bits => {
  describe.each(Object.keys(bounds))('%s', name => {
    const bound = bounds[name]![bits === 32 ? 0 : 1] + allowance(name, bits)
    it.each(features()?.relaxed ? [true, false] : [false])(`is within ${bound} ulp (fused multiply-add: %s)`, relaxed => {
      const operands = (binary.has(name) ? pairs(bits) : [samples(bits)]).map(values => make(bits, values))
      let worst = { ulps: 0, at: 0 }
      const want = (i: number): number => exact[name]!(operands[0]![i]!, operands.at(-1)![i]!)
      const ys = apply(name, operands, relaxed)
      ys.forEach((y, i) => {
        const error = ulps(y, want(i), bits)
        if (error > worst.ulps) worst = { ulps: error, at: i }
      })
      expect(worst.ulps, `at ${operands.map(xs => xs[worst.at]).join()}, got ${ys[worst.at]}, exact ${want(worst.at)}`).toBeLessThanOrEqual(bound + 1e-9)
    })
  })
})

it('rounds to float16 as its bits are made: every float16, what lies between neighbours, and every float', () => {
  const halves = Array.from(decodeFloat16(Uint16Array.from({ length: 0x10000 }, (_, i) => i)))
  const between = halves.flatMap((x, i) => i % 0x8000 < 0x7bff ? [(x + halves[i + 1]!) / 2, (3 * x + halves[i + 1]!) / 4] : [])
  const xs = Float32Array.from([...samples(32), ...halves, ...between, 65519.996, 65520, -65520, 65536, 3e38].flatMap((x, i, all) => i === all.length - 1 ? [x, ...new Array<number>(3 - (all.length - 1) % 4).fill(x)] : [x]))
  const ys = apply('roundHalf', [xs], false)
  const want = decodeFloat16(encodeFloat16(xs))
  const wrong = xs.findIndex((_, i) => !Object.is(ys[i], want[i]))
  expect(wrong < 0 ? null : [xs[wrong], ys[wrong], want[wrong]]).toBeNull()
})
