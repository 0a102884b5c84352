// Elementwise ops at special values, bit for bit as the CPU has them: zeros and their signs, halves, infinities, NaN, wrap-around, casts.

import { cpu } from '@bp/backend-cpu'
import { type DType, type Tensor, tensor, type TypedArray, use } from '@bp/core'
import { abs, acos, add, asin, atan, cast, cos, div, equal, erf, exp, expm1, floor, less, lessEqual, log, log1p, logicalAnd, logicalNot, logicalOr, maximum, minimum, mul, neg, pow, relu, round, select, sigmoid, sign, sin, sqrt, sub, tan, tanh } from '@bp/ops'
import { describe, expect, it } from 'vitest'
import { backend as gpu } from '../test/backend.ts'

const host = cpu()

const least = 2 ** -126, smallest = 2 ** -149, largest = (2 - 2 ** -23) * 2 ** 127
const isSubnormal = (x: number): boolean => x !== 0 && Math.abs(x) < least

const sizes = [
  0, 0.25, 0.49999997, 0.5, 0.50000006, 1, 1.5, 2, 2.5, 3, 3.5, smallest, least - smallest, least, largest, Infinity, 2 ** 23 - 0.5, 2 ** 23, 2 ** 24 - 1, 2 ** 24, 2 ** 24 + 2,
  2 ** 31, 2 ** 32, 3.7e9, 1e10, 88.9, 1e-20, 1e20,
]
const values = Float32Array.from([...sizes, ...sizes.map(x => -x), NaN])

type Op = (...xs: Tensor[]) => Tensor

const run = (backend: typeof host | typeof gpu, f: Op, xs: readonly TypedArray[]): TypedArray => {
  use(backend)
  return f(...xs.map(x => tensor(x))).dataSync()
}

/** Subnormal floats as zeros of their sign. */
const flushed = (x: TypedArray): TypedArray => x instanceof Float32Array ? x.map(value => isSubnormal(value) ? value * 0 : value) : x

const shown = (x: unknown): string => Object.is(x, -0) ? '-0' : String(x)

/**
 * Results that are not the CPU's. With subnormal operands or results they may also be what the CPU makes of zeros in their place, for
 * adapters may flush them. `close` may be another float of the same sign; how close, math.browser.test.ts says.
 */
function differences(f: Op, xs: readonly TypedArray[], close = false): string[] {
  const ys = run(gpu, f, xs), exact = run(host, f, xs), zeroed = run(host, f, xs.map(flushed))
  const out: string[] = []
  for (let i = 0; i < ys.length; i++) {
    const y = ys[i]! as number, r = exact[i]! as number, z = zeroed[i]! as number
    const fits = (r: number): boolean => Object.is(y, r) || (close && Number.isFinite(y) && Number.isFinite(r) && y !== 0 && Math.sign(y) === Math.sign(r))
    const subnormal = xs.some(x => x instanceof Float32Array && isSubnormal(x[i]!)) || isSubnormal(r) || isSubnormal(z)
    if (!fits(r) && !(subnormal && (fits(z) || Object.is(y, z * 0)))) out.push(`${xs.map(x => shown(x[i])).join(', ')} gave ${shown(y)}, not ${shown(r)}`)
  }
  return out.slice(0, 5)
}

/** Every value with every other. */
function pairs<A extends Float32Array | Int32Array | Uint8Array>(values: A): [A, A] {
  const n = values.length
  const make = (at: (i: number) => number): A => {
    const list = values.constructor === Float32Array ? new Float32Array(n * n) : values.constructor === Int32Array ? new Int32Array(n * n) : new Uint8Array(n * n)
    return list.map((_, i) => values[at(i)]!) as A
  }
  return [make(i => Math.floor(i / n)), make(i => i % n)]
}

