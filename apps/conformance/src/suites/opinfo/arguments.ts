// A PyTorch call's arguments: by place or by keyword, as plain numbers, lists and our own tensors.

import type { DType } from '@bp/core'
import { Tensor } from '@bp/core'
import { Unsupported } from '../../compare.ts'

/** An argument as the vectors hold it, with tensors made ours. */
export type Value = Tensor | Slice | DTypeName | number | boolean | string | null | readonly Value[]

/** Python's `slice(start, stop, step)`. */
export interface Slice {
  readonly slice: readonly (number | null)[]
}

/** A `torch.dtype` by its name. */
export interface DTypeName {
  readonly dtype: string
}

/** A function of `torch` in terms of the public API; throws {@link Unsupported} for an argument without a counterpart. */
export type Adapter = (call: Arguments) => Tensor | readonly Tensor[]

/**
 * The arguments of one call. Place 0 is the input. Each reader takes the place and the keyword of an argument, and what it
 * is where it was left out; a value that no reader asked for makes the call unsupported, never silently different.
 */
export class Arguments {
  private readonly places: readonly Value[]
  private readonly keywords: Readonly<Record<string, Value>>
  private readonly read = new Set<number | string>()

  constructor(places: readonly Value[], keywords: Readonly<Record<string, Value>>) {
    this.places = places
    this.keywords = keywords
  }

  /** How many arguments were given by place. */
  get count(): number {
    return this.places.length
  }

  /** The argument as it is; `undefined` where it was left out or is None. */
  value(place: number, keyword: string): Value | undefined {
    this.read.add(place).add(keyword)
    return this.keywords[keyword] ?? this.places[place] ?? undefined
  }

  /** Whether the argument was given and is not None. */
  has(place: number, keyword: string): boolean {
    return this.value(place, keyword) !== undefined
  }

  /** The input. */
  get input(): Tensor {
    return this.tensor(0, 'input')
  }

  /** A tensor that must be there. */
  tensor(place: number, keyword: string): Tensor {
    return this.maybeTensor(place, keyword) ?? refuse(keyword, 'left out')
  }

  /** A tensor, or nothing. */
  maybeTensor(place: number, keyword: string): Tensor | undefined {
    const value = this.value(place, keyword)
    return value === undefined || value instanceof Tensor ? value : refuse(keyword, value)
  }

  /** A tensor or a number. */
  operand(place: number, keyword: string, otherwise?: number): Tensor | number {
    const value = this.value(place, keyword) ?? otherwise
    if (typeof value === 'boolean') return Number(value)
    return typeof value === 'number' || value instanceof Tensor ? value : refuse(keyword, value)
  }

  /** A list of tensors. */
  tensors(place: number, keyword: string): readonly Tensor[] {
    const value = this.value(place, keyword)
    return Array.isArray(value) && value.every(x => x instanceof Tensor) ? value : refuse(keyword, value)
  }

  /** Every argument from a place on: tensors, or one list of them. */
  rest(place: number): readonly Tensor[] {
    const list = this.places.slice(place).flat()
    this.places.forEach((_, i) => { if (i >= place) this.read.add(i) })
    return list.every(x => x instanceof Tensor) ? list : refuse('*tensors', list.find(x => !(x instanceof Tensor)))
  }

  /** A number; `otherwise` where it was left out. */
  number(place: number, keyword: string, otherwise?: number): number {
    return this.maybeNumber(place, keyword) ?? otherwise ?? refuse(keyword, 'left out')
  }

  /** A number, or nothing. */
  maybeNumber(place: number, keyword: string): number | undefined {
    const value = this.value(place, keyword)
    if (typeof value === 'boolean') return Number(value)
    return value === undefined || typeof value === 'number' ? value : refuse(keyword, value)
  }

  /** A list of numbers, or one number as a list of one; `otherwise` where it was left out. */
  numbers(place: number, keyword: string, otherwise?: readonly number[]): readonly number[] {
    return this.maybeNumbers(place, keyword) ?? otherwise ?? refuse(keyword, 'left out')
  }

  /** A list of numbers, or one number as a list of one, or nothing. */
  maybeNumbers(place: number, keyword: string): readonly number[] | undefined {
    const value = this.value(place, keyword)
    if (value === undefined) return undefined
    const list = Array.isArray(value) ? value : [value]
    return list.every(x => typeof x === 'number') ? list : refuse(keyword, value)
  }

  /** A boolean; `otherwise` where it was left out. */
  flag(place: number, keyword: string, otherwise = false): boolean {
    const value = this.value(place, keyword) ?? otherwise
    return typeof value === 'boolean' || typeof value === 'number' ? Boolean(value) : refuse(keyword, value)
  }

  /** A string; `otherwise` where it was left out. */
  text(place: number, keyword: string, otherwise: string): string {
    const value = this.value(place, keyword) ?? otherwise
    return typeof value === 'string' ? value : refuse(keyword, value)
  }

  /** An element type, or nothing. */
  dtype(place: number, keyword: string): DType | undefined {
    const value = this.value(place, keyword)
    if (value === undefined) return undefined
    return (isDTypeName(value) ? dtypeNames[value.dtype.replace('torch.', '')] : undefined) ?? refuse(keyword, value)
  }

  /** Throws where an argument was given that nobody read. */
  finish(): void {
    const place = this.places.findIndex((value, i) => value !== null && !this.read.has(i))
    if (place >= 0) refuse(`${place}`, this.places[place])
    const keyword = Object.entries(this.keywords).find(([key, value]) => value !== null && !this.read.has(key))
    if (keyword) refuse(...keyword)
  }
}

const isDTypeName = (value: Value): value is DTypeName => typeof value === 'object' && value !== null && 'dtype' in value && !(value instanceof Tensor)

const dtypeNames: Readonly<Record<string, DType>> = {
  float64: 'float64', float32: 'float32', float16: 'float16', half: 'float16', int64: 'int64', int32: 'int32', uint8: 'uint8', bool: 'bool', double: 'float64', float: 'float32', long: 'int64', int: 'int32',
}

function refuse(keyword: string, value: unknown): never {
  throw new Unsupported(`argument ${keyword} = ${value instanceof Tensor ? 'a tensor' : JSON.stringify(value)}`)
}
