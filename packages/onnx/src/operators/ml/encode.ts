// Encoders of ai.onnx.ml: LabelEncoder, CategoryMapper and OneHotEncoder, between numbers and strings.

import { type Tensor, tensor } from '@bp/core'
import { describe, fail, isFloat } from '@bp/core/extend'
import { cast, equal, reshape } from '@bp/ops'
import type { Attributes } from '../../import/attributes.ts'
import type { ModelNode } from '../../import/load.ts'
import { elementTypeOf, fromStored, int64s, StringTensor, toNumbers, toTensor, type Value } from '../../import/value.ts'
import type { ElementType } from '../../proto/elementType.ts'
import { convertTo } from '../cast.ts'
import { onValues, type Operator, type Operators } from '../operator.ts'
import { given } from './scores.ts'

type Key = string | number

/** What elements are looked up by; NaN finds itself in a Map. */
const keysOf = (x: Value): readonly Key[] => x instanceof StringTensor ? x.data : toNumbers(x)

/** Numbers or strings of one of three lists, and of which. */
interface Listed {
  readonly values: readonly Key[]
  readonly kind: ElementType
}

function listed(prefix: string, attributes: Attributes): Listed | null {
  const floats = attributes.floats(`${prefix}_floats`)
  if (floats) return { values: floats, kind: 'float32' }
  const ints = attributes.ints(`${prefix}_int64s`)
  if (ints) return { values: ints, kind: 'int64' }
  const strings = attributes.strings(`${prefix}_strings`)
  if (strings) return { values: strings, kind: 'string' }
  const table = attributes.stored(`${prefix}_tensor`)
  return table && { values: keysOf(fromStored(table)), kind: elementTypeOf(fromStored(table)) }
}

function valueOf(operator: string, values: readonly Key[], shape: readonly number[], kind: ElementType): Value {
  if (kind === 'string') return new StringTensor(shape, values.map(String))
  return kind === 'int64' ? int64s(values.map(Number), shape) : convertTo(operator, tensor(values.map(Number), { shape, dtype: 'float64' }), kind)
}

/** What a key that is not listed becomes. */
function fallbackOf(kind: ElementType, attributes: Attributes): Key {
  const given = attributes.stored('default_tensor')
  if (given) return keysOf(fromStored(given))[0]!
  if (kind === 'string') return attributes.string('default_string', '_Unused')
  return kind.includes('int') ? attributes.int('default_int64', -1) : attributes.float('default_float', -0)
}

/** Each element by a table of keys and values. Version 1 has one list of strings, of which a number is a place. */
const labelEncoder: Operator = onValues(1, ([x], attributes, node) => {
  if (node.opset < 2) return mapped(x!, given(attributes.strings('classes_strings'), 'classes_strings', node), null, attributes)
  const keys = listed('keys', attributes) ?? fail('data', node.operator, 'it has no keys. The file is damaged')
  const values = listed('values', attributes) ?? fail('data', node.operator, 'it has no values. The file is damaged')
  const table = new Map(keys.values.map((key, i) => [key, values.values[i]!]))
  const fallback = fallbackOf(values.kind, attributes)
  return valueOf(node.operator, keysOf(x!).map(key => table.get(key) ?? fallback), x!.shape, values.kind)
})

/** Strings to numbers or numbers to strings by two lists; without numbers, they are the places of the strings. */
function mapped(x: Value, strings: readonly string[], numbers: readonly number[] | null, attributes: Attributes): Value {
  const places = numbers ?? strings.map((_, i) => i)
  if (x instanceof StringTensor) {
    const table = new Map(strings.map((text, i) => [text, places[i]!]))
    return int64s(x.data.map(text => table.get(text) ?? attributes.int('default_int64', -1)), x.shape)
  }
  const table = new Map(places.map((place, i) => [place, strings[i]!]))
  return new StringTensor(x.shape, toNumbers(x).map(number => table.get(number) ?? attributes.string('default_string', '_Unused')))
}

/** A new last axis, 1 at the place of each element in a list of categories. */
const oneHot: Operator = onValues(1, ([x], attributes, node) => {
  const strings = attributes.strings('cats_strings')
  const y = x instanceof StringTensor ? hotTexts(x, given(strings, 'cats_strings', node)) : hotNumbers(toTensor(x!), given(attributes.ints('cats_int64s'), 'cats_int64s', node))
  if (attributes.int('zeros', 1) === 0) checkKnown(y, node)
  return y
})

const hotTexts = (x: StringTensor, categories: readonly string[]): Tensor =>
  tensor(x.data.flatMap(text => categories.map(category => Number(category === text))), { shape: [...x.shape, categories.length], dtype: 'float32' })

const hotNumbers = (x: Tensor, categories: readonly number[]): Tensor => {
  const whole = isFloat(x.dtype) ? cast(x, 'int64') : x
  return cast(equal(reshape(whole, [...x.shape, 1]), tensor(categories, { dtype: whole.dtype, backend: x.backend })), 'float32')
}

/** Without `zeros`, an element that is no category is an error. */
function checkKnown(y: Tensor, node: ModelNode): void {
  const values = toNumbers(y)
  const width = y.shape.at(-1)!
  for (let i = 0; i < values.length; i += width) if (!values.slice(i, i + width).includes(1)) fail('value', node.operator, `element ${i / width} is none of the ${width} categories of ${describe(y)}, and the file does not allow that (zeros = 0)`)
}

/** Encoders by name. */
export const encoders: Operators = {
  'ai.onnx.ml:LabelEncoder': labelEncoder, 'ai.onnx.ml:OneHotEncoder': oneHot,
  'ai.onnx.ml:CategoryMapper': onValues(1, ([x], attributes, node: ModelNode) =>
    mapped(x!, given(attributes.strings('cats_strings'), 'cats_strings', node), given(attributes.ints('cats_int64s'), 'cats_int64s', node), attributes)),
}