describe('floats', () => {
  it.each(Object.entries<Op>({ neg, abs, sign, floor, round: x => round(x), relu, sqrt }))('%s is the CPU’s', (_name, f) => { expect(differences(f, [values])).toEqual([]) })

  it.each(Object.entries({ add, sub, mul, div, maximum, minimum, equal, less, lessEqual }))('%s is the CPU’s', (_name, f) => { expect(differences(f, pairs(values))).toEqual([]) })

  it.each(Object.entries({ exp, log, expm1, log1p, tanh, sigmoid, erf, sin, cos, tan, asin, acos, atan }))('%s is NaN, infinite, zero and negative where the CPU’s is', (_name, f) => {
    expect(differences(f, [values], true)).toEqual([])
  })

  it('pow is IEEE’s', () => { expect(differences(pow, pairs(values), true)).toEqual([]) })

  it('select passes bits on, and NaN as a condition is true', () => {
    const [a, b] = pairs(values)
    expect(differences((a, b) => select(cast(a, 'bool'), a, b), [a, b])).toEqual([])
  })

  it('says what this adapter does with subnormal numbers: all of it, or none', () => {
    const product = run(gpu, mul, [Float32Array.of(least), Float32Array.of(0.5)])[0], sum = run(gpu, add, [Float32Array.of(smallest), Float32Array.of(0)])[0]
    const what = product === 0 && sum === 0 ? 'flushes' : product === least / 2 && sum === smallest ? 'keeps' : `mixes (${product}, ${sum})`
    console.info(`${gpu.adapter} ${what} subnormal numbers`)
    expect(['flushes', 'keeps']).toContain(what)
    // where bits are passed on or a function is its operand near 0, they stay on every adapter
    const subnormal = Float32Array.of(smallest, -smallest, least - smallest)
    for (const f of [abs, relu, sin, tan, tanh, asin, atan, expm1, log1p] as Op[]) expect(run(gpu, f, [subnormal])).toEqual(run(host, f, [subnormal]))
  })
})

const whole = Int32Array.of(
  0, 1, -1, 2, -2, 3, 7, -7, 127, 128, 255, 256, 257, 32767, 65504, 65519, 65520, 65536, 46341, 16777215, 16777216, 16777217, -16777217, 16777219, 2147483647, -2147483648,
  -2147483647, 2147483583, 2147483584, 1 << 30, 0x7fc00001, 123456789,
)
const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)

describe('whole numbers', () => {
  it.each(Object.entries({ add, sub, mul, maximum, minimum, equal, less, lessEqual }))('%s wraps and compares as the CPU', (_name, f) => {
    expect(differences(f, pairs(whole))).toEqual([])
    expect(differences(f, pairs(bytes))).toEqual([])
  })

  it.each(Object.entries({ neg, abs, sign, relu }))('%s is the CPU’s', (_name, f) => {
    expect(differences(f, [whole])).toEqual([])
    expect(differences(f, [bytes])).toEqual([])
  })

  it('div goes towards zero, −2³¹/−1 wraps, and division by 0, which throws on the CPU, gives 0', () => {
    for (const list of [whole, bytes] as const) {
      const [a, b] = pairs(list as Int32Array)
      expect(differences(div, [a, b.map(x => x === 0 ? 1 : x)])).toEqual([])
      expect([...run(gpu, div, [list, list.map(() => 0)])]).toEqual([...list].map(() => 0))
    }
  })

  it('logic is the CPU’s', () => {
    const a = Uint8Array.of(0, 0, 1, 1), b = Uint8Array.of(0, 1, 0, 1)
    const bool = (f: Op): Op => (...xs) => f(...xs.map(x => cast(x, 'bool')))
    for (const f of [logicalAnd, logicalOr, equal] as Op[]) expect(differences(bool(f), [a, b])).toEqual([])
    expect(differences(bool(logicalNot), [a])).toEqual([])
  })
})

const dtypes: readonly DType[] = ['float32', 'float16', 'int32', 'uint8', 'bool']

/** Every float16, what lies halfway to the next, and the floats beside that. */
function halves(): Float32Array {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i)
  use(host)
  const all = cast(tensor(bits, { dtype: 'float16' }), 'float32').dataSync() as Float32Array
  const out: number[] = []
  for (let i = 0; i < 65535; i++) {
    const middle = (all[i]! + all[i + 1]!) / 2, step = Math.abs(middle) * 2 ** -23
    out.push(all[i]!, middle, middle + step, middle - step)
  }
  return Float32Array.from(out)
}

describe('casts', () => {
  it.each(dtypes)('to %s are the CPU’s, from each dtype', to => {
    for (const x of [values, whole, bytes]) expect(differences(x => cast(x, to), [x])).toEqual([])
    for (const from of ['float16', 'bool'] as const) expect(differences(x => cast(cast(x, from), to), [values])).toEqual([])
  })

  it.each(dtypes)('of floats of every exponent to %s are the CPU’s', to => {
    const x = Float32Array.from({ length: 40000 }, (_, i) => 2 ** (i % 277 - 149) * (1 + (i * 0.6180339887) % 1) * (i % 2 ? 1 : -1))
    expect(differences(x => cast(x, to), [x])).toEqual([])
  })

  it('round to float16 as encodeFloat16 does', () => { expect(differences(x => cast(x, 'float16'), [halves()])).toEqual([]) })
})
