// float16: numbers of 16 bits by IEEE 754, as their bits.

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

/** The bits of the float16 nearest to a number, ties to even; above 65504 it is infinite. */
export function toHalf(value: number): number {
  float[0] = value
  const x = bits[0]!
  const sign = x >>> 16 & 0x8000
  const magnitude = x & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  // below 2⁻¹⁴ the exponent is fixed: units of 2⁻²⁴
  if (magnitude < 0x38800000) return sign | roundEven(Math.abs(float[0]) * 2 ** 24)
  // 13 bits of the mantissa fall away; the bias goes from 127 to 15
  const rest = magnitude & 0x1fff
  const kept = (magnitude >>> 13) - (112 << 10)
  return sign | kept + (rest > 0x1000 || (rest === 0x1000 && (kept & 1) === 1) ? 1 : 0)
}

function roundEven(x: number): number {
  const low = Math.floor(x)
  const rest = x - low
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low
}

/** The number that the bits of a float16 stand for. */
export function fromHalf(half: number): number {
  const sign = (half & 0x8000) === 0 ? 1 : -1
  const exponent = half >>> 10 & 0x1f
  const mantissa = half & 0x3ff
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : NaN
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

/**
 * The float16 nearest to each number, as bits.
 *
 * @example
 * ```ts
 * import { decodeFloat16, encodeFloat16 } from '@bp/core'
 * Array.from(decodeFloat16(encodeFloat16([1.0001, 1e-8]))) // => [1, 0]
 * ```
 */
export function encodeFloat16(values: ArrayLike<number>): Uint16Array {
  const halves = new Uint16Array(values.length)
  if (values instanceof Float32Array) encodeSingles(values, halves)
  else for (let i = 0; i < halves.length; i++) halves[i] = toHalf(values[i]!)
  return halves
}

/** Most numbers are 0 or in float16's normal range, where whole-number arithmetic on their bits rounds them: half a unit is added, less at a tie to even. */
function encodeSingles(values: Float32Array, halves: Uint16Array): void {
  const singles = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < halves.length; i++) {
    const x = singles[i]!
    const magnitude = x & 0x7fffffff
    if (magnitude >= 0x38800000 && magnitude < 0x477ff000) halves[i] = x >>> 16 & 0x8000 | (magnitude + 0xfff + (magnitude >>> 13 & 1) >>> 13) - (112 << 10)
    else halves[i] = magnitude === 0 ? x >>> 16 : toHalf(values[i]!)
  }
}

let numbers: Float32Array | null = null

/** The numbers that float16 bits stand for, exactly. */
export function decodeFloat16(halves: ArrayLike<number>): Float32Array {
  numbers ??= Float32Array.from({ length: 65536 }, (_, half) => fromHalf(half))
  const values = new Float32Array(halves.length)
  for (let i = 0; i < values.length; i++) values[i] = numbers[halves[i]!]!
  return values
}
