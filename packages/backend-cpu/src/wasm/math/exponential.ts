// e^x and what is made of it, on four floats or two doubles.

import type { V128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { polynomial } from './polynomial.ts'
import { signed, type Widths } from './widths.ts'

type Vector = Local<'v128'>

/* x = n·ln 2 + r with ln 2 in two parts, the first of few bits, so that n times it is exact (Cody & Waite 1980, §6).
   `tail` is (eʳ − 1 − r)/r² for |r| ≤ ½ ln 2, with the least largest error relative to eʳ (Remez 1934), computed with 260 bits:
   2⁻²⁸ in floats, 2⁻⁵⁷ in doubles. */
const table: Widths<{ readonly high: number; readonly low: number; readonly tail: readonly number[] }> = {
  32: {
    high: 0.693359375, low: -0.00021219444005469057,
    tail: [0.4999999345999436, 0.1666652072701571, 0.04166838643678141, 0.008368707996509583, 0.0013814639095287773],
  },
  64: {
    high: 0.6931471803691238, low: 1.9082149292705877e-10,
    tail: [0.500000000000001, 0.16666666666666413, 0.041666666666530815, 0.008333333333494253, 0.0013888888943480325, 0.00019841269506680364, 0.00002480149323780374, 0.0000027557586509526703, 2.763020320900865e-7, 2.4999964468681492e-8],
  },
}
/* Bits of the fraction, and what exponents have added. */
const fraction: Widths<number> = { 32: 23, 64: 52 }
const bias: Widths<number> = { 32: 127, 64: 1023 }

/* Where e^x is 0 or ∞ whatever x is. */
const least: Widths<number> = { 32: -105, 64: -747 }
const most: Widths<number> = { 32: 89, 64: 710 }

/** The whole number n next to x/ln 2, in the low bits of a float with `bias` added, and eʳ − 1 of the rest r. */
function split(simd: Simd, func: Func, x: Vector, bias: number, coefficients = table[simd.bits].tail): { biased: Vector; tail: V128 } {
  const { op, bits } = simd
  const { high, low } = table[bits]
  const c = op.const
  // adding 1.5·2ᵐ rounds to a whole number, which the low bits then hold
  const magic = c(1.5 * 2 ** fraction[bits] + bias)
  const biased = func.let(simd.madd(x, c(Math.LOG2E), magic))
  const n = func.let(op.sub(biased, magic))
  const r = func.let(simd.nmadd(n, c(low), simd.nmadd(n, c(high), x)))
  return { biased, tail: tailOf(simd, func, r, coefficients) }
}

/** eʳ − 1 for |r| ≤ ½ ln 2. */
function tailOf(simd: Simd, func: Func, r: Vector, coefficients = table[simd.bits].tail): V128 {
  const square = func.let(simd.op.mul(r, r))
  return simd.madd(square, polynomial(simd, func, r, square, coefficients), r)
}

/** Powers of two a and b, alike or b twice a, with a·b = 2ⁿ, from n with twice the bias added, in the low bits. */
function powers({ bit, bits }: Simd, func: Func, biased: Vector): { a: Vector; b: Vector } {
  const a = func.let(bit.shl(bit.shrU(biased, 1), fraction[bits]))
  return { a, b: func.let(bit.sub(bit.shl(biased, fraction[bits]), a)) }
}

/** 2ⁿ·eʳ, subnormal, 0 or ∞ too, from n with twice the bias added, in the low bits, and |r| ≤ ½ ln 2. */
export function scaledExp(simd: Simd, func: Func, biased: Vector, r: Vector): V128 {
  const { op } = simd
  const { a, b } = powers(simd, func, biased)
  return op.mul(op.mul(op.add(tailOf(simd, func, r), op.const(1)), a), b)
}

/** e^x = a·b·eʳ and eʳ − 1, where a and b have floats though e^x may have none. */
function factors(simd: Simd, func: Func, x: V128): { a: Vector; b: Vector; tail: V128 } {
  const { op, bits } = simd
  const near = func.let(op.pmax(op.pmin(x, op.const(most[bits])), op.const(least[bits])))
  const { biased, tail } = split(simd, func, near, 2 * bias[bits])
  return { ...powers(simd, func, biased), tail }
}

/** e^x */
export function exp(simd: Simd, func: Func, x: V128): V128 {
  const { op } = simd
  const { a, b, tail } = factors(simd, func, x)
  return op.mul(op.mul(op.add(tail, op.const(1)), a), b)
}

/** e^x − 1 = b(a(eʳ − 1) + (a − 1/b)) */
export function expm1(simd: Simd, func: Func, x: V128): V128 {
  const { op } = simd
  const { a, b, tail } = factors(simd, func, x)
  return signed(simd, op.mul(b, simd.madd(a, tail, op.sub(a, inverse(simd, b)))), x)
}

/** 1/b of a power of two. */
const inverse = (simd: Simd, b: V128): V128 => simd.bit.sub(simd.bitConst(simd.bits === 32 ? 254 << 23 : 2046n << 52n), b)

/** 1/(1 + e⁻ˣ) = a·eʳ/(a·eʳ + 1/b) */
export function sigmoid(simd: Simd, func: Func, x: V128): V128 {
  const { op } = simd
  const { a, b, tail } = factors(simd, func, x)
  const e = func.let(op.mul(op.add(tail, op.const(1)), a))
  return op.div(e, op.add(e, inverse(simd, b)))
}

/* As `tail` above, but to 2⁻²³ in floats: enough where the exponential is subtracted from five times as much. */
const shortTail: Widths<readonly number[]> = { 32: [0.49999230309733234, 0.16667115389150633, 0.04189033150487965, 0.008312501243504616], 64: table[64].tail }

/** 1 − e^x where e^x is a normal float and at most a fifth. */
export function oneMinusExp(simd: Simd, func: Func, x: V128): V128 {
  const { op, bit, bits } = simd
  const { biased, tail } = split(simd, func, func.let(x), bias[bits], shortTail[bits])
  return simd.nmadd(op.add(tail, op.const(1)), bit.shl(biased, fraction[bits]), op.const(1))
}

/** tanh x = ±(h − h²/(1 + E/2)) with E = e^2|x| − 1 and h = min(E/2, 1): what is subtracted is at most as large as the result */
export function tanh(simd: Simd, func: Func, x: V128): V128 {
  const { op, bit, bits } = simd
  const c = op.const
  const size = func.let(op.abs(x))
  // 1 − tanh of half of this is below half an ulp
  const near = func.let(op.pmin(op.add(size, size), c(bits === 32 ? 20 : 44)))
  const { biased, tail } = split(simd, func, near, bias[bits])
  const power = func.let(bit.shl(biased, fraction[bits]))
  const e = func.let(simd.madd(power, tail, op.sub(power, c(1))))
  const twice = func.let(op.pmin(e, c(2)))
  const half = func.let(op.mul(twice, c(0.5)))
  return signed(simd, op.sub(half, op.div(op.mul(twice, half), op.add(e, c(2)))), x)
}
