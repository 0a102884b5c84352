// What goes into a model and comes out of it: checked against what the file declares, and turned into values and back.

import { Tensor } from '@bp/core'
import { describe, fail, isFloat } from '@bp/core/extend'
import { isNarrow } from '../proto/elementType.ts'
import type { ModelValue } from './load.ts'
import { narrowTo } from './narrow.ts'
import { elementTypeOf, Optional, Sequence, StringTensor, toTensor, type Value } from './value.ts'

/**
 * What a model takes and gives: a tensor, of an element type that is no dtype in the dtype that carries it (int8 in int32, bfloat16 in
 * float32 and so on); a tensor of strings; a list of either for a sequence; `null` for an optional that is empty.
 */
export type OnnxValue = Tensor | StringTensor | readonly OnnxValue[] | null

const isList = (x: OnnxValue): x is readonly OnnxValue[] => Array.isArray(x)

/** Values of inputs by name. Throws where one is of another type, shape or kind than the file declares, or two name an axis and differ in it. */
export function readFeeds(inputs: readonly ModelValue[], feeds: ReadonlyMap<string, OnnxValue>): Map<string, Value> {
  const sizes = new Map<string, number>()
  return new Map(inputs.map(input => [input.name, readFeed(input, feeds.get(input.name)!, sizes)]))
}

function readFeed(input: ModelValue, x: OnnxValue, sizes: Map<string, number>): Value {
  if (input.kind.startsWith('optional')) return new Optional(x === null ? null : readFeed({ ...input, kind: input.kind === 'optional' ? 'tensor' : 'sequence' }, x, sizes))
  if (input.kind === 'sequence') {
    if (!isList(x)) return fail('value', 'OnnxModule', `input ${input.name} is a sequence. Give a list of tensors to runValues`)
    // the tensors of a sequence need not agree in the sizes that have names
    return new Sequence(x.map(item => readFeed({ ...input, kind: 'tensor' }, item, new Map())))
  }
  return readTensor(input, x, sizes)
}

function readTensor({ name, type, dtype, shape }: ModelValue, x: OnnxValue, sizes: Map<string, number>): Value {
  const text = type === 'string'
  if (!(text ? x instanceof StringTensor : x instanceof Tensor)) return fail('value', 'OnnxModule', text ? `input ${name} takes strings. Give new StringTensor(shape, texts) to runValues` : `input ${name} is no tensor. Make one with tensor(data)`)
  const given = x as Tensor | StringTensor
  const fits = (given instanceof StringTensor || given.dtype === dtype) && (shape === null || (given.shape.length === shape.length && shape.every((size, i) => typeof size === 'string' || size === given.shape[i])))
  if (!fits) fail('shape', 'OnnxModule', `input ${name} must be ${type}${shape ? `[${shape.join(',')}]` : ''}${type === dtype || text ? '' : `, given as ${dtype}`}, got ${given instanceof StringTensor ? `strings of shape [${given.shape.join(',')}]` : describe(given)}`)
  shape?.forEach((size, i) => {
    if (typeof size !== 'string') return
    const before = sizes.get(size)
    if (before !== undefined && before !== given.shape[i]) fail('shape', 'OnnxModule', `the axis ${size} is ${before} in one input and ${given.shape[i]} in ${name}. They must be equal`)
    sizes.set(size, given.shape[i]!)
  })
  return given instanceof Tensor && isNarrow(type) ? narrowTo(type, given) : given
}

/** A result as it is given out. Throws a `data` error where its element type or kind is not what the file declares. */
export function giveOut(output: ModelValue, value: Value): OnnxValue {
  const { name, kind, type } = output
  const inner = value instanceof Optional ? value.value : value
  if (inner === null) return kind.startsWith('optional') ? null : mistaken(output, 'an empty optional')
  if (inner instanceof Sequence) return kind.endsWith('sequence') ? inner.items.map(item => giveOut({ name, kind: 'tensor', type, dtype: output.dtype, shape: null }, item)) : mistaken(output, 'a sequence')
  if (inner instanceof Optional || kind.endsWith('sequence')) return mistaken(output, inner instanceof Optional ? 'an optional in an optional' : `a tensor of ${elementTypeOf(inner)}`)
  const got = elementTypeOf(inner)
  // autocast computes in float16 what the file declares as another float
  if (got !== type && !(got === 'float16' && isFloat(output.dtype))) mistaken(output, `a tensor of ${got}`)
  return inner instanceof StringTensor ? inner : toTensor(inner)
}

const mistaken = ({ name, kind, type }: ModelValue, got: string): never =>
  fail('data', 'OnnxModule', `the file declares the output ${name} as ${kind === 'tensor' ? 'a tensor' : kind === 'sequence' ? 'a sequence' : `an ${kind}`} of ${type}, but its nodes make ${got}. The file is damaged or was written wrongly; export the model again`)
