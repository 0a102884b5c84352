// Numbers as text and text as numbers, as Cast has them: printed in the fewest digits that name the number in its type.

import type { DType, Shape, TypedArray } from '@bp/core'
import { convert, fail, isFloat, sizeOf } from '@bp/core/extend'
import { Known, readable, type StringTensor, toNumbers, toTensor, type Value } from '../import/value.ts'
import { carrierOf, type ElementType, isNarrow, type NarrowType } from '../proto/elementType.ts'
import { isShortFloat, roundShort } from '../proto/shortFloat.ts'

/** A number rounded to a type of floats. */
function rounder(type: DType | NarrowType): (x: number) => number {
  if (isNarrow(type) && isShortFloat(type)) return x => roundShort(type, x)
  if (type === 'float16') return x => toNumbers(new Known('float16', [], convert([x], 'float16')))[0]!
  return type === 'float32' ? Math.fround : x => x
}

/** x in the fewest digits that are rounded to it again, the nearest of such; of two as near the one whose last digit is even. */
function fewestDigits(x: number, round: (x: number) => number): string {
  const places = Array.from({ length: 17 }, (_, i) => i).find(i => round(Number(x.toExponential(i))) === x) ?? 16
  const up = x.toExponential(places)
  const exact = x.toExponential(60)
  const point = exact.indexOf('.') + 1
  if (!/^50*e/.test(exact.slice(point + places))) return up
  const down = `${exact.slice(0, places === 0 ? point - 1 : point + places)}${exact.slice(exact.indexOf('e'))}`
  return /[02468]e/.test(down) && round(Number(down)) === x ? down : up
}

/** The fewest digits, without a power of ten from 10⁻⁴ up to 10¹⁶, as Python prints numbers. */
function print(x: number, round: (x: number) => number): string {
  if (Number.isNaN(x)) return 'nan'
  if (!Number.isFinite(x)) return x < 0 ? '-inf' : 'inf'
  if (x === 0) return Object.is(x, -0) ? '-0.0' : '0.0'
  const short = fewestDigits(x, round)
  const [digits, exponent] = short.split('e') as [string, string]
  const power = Number(exponent)
  if (power < -4 || power >= 16) return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
  const places = Math.max(1, (digits.split('.')[1]?.length ?? 0) - power)
  return Number(short).toFixed(places)
}

/** Elements of a type, as texts. */
export function printNumbers(carrier: Value, type: DType | NarrowType): string[] {
  if (type === 'bool') return toNumbers(carrier).map(x => x ? 'True' : 'False')
  if (carrierOf(type) === 'int64') {
    const data = carrier instanceof Known ? carrier.data : readable(toTensor(carrier)).dataSync()
    return Array.from<number | bigint, string>(data, String)
  }
  const numbers = toNumbers(carrier)
  if (!isFloat(carrierOf(type))) return numbers.map(String)
  const round = rounder(type)
  return numbers.map(x => print(x, round))
}

/** Texts as numbers: exact whole ones for whole types, else float64. */
export function parseNumbers(operator: string, { shape, data }: StringTensor, type: ElementType): [dtype: DType, shape: Shape, data: TypedArray] {
  const whole = type !== 'bool' && !isFloat(carrierOf(type as DType | NarrowType))
  if (whole && data.every(text => /^\s*[+-]?\d+\s*$/.test(text))) return ['int64', shape, BigInt64Array.from(data, text => BigInt.asIntN(64, BigInt(text.trim().replace(/^\+/, ''))))]
  return ['float64', shape, Float64Array.from({ length: sizeOf(shape) }, (_, i) => parse(operator, data[i]!))]
}

function parse(operator: string, text: string): number {
  const lower = text.trim().toLowerCase()
  const named = /^([+-]?)(inf(?:inity)?|nan)$/.exec(lower)
  if (named) return named[2] === 'nan' ? NaN : named[1] === '-' ? -Infinity : Infinity
  const truth = ['false', 'true'].indexOf(lower)
  if (truth >= 0) return truth
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(lower) ? Number(lower) : fail('value', operator, `${JSON.stringify(text)} is no number`)
}
