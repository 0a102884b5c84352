// Floats of 16, 8 and 4 bits that are no dtypes: rounding a number to one, and its code in a file.

import type { NarrowType } from './elementType.ts'

/** The short floats of ONNX. */
export type ShortFloat = 'bfloat16' | 'float8e4m3fn' | 'float8e4m3fnuz' | 'float8e5m2' | 'float8e5m2fnuz' | 'float8e8m0' | 'float4e2m1'

/**
 * How a number becomes one of a short float type. `saturate`: what is too large becomes the largest number rather than infinity or
 * NaN. `round`: where the type has powers of two alone, which of the two around a number it becomes.
 */
export interface Rounding {
  readonly saturate: boolean
  readonly round: 'up' | 'down' | 'nearest'
}

/** Rounding of what operators compute: to nearest, ties to even, what is too large to infinity or NaN. */
export const plainly: Rounding = { saturate: false, round: 'nearest' }

interface Format {
  readonly mantissa: number
  readonly bias: number
  readonly largest: number
  /** What is too large where it does not saturate. */
  readonly beyond: number
  /** The sign bit. */
  readonly sign: number
  /** The code of NaN, and of infinity where there is one. */
  readonly nan: number
  readonly infinity?: number
  /** Whether the code of −0 is NaN's, so that there is no −0. */
  readonly oneZero?: boolean
}

/*
 * float8: Micikevicius et al. 2022, "FP8 formats for deep learning", and, without infinities and −0, Noune et al. 2022, "8-bit numerical
 * formats for deep neural networks"; float4: OCP Microscaling Formats 1.0, 2023, §5.3.3, which has no NaN: it becomes −0 here.
 */
const formats: Readonly<Record<Exclude<ShortFloat, 'float8e8m0'>, Format>> = {
  bfloat16: { mantissa: 7, bias: 127, largest: 2 ** 127 * (2 - 2 ** -7), beyond: Infinity, sign: 0x8000, nan: 0x7fc0, infinity: 0x7f80 },
  float8e4m3fn: { mantissa: 3, bias: 7, largest: 448, beyond: NaN, sign: 0x80, nan: 0x7f },
  float8e4m3fnuz: { mantissa: 3, bias: 8, largest: 240, beyond: NaN, sign: 0x80, nan: 0x80, oneZero: true },
  float8e5m2: { mantissa: 2, bias: 15, largest: 57344, beyond: Infinity, sign: 0x80, nan: 0x7e, infinity: 0x7c },
  float8e5m2fnuz: { mantissa: 2, bias: 16, largest: 57344, beyond: NaN, sign: 0x80, nan: 0x80, oneZero: true },
  float4e2m1: { mantissa: 1, bias: 1, largest: 6, beyond: 6, sign: 8, nan: 8 },
}

/** Whether a narrow type is a float. */
export const isShortFloat = (type: NarrowType): type is ShortFloat => type === 'float8e8m0' || Object.hasOwn(formats, type)

/** ⌊log₂ x⌋ of a positive number, exactly. */
function exponentOf(x: number): number {
  const near = Math.floor(Math.log2(x))
  return 2 ** near > x ? near - 1 : 2 ** (near + 1) <= x ? near + 1 : near
}

/** x rounded to a whole number, ties to even. */
function toEven(x: number): number {
  const below = Math.floor(x)
  const rest = x - below
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below
}

/** The number of a short float type that a number becomes. */
export function roundShort(type: ShortFloat, x: number, rounding: Rounding = plainly): number {
  if (type === 'float8e8m0') return powerOfTwo(x, rounding)
  const { mantissa, bias, largest, beyond, oneZero } = formats[type]
  if (Number.isNaN(x)) return type === 'float4e2m1' ? -0 : x
  const size = Math.abs(x)
  const unit = size === 0 || size === Infinity ? 1 : 2 ** (Math.max(exponentOf(size), 1 - bias) - mantissa)
  const rounded = size === Infinity ? size : toEven(size / unit) * unit
  const held = rounded <= largest ? rounded : rounding.saturate ? largest : beyond
  return x < 0 || Object.is(x, -0) ? held === 0 && oneZero ? 0 : -held : held
}

const least = 2 ** -127
const most = 2 ** 127

/** A power of two from 2⁻¹²⁷ to 2¹²⁷ (OCP Microscaling Formats 1.0, 2023, §5.4.1): ties of `nearest` go up. */
function powerOfTwo(x: number, { saturate, round }: Rounding): number {
  if (Number.isNaN(x) || x < 0) return NaN
  const below = x === 0 ? 0 : x === Infinity ? x : 2 ** exponentOf(x)
  const up = below !== x && (round === 'up' || (round === 'nearest' && x / below >= 1.5))
  const y = up ? 2 * below : below
  if (y >= least && y <= most) return y
  return saturate ? y < least ? least : most : NaN
}

/** The code of a number that is one of the type. */
export function encodeShort(type: ShortFloat, x: number): number {
  if (type === 'float8e8m0') return Number.isNaN(x) ? 0xff : exponentOf(x) + 127
  const { mantissa, bias, nan, sign, infinity = nan } = formats[type]
  if (Number.isNaN(x)) return nan
  const minus = x < 0 || Object.is(x, -0) ? sign : 0
  const size = Math.abs(x)
  if (size === Infinity) return minus | infinity
  if (size === 0) return minus
  const exponent = Math.max(exponentOf(size), 1 - bias)
  const digits = size / 2 ** (exponent - mantissa)
  // a subnormal number has no leading digit, and the exponent 0 in its code
  return minus | (digits < 2 ** mantissa ? digits : (exponent + bias) * 2 ** mantissa + digits - 2 ** mantissa)
}

/** The number of a code. */
export function decodeShort(type: ShortFloat, code: number): number {
  if (type === 'float8e8m0') return code === 0xff ? NaN : 2 ** (code - 127)
  const { mantissa, bias, largest, nan, sign, infinity, oneZero } = formats[type]
  if (oneZero && code === nan) return NaN
  const digits = code & (sign - 1)
  const exponent = digits >> mantissa
  const fraction = digits % 2 ** mantissa
  const size = exponent === 0 ? fraction * 2 ** (1 - bias - mantissa) : (2 ** mantissa + fraction) * 2 ** (exponent - bias - mantissa)
  const value = size <= largest ? size : digits === infinity ? Infinity : NaN
  return code & sign ? -value : value
}
