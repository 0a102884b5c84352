// Collating: many samples become one batch, leaf by leaf.

import { Tensor, tensor, type TypedArray } from '@bp/core'
import { allocate, describe, fail, sameShape, sizeOf } from '@bp/core/extend'
import { type ArraySource, asNdArray, copyInto, isArraySource, isNdArray, type NdArray } from './array.ts'

type Leaf = ArraySource | number | bigint | boolean

/** What samples of type T stack to: an array with a new first axis for each array or number, lists of strings as they are. */
export type Stacked<T> = T extends Leaf ? NdArray : T extends string ? T[] : T extends object ? { -readonly [K in keyof T]: Stacked<T[K]> } : unknown

/** A batch of samples of type T: {@link Stacked}, with tensors for arrays. */
export type Collated<T> = T extends Leaf ? Tensor : T extends string ? T[] : T extends object ? { -readonly [K in keyof T]: Collated<T[K]> } : unknown

/**
 * A batch of samples, as PyTorch's `default_collate`: arrays and tensors of one shape are stacked along a new first axis;
 * numbers become float32, bigints int64, booleans bool, strings a list; tuples and records are collated field by field.
 * Class indices are whole numbers where samples hold them as {@link classIndex}, which gives int32.
 *
 * @example
 * ```ts
 * import { collate } from '@bp/data'
 * const batch = collate([{ x: new Float32Array([1, 2]), name: 'a' }, { x: new Float32Array([3, 4]), name: 'b' }])
 * batch.x // => tensor([[1, 2], [3, 4]], float32)
 * batch.name // => [a, b]
 * ```
 */
export const collate = <T>(samples: readonly T[]): Collated<T> => toTensors(stackSamples(samples))

/** The first half of {@link collate}, on the JavaScript side alone: what workers do. */
export function stackSamples<T>(samples: readonly T[]): Stacked<T> {
  if (samples.length === 0) fail('value', 'collate', 'a batch of no samples. Give batches of at least one')
  return stackAt(samples, '') as Stacked<T>
}

/** The second half: every array becomes a tensor on the backend in use. */
export function toTensors<T>(batch: Stacked<T>): Collated<T> {
  const convert = (node: unknown): unknown => {
    if (isNdArray(node)) return tensor(node.data, { shape: node.shape, dtype: node.dtype })
    if (Array.isArray(node)) return node.map(convert)
    if (typeof node === 'object' && node !== null && !(node instanceof Tensor)) return mapValues(node, convert)
    return node
  }
  return convert(batch) as Collated<T>
}

const mapValues = (record: object, f: (value: unknown, key: string) => unknown): object => Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]))

function stackAt(samples: readonly unknown[], path: string): unknown {
  const [first] = samples
  const same = (is: (value: unknown) => boolean, what: string): void => {
    const odd = samples.findIndex(value => !is(value))
    if (odd >= 0) fail('value', 'collate', `sample${path} is ${what} in the first sample of the batch and ${nameOf(samples[odd])} in sample ${odd}. Give all samples one form, or a collate function of your own`)
  }
  if (isArraySource(first)) {
    same(isArraySource, 'an array')
    return stackArrays((samples as ArraySource[]).map(asNdArray), path)
  }
  if (Array.isArray(first)) {
    same(value => Array.isArray(value) && value.length === first.length, `a list of ${first.length}`)
    return first.map((_, i) => stackAt((samples as unknown[][]).map(list => list[i]), `${path}[${i}]`))
  }
  if (first === null || first === undefined) fail('value', 'collate', `sample${path} is ${nameOf(first)}, which has no batch. Give arrays, numbers, strings, tuples or records, or a collate function of your own`)
  const type = typeof first
  same(value => typeof value === type && value !== null && !isArraySource(value) && !Array.isArray(value), nameOf(first))
  switch (type) {
    case 'number': return { data: Float32Array.from(samples as number[]), shape: [samples.length], dtype: 'float32' }
    case 'bigint': return { data: BigInt64Array.from(samples as bigint[]), shape: [samples.length], dtype: 'int64' }
    case 'boolean': return { data: Uint8Array.from(samples as boolean[], Number), shape: [samples.length], dtype: 'bool' }
    case 'string': return [...samples]
    case 'object': return mapValues(first, (_, key) => stackAt((samples as Record<string, unknown>[]).map(record => record[key]), `${path}.${key}`))
    default: return fail('value', 'collate', `sample${path} is ${nameOf(first)}, which has no batch. Give arrays, numbers, strings, tuples or records, or a collate function of your own`)
  }
}

function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (isArraySource(value)) return 'an array'
  if (Array.isArray(value)) return `a list of ${value.length}`
  return typeof value === 'object' ? 'a record' : value === undefined ? 'undefined' : `a ${typeof value}`
}

function stackArrays(arrays: readonly NdArray[], path: string): NdArray {
  const { shape, dtype } = arrays[0]!
  const size = sizeOf(shape)
  const data: TypedArray = allocate(dtype, arrays.length * size)
  for (const [i, x] of arrays.entries()) {
    if (x.dtype !== dtype || !sameShape(x.shape, shape)) fail('shape', 'collate', `sample${path} is ${describe(arrays[0]!)} in the first sample of the batch and ${describe(x)} in sample ${i}. Crop, resize, pad or cast samples to one shape and type, or give a collate function of your own`)
    copyInto(data, x.data, i * size)
  }
  return { data, shape: [arrays.length, ...shape], dtype }
}
