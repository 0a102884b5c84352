// The vector functions against JavaScript's own in double precision: every exponent, both signs, and the special values.

import { describe, expect, it } from 'vitest'
import { erf } from '../../erf.ts'
import { engine } from '../engine.ts'
import { features } from '../features.ts'
import { i32, v128 } from '../instructions.ts'
import { ModuleBuilder } from '../module.ts'
import { floats } from '../simd.ts'
import { mathOf } from './index.ts'

/* Measured maximum in ulp, rounded up: what the doc page states. */
const bounds: Readonly<Record<string, { readonly exact: (x: number) => number; readonly ulp: number }>> = {
  exp: { exact: Math.exp, ulp: 1.5 }, expm1: { exact: Math.expm1, ulp: 2 }, log: { exact: Math.log, ulp: 1.5 }, log1p: { exact: Math.log1p, ulp: 2 },
  sigmoid: { exact: x => x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)), ulp: 2.5 }, tanh: { exact: Math.tanh, ulp: 2 }, erf: { exact: erf, ulp: 2 },
  sin: { exact: Math.sin, ulp: 2 }, cos: { exact: Math.cos, ulp: 2 }, tan: { exact: Math.tan, ulp: 2.5 },
  asin: { exact: Math.asin, ulp: 1.5 }, acos: { exact: Math.acos, ulp: 1.5 }, atan: { exact: Math.atan, ulp: 1.5 },
  sqrt: { exact: Math.sqrt, ulp: 0.5 },
}

/** Floats of every exponent and both signs, denser near 1, and the special values. */
function samples(): Float32Array {
  const out: number[] = [0, -0, Infinity, -Infinity, NaN, 1, -1]
  let seed = 1
  const random = (): number => (seed = Math.imul(seed, 1664525) + 1013904223 | 0) / 2 ** 32 + 0.5
  for (let e = -149; e < 128; e++) for (let i = 0; i < 120; i++) out.push(2 ** e * (1 + random()), -(2 ** e) * (1 + random()))
  for (let i = 0; i < 60000; i++) out.push((random() - 0.5) * 220, (random() - 0.5) * 20, (random() - 0.5) * 2)
  while (out.length % 4 !== 0) out.push(1)
  return Float32Array.from(out)
}

function apply(name: string, xs: Float32Array, relaxed: boolean): Float32Array {
  const pages = Math.ceil(xs.byteLength / 65536) + 1
  const module = new ModuleBuilder({ pages, maxPages: pages, shared: false })
  const func = module.func(['i32'], [], 'run')
  func.for(0, func.params[0], 16, at => { func.do(v128.store(at, mathOf(name, floats(relaxed))(func, [func.let(v128.load(i32.add(at, 0)))]))) })
  const memory = new (engine().Memory)({ initial: pages, maximum: pages, shared: false })
  const { run } = new (engine().Instance)(new (engine().Module)(module.encode()), { env: { memory } }).exports
  new Float32Array(memory.buffer).set(xs);
  (run as (bytes: number) => void)(xs.byteLength)
  return new Float32Array(memory.buffer, 0, xs.length).slice()
}

/** The distance in units of the last place of the nearest float. */
function ulps(got: number, exact: number): number {
  const right = Math.fround(exact)
  if (Object.is(got, right) || (Number.isNaN(got) && Number.isNaN(right))) return 0
  if (!Number.isFinite(right) || !Number.isFinite(got)) return Math.abs(right) === Infinity && Math.abs(got) > 3.4e38 && Math.sign(got) === Math.sign(right) ? 1 : Infinity
  const unit = 2 ** Math.max(-149, Math.floor(Math.log2(Math.abs(right) || 2 ** -149)) - 23)
  return Math.abs(got - exact) / unit
}

describe.each(Object.entries(bounds))('%s', (name, { exact, ulp }) => {
  it.each(features()?.relaxed ? [true, false] : [false])(`is within ${ulp} ulp (fused multiply-add: %s)`, relaxed => {
    const xs = samples()
    const ys = apply(name, xs, relaxed)
    let worst = { ulps: 0, x: 0, got: 0 }
    xs.forEach((x, i) => {
      const error = ulps(ys[i]!, exact(x))
      if (error > worst.ulps) worst = { ulps: error, x, got: ys[i]! }
    })
    expect(worst.ulps, `x = ${worst.x}, got ${worst.got}, exact ${exact(worst.x)}`).toBeLessThanOrEqual(ulp + 1e-9)
  })

  it('gives zeros their sign, and what JavaScript gives at NaN and infinity', () => {
    const xs = Float32Array.of(0, -0, Infinity, -Infinity, NaN, 1, 2, 3)
    expect([...apply(name, xs, false)].slice(0, 5)).toEqual([...xs].slice(0, 5).map(x => Math.fround(exact(x))))
  })
})
