// Elementary functions against the CPU's in double precision: every exponent, both signs, and densely where formulas change.

import { cpu } from '@bp/backend-cpu'
import { type Tensor, tensor, use } from '@bp/core'
import { acos, asin, atan, cos, div, erf, exp, expm1, gelu, log, log1p, pow, sigmoid, silu, sin, sqrt, tan, tanh } from '@bp/ops'
import { describe, expect, it } from 'vitest'
import { backend as gpu } from '../../test/backend.ts'

const host = cpu()

/* Measured maximum over some millions of floats in units of the last place, rounded up, alike on llvmpipe and SwiftShader: what README.md states. */
const bounds = { exp: 1.5, expm1: 2, log: 1, log1p: 3, sqrt: 0.5, sigmoid: 2.5, tanh: 2, erf: 3, sin: 3, cos: 3, tan: 4, asin: 2, acos: 1.5, atan: 2.5 }
const ops: Readonly<Record<keyof typeof bounds, (x: Tensor) => Tensor>> = { exp, expm1, log, log1p, sqrt, sigmoid, tanh, erf, sin, cos, tan, asin, acos, atan }
const names = Object.keys(bounds) as (keyof typeof bounds)[]

const least = 2 ** -126
const isSubnormal = (x: number): boolean => x !== 0 && Math.abs(x) < least

const randomOf = (seed: number) => (): number => (seed = Math.imul(seed, 1664525) + 1013904223 | 0) / 2 ** 32 + 0.5

/** Floats of every exponent and both signs, uniform ones of common sizes, and neighbours of what formulas turn on. */
function samples(): Float32Array {
  const out: number[] = [0, -0, Infinity, -Infinity, NaN]
  const random = randomOf(1)
  for (let e = -149; e < 128; e++) for (let i = 0; i < 200; i++) out.push(2 ** e * (1 + random()), -(2 ** e) * (1 + random()))
  for (const size of [1, 10, 110, 2000, 2e5]) for (let i = 0; i < 20000; i++) out.push((random() - 0.5) * 2 * size)
  const float = new Float32Array(1), bits = new Int32Array(float.buffer)
  const around = (x: number, reach: number): void => {
    float[0] = x
    const middle = bits[0]!
    for (let i = -reach; i <= reach; i++) {
      bits[0] = middle + i
      out.push(float[0])
    }
  }
  for (const x of [1, -1, 0.5, 0.55, 0.925, 3.95, 10, Math.SQRT1_2, Math.SQRT2, 88.72284, -87.33655, -103.97208, 1600, least, 3.4e38]) around(x, 300)
  for (let i = 1; i < 3000; i++) around(i * Math.PI / 2, 1)
  return Float32Array.from(out)
}

/** The step from a float of this size to the next. */
const ulp = (x: number): number => 2 ** (Math.max(-126, Math.min(127, Math.floor(Math.log2(Math.abs(x))))) - 23)

/** The largest error in units of the last place, where it is, and results of another kind: NaN, infinite, zero, or of another sign. */
function compare(f: (...xs: Tensor[]) => Tensor, ...operands: Float32Array[]): { worst: number; at: unknown; wrong: string[] } {
  use(gpu)
  const ys = f(...operands.map(xs => tensor(xs))).dataSync()
  use(host)
  const exact = f(...operands.map(xs => tensor(Float64Array.from(xs)))).dataSync()
  let worst = 0, at: unknown
  const wrong: string[] = []
  for (let i = 0; i < ys.length; i++) {
    const y = ys[i] as number, r = exact[i] as number, float = Math.fround(r)
    const args = operands.map(xs => xs[i]!)
    // adapters may take subnormal numbers for zero; scalar.browser.test.ts says what then comes out
    if (args.some(isSubnormal) || isSubnormal(float) || Math.abs(r) === least) continue
    // next to the largest float, either it or infinity
    if (Math.abs(r) > 3.402822e38 && Math.abs(r) < 3.402824e38 && Math.abs(y) > 3.4028e38) continue
    const regular = float !== 0 && Number.isFinite(float)
    if (regular ? y === 0 || !Number.isFinite(y) || y > 0 !== r > 0 : !Object.is(y, float)) wrong.push(`${args.join()} gave ${y}, not ${float}`)
    else if (regular && Math.abs(y - r) > worst * ulp(r)) {
      worst = Math.abs(y - r) / ulp(r)
      at = args
    }
  }
  return { worst, at, wrong: wrong.slice(0, 5) }
}

const xs = samples()

describe('elementary functions', () => {
  it.each(names)('%s keeps its bound', name => {
    const { worst, at, wrong } = compare(ops[name], xs)
    expect(wrong).toEqual([])
    expect(worst, `at ${String(at)}`).toBeLessThanOrEqual(bounds[name])
  })

  it('pow keeps its bound, 1.5', () => {
    const random = randomOf(2)
    const a: number[] = [], b: number[] = []
    for (let i = 0; i < 100000; i++) {
      // powers of all sizes, and somewhat beyond, of numbers of all sizes and near 1
      const x = i % 2 === 0 ? 2 ** ((random() - 0.5) * 252) : 1 + (random() - 0.5) * 2 ** (-random() * 20)
      const y = (random() - 0.5) * 300 / Math.log2(x)
      a.push(i % 5 === 0 ? -x : x)
      b.push(i % 5 === 0 ? Math.round(y) : y)
    }
    const { worst, at, wrong } = compare(pow, Float32Array.from(a), Float32Array.from(b))
    expect(wrong).toEqual([])
    expect(worst, `at ${String(at)}`).toBeLessThanOrEqual(1.5)
  })

  it('div is exact: whole quotients are whole, and x/x is 1', () => {
    const random = randomOf(3)
    const whole = Float32Array.from({ length: 20000 }, () => 1 + Math.floor(random() * 4095)), by = whole.map(() => 1 + Math.floor(random() * 4095))
    use(gpu)
    expect(div(tensor(whole.map((x, i) => x * by[i]!)), tensor(by)).dataSync()).toEqual(whole)
    const sizes = xs.filter(x => Number.isFinite(x) && Math.abs(x) >= least)
    expect(new Set(div(tensor(sizes), tensor(sizes)).dataSync() as Float32Array)).toEqual(new Set([1]))
    expect(compare(div, xs, xs.toReversed()).worst).toBeLessThanOrEqual(0.5)
  })

  it('whole powers that float32 has come out exact, but for one in a thousand', () => {
    const a: number[] = [], b: number[] = []
    for (let x = -60; x <= 60; x++) for (let y = 0; y <= 40; y++) if (Math.fround(x ** y) === x ** y) {
      a.push(x)
      b.push(y)
    }
    use(gpu)
    const ys = pow(tensor(a), tensor(b)).dataSync()
    expect(a.filter((x, i) => ys[i] !== x ** b[i]!).length).toBeLessThanOrEqual(a.length / 1000)
  })

  it.each([['silu', silu, 4e-7], ['gelu', gelu, 4e-7]] as const)('%s, a composite, is off by as much as its sum is', (_name, f, most) => {
    const small = xs.filter(x => Math.abs(x) < 100)
    use(gpu)
    const ys = f(tensor(small)).dataSync()
    use(host)
    const exact = f(tensor(Float64Array.from(small))).dataSync()
    let worst = 0
    for (let i = 0; i < ys.length; i++) worst = Math.max(worst, Math.abs(Number(ys[i]) - Number(exact[i])) / Math.max(1, Math.abs(small[i]!)))
    expect(worst).toBeLessThanOrEqual(most)
  })
})
