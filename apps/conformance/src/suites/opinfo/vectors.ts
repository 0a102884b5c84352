// Reading PyTorch's OpInfo vectors: one JSON object a line, with tensors, dtypes and slices marked by a dollar sign.

import { type DType, tensor, type Tensor } from '@bp/core'
import { dtypes } from '@bp/core/extend'
import { Unsupported } from '../../compare.ts'
import type { Value } from './arguments.ts'

/** A tensor as the file holds it. */
export interface RawTensor {
  readonly $t: { readonly shape: readonly number[]; readonly dtype: string; readonly data: unknown }
}

/** A value as the file holds it. */
export type Raw = RawTensor | { readonly $dtype: string } | { readonly $slice: readonly (number | null)[] } | { readonly $nan: true } | number | boolean | string | null | readonly Raw[]

/** One line. */
export interface Vector {
  readonly op: string
  readonly variant: string
  readonly input: Raw
  readonly args: readonly Raw[]
  readonly kwargs: Readonly<Record<string, Raw>>
  readonly outputs: readonly RawTensor[]
  readonly cotangents: readonly (RawTensor | null)[]
  /** Which tensors, in reading order, are differentiated by. */
  readonly wrt: readonly number[]
  readonly grads: readonly (RawTensor | null)[]
  readonly tangents?: readonly RawTensor[]
  readonly jvp?: readonly (RawTensor | null)[]
  readonly v?: readonly (RawTensor | null)[]
  readonly gradgrad?: readonly (RawTensor | null)[]
}

/** A line as what it says. */
export const parseVector = (line: string): Vector => JSON.parse(strict(line)) as Vector

/** A line as what it says, with float32 in place of float64: of tensors, and of dtypes among the arguments. */
export const parseSingle = (line: string): Vector =>
  JSON.parse(strict(line), (key, value: unknown) => (key === 'dtype' || key === '$dtype') && typeof value === 'string' ? value.replace('float64', 'float32') : value) as Vector

/** What a vector tests: an op, and where it has any a variant of it. */
export const nameOf = ({ op, variant }: Vector): string => `${op}${variant && `/${variant}`}`

/** Python writes Infinity and NaN as JSON does not; numbers too large to hold become infinite again when parsed. */
const strict = (line: string): string => line
  .replace(/(?<=[[,:]\s*)(-?)Infinity(?=\s*[,\]}])/g, '$11e999')
  .replace(/(?<=[[,:]\s*)NaN(?=\s*[,\]}])/g, '{"$nan":true}')

/** Whether a value is a tensor. */
export const isRawTensor = (raw: Raw): raw is RawTensor => typeof raw === 'object' && raw !== null && '$t' in raw

/** The tensors of a value, in reading order. */
export function tensorsIn(raw: Raw): RawTensor[] {
  if (Array.isArray(raw)) return (raw as readonly Raw[]).flatMap(tensorsIn)
  return isRawTensor(raw) ? [raw] : []
}

/** A number of a tensor's data: `null` is NaN, infinities are strings, booleans 0 and 1. */
function numberOf(value: unknown): number {
  if (value === null || value === 'nan') return NaN
  if (value === 'inf') return Infinity
  return value === '-inf' ? -Infinity : Number(value)
}

/** The numbers of a tensor. */
export const numbersOf = ({ $t: { data } }: RawTensor): number[] => [data].flat(Infinity).map(numberOf)

/** A tensor of the file as one of ours. */
export function tensorOf(raw: RawTensor): Tensor {
  const { shape, dtype } = raw.$t
  const name = dtype.replace('torch.', '') as DType
  if (!dtypes.includes(name)) throw new Unsupported(`dtype ${dtype}`)
  return tensor(numbersOf(raw), { shape: [...shape], dtype: name })
}

/** A value of the file with its tensors replaced by the next ones of a list. */
export function valueOf(raw: Raw, next: () => Tensor): Value {
  if (Array.isArray(raw)) return raw.map((one: Raw) => valueOf(one, next))
  if (typeof raw !== 'object' || raw === null) return raw
  if ('$t' in raw) return next()
  if ('$slice' in raw) return { slice: raw.$slice }
  return '$dtype' in raw ? { dtype: raw.$dtype } : NaN
}
