// A check: what must hold of a backend that no law of a single row covers, and how its results are compared.

import { type Backend, BpError, decodeFloat16, type DType, tensor, type Tensor, use } from '@bp/core'
import { type AnyRow, convert, defaultBackend, describe, isFloat, sizeOf } from '@bp/core/extend'
import { primitives } from '@bp/ops/extend'
import { indexOf, LawError } from '../error.ts'
import type { Tolerance } from '../tolerance.ts'

/** What a backend's hardware has not, and is not judged by: numbers too small for a full mantissa, and the sign of zero. */
export type Lack = 'subnormal' | 'negativeZero'

/** What a case runs in. */
export interface Setting {
  readonly backend: Backend
  readonly tolerances: Readonly<Record<DType, Tolerance>>
  readonly lacks: ReadonlySet<Lack>
}

/** One check of a backend. */
export interface Check {
  readonly name: string
  /** The element types that it needs. */
  readonly dtypes: readonly DType[]
  /** Rejects with a {@link LawError} where the backend is wrong. */
  readonly run: (at: Setting) => Promise<void>
}

/** The primitive of a name, for checks that go through several. */
export const primitive = (name: string): AnyRow => (primitives as unknown as Readonly<Record<string, AnyRow>>)[name]!

/** Whether an error says that the backend, or the op, has no such element type or kernel. */
export function isUnsupported(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof BpError) return at.code === 'dtype' || at.code === 'backend'
  return false
}

/** Runs with a backend in use, and puts back the one before. */
export async function withBackend<R>(backend: Backend, run: () => Promise<R>): Promise<R> {
  let before: Backend | null = null
  try {
    before = defaultBackend()
  } catch {
    // none was in use
  }
  use(backend)
  try {
    return await run()
  } finally {
    if (before) use(before)
  }
}

/** Elements as a list, those of int64 exact, those of float16 as the numbers that they stand for. */
export type Elements = readonly (number | bigint)[]

/** A tensor of these elements, on the backend in use. */
export function make(values: Elements, shape: readonly number[], dtype: DType): Tensor {
  return tensor(convert(values, dtype), { shape, dtype })
}

/** The elements of a tensor. */
export async function elements(y: Tensor): Promise<Elements> {
  const data = await y.data()
  return y.dtype === 'float16' ? Array.from(decodeFloat16(data as Uint16Array)) : Array.from(data as ArrayLike<number | bigint>)
}

const smallest = { float64: 2 ** -1022, float32: 2 ** -126, float16: 2 ** -14 } as const

/** An element as a backend that lacks some numbers would have it. */
function seen(value: number | bigint, dtype: DType, lacks: ReadonlySet<Lack>): number | bigint {
  if (typeof value === 'bigint' || !isFloat(dtype)) return value
  const kept = lacks.has('subnormal') && Math.abs(value) < smallest[dtype as keyof typeof smallest] ? 0 * value : value
  return lacks.has('negativeZero') && kept === 0 ? 0 : kept
}

/** Throws where a tensor has not the shape, dtype and elements expected: exactly, NaN and −0 too, or to `relative` of each. */
export async function expectElements(at: Setting, what: string, y: Tensor, shape: readonly number[], dtype: DType, expected: ArrayLike<number | bigint>, relative = 0): Promise<void> {
  if (describe(y) !== describe({ shape, dtype })) throw new LawError(`${what} is ${describe(y)}, expected ${describe({ shape, dtype })}`)
  const data = await y.data()
  const got: ArrayLike<number | bigint> = y.dtype === 'float16' ? decodeFloat16(data as Uint16Array) : data
  if (got.length !== sizeOf(shape)) throw new LawError(`${what} has ${got.length} elements, expected ${sizeOf(shape)}`)
  for (let i = 0; i < got.length; i++) {
    if (Object.is(got[i], expected[i])) continue
    const [a, b] = [seen(got[i]!, dtype, at.lacks), seen(expected[i]!, dtype, at.lacks)]
    if (Object.is(a, b) || (relative > 0 && a !== 0 && b !== 0 && Math.abs(Number(a) - Number(b)) <= relative * Math.abs(Number(b)))) continue
    throw new LawError(`element ${indexOf(shape, i)} of ${what} is ${plain(a)}, expected ${plain(b)}`)
  }
}

const plain = (x: number | bigint): string => Object.is(x, -0) ? '-0' : String(x)
