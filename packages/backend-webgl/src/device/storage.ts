// Storages: handles on values that lie in a texture, on this side, or both; several handles may share one value.

import type { DType, TypedArray } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { Texture } from './texture.ts'

/** A value of the GPU: what handles share. */
export class Value {
  readonly length: number
  readonly dtype: DType
  /** Where it lies on the GPU; `null` as long as it is only on this side. */
  texture: Texture | null = null
  /** The numbers themselves, where they are known on this side: then they survive a lost context. */
  host: TypedArray | null = null
  /** The storage on the host backend, of a dtype that the GPU has not. */
  away: object | null = null
  /** How many handles, or steps of a program, hold it. */
  holders = 0
  /** What is known of its numbers that lets a kernel do less; see windowsScatter.ts. */
  known: object | null = null

  constructor(length: number, dtype: DType) {
    this.length = length
    this.dtype = dtype
  }
}

/** What a handle holds, as long as it holds it; outlives the handle, so that finalisation finds it. */
export interface Claim {
  value: Value | null
  /** Where the handle was made, if that is noted. */
  readonly origin: string | undefined
}

/** A storage of the backend. One handle belongs to one tensor or variable. */
export class Handle {
  readonly claim: Claim

  constructor(value: Value, origin?: string) {
    value.holders++
    this.claim = { value, origin }
  }

  /** The value; throws where the handle was freed. */
  get value(): Value {
    return this.claim.value ?? fail('data', 'webgl', 'this tensor was freed when its scope ended. Keep what is used later with scope.keep(x)')
  }
}

/**
 * How a dtype lies in the floats of a texture. `float`: as it is, float16 rounded to its precision. `int`: the bits of an int32.
 * `small`: uint8 and bool as whole floats. `none`: not at all; such tensors live on the host backend.
 */
export type Encoding = 'float' | 'int' | 'small' | 'none'

const encodings: Readonly<Record<DType, Encoding>> = { float64: 'none', float32: 'float', float16: 'float', int64: 'none', int32: 'int', uint8: 'small', bool: 'small' }

/** Whether a dtype is computed on in whole numbers. */
export const isWhole = (dtype: DType): boolean => dtype === 'int32' || dtype === 'uint8'

/** How tensors of a dtype are kept. */
export const encodingOf = (dtype: DType): Encoding => encodings[dtype]
