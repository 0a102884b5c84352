// Columns of text: what they hold, and how each field becomes a number.

import type { TypedArray } from '@bp/core'
import { allocate, fail } from '@bp/core/extend'

/** What a column holds: numbers, true and false, class indices of names, or text. */
export type ColumnType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool' | 'category' | 'string'

/** What a column holds, and what to do where it holds nothing. */
export interface ColumnOptions {
  readonly type: ColumnType
  /** The value of fields that are missing: as it would stand in the file. Unless given, NaN in floats, '' in strings, and an error elsewhere. */
  readonly missing?: string
  /** The names of a category, in the order of their indices; those in the column, sorted, unless given. */
  readonly categories?: readonly string[]
}

/** Whether a field holds nothing. */
export type IsMissing = (field: string) => boolean

/** One field into a number, an int64 or text; throws where it is none. `at` is what errors call it. */
export type FieldReader = (field: string, at: () => string) => number | bigint | string

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i
const special: Readonly<Record<string, number>> = { inf: Infinity, infinity: Infinity, '+inf': Infinity, '-inf': -Infinity, '-infinity': -Infinity }
const truths: Readonly<Record<string, number>> = { true: 1, yes: 1, 1: 1, false: 0, no: 0, 0: 0 }

function toNumber(text: string): number | undefined {
  return decimal.test(text) ? Number(text) : special[text.toLowerCase()]
}

/** A reader of the fields of a column. */
export function readerOf({ type, missing, categories }: ColumnOptions, isMissing: IsMissing): FieldReader {
  const index = new Map(categories?.map((name, i) => [name, i]))
  const read = (text: string, at: () => string): number | bigint | string => {
    const wrong = (what: string): never => fail('data', 'csv', `${at()}: ${JSON.stringify(text)} is ${what}. Correct it, or give the column another type`)
    switch (type) {
      case 'string': return text
      case 'bool': return truths[text.toLowerCase()] ?? wrong('neither true nor false')
      case 'category': return index.get(text) ?? wrong(`not among the categories ${[...index.keys()].join(', ')}`)
      case 'int64': return /^[+-]?\d+$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text) ? BigInt(text) : wrong('no int64')
      case 'int32': {
        const value = toNumber(text)
        return value !== undefined && (value | 0) === value ? value : wrong('no int32')
      }
      default: return toNumber(text) ?? wrong('no number')
    }
  }
  return (field, at) => {
    const text = type === 'string' ? field : field.trim()
    if (!isMissing(text)) return read(text, at)
    if (missing !== undefined) return read(missing, at)
    if (type === 'float32' || type === 'float64') return NaN
    if (type === 'string') return ''
    return fail('data', 'csv', `${at()} is missing, and a column of type ${type} has no value for that. Give { type: '${type}', missing: … }`)
  }
}

/** What fields look like: numbers, or names. */
export const suggestType = (fields: readonly string[], isMissing: IsMissing): ColumnType =>
  fields.every(field => isMissing(field.trim()) || toNumber(field.trim()) !== undefined) ? 'float32' : 'category'

/** The names in a column, sorted by their code units. */
export function categoriesOf(fields: readonly string[], isMissing: IsMissing, missing?: string): string[] {
  const names = new Set(fields.map(field => field.trim()).filter(field => !isMissing(field)))
  if (missing !== undefined) names.add(missing)
  return [...names].sort()
}

/** Numbers as the element type of a column has them. */
export function elementsOf(type: Exclude<ColumnType, 'string'>, values: readonly (number | bigint | string)[]): TypedArray {
  const data = allocate(type === 'category' ? 'int32' : type, values.length)
  for (let i = 0; i < values.length; i++) data[i] = values[i] as number
  return data
}
