// Changing element types: Cast, CastLike and BitCast, between all types of numbers and texts.

import type { DType } from '@bp/core'
import { fail, sizeOf } from '@bp/core/extend'
import { cast } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { narrowTo } from '../import/narrow.ts'
import { carrierIn, elementTypeOf, fromStored, Known, readable, StringTensor, toTensor, type Value } from '../import/value.ts'
import { fromBytes, toBytes } from '../proto/bytes.ts'
import { bitsOf, carrierOf, type ElementType, isNarrow, type NarrowType } from '../proto/elementType.ts'
import { isShortFloat, plainly, type Rounding } from '../proto/shortFloat.ts'
import { literal, numberTypeOfCode, typeOfCode } from '../proto/tensor.ts'
import { castKnown } from './known.ts'
import { only, onValues, type Operators } from './operator.ts'
import { parseNumbers, printNumbers } from './numerals.ts'

/** A value with its elements converted to a type: floats to whole numbers towards zero, what exceeds those wraps around; texts are read and numbers printed. */
export function convertTo(operator: string, x: Value, type: ElementType, rounding: Rounding = plainly): Value {
  const from = elementTypeOf(x)
  if (from === type) return x
  if (type === 'string') return new StringTensor(x.shape, printNumbers(carrierIn(x), from as DType | NarrowType))
  if (x instanceof StringTensor) return convertTo(operator, new Known(...parseNumbers(operator, x, type)), type, rounding)
  const carrier = carrierIn(x)
  const dtype = carrierOf(type as DType | NarrowType)
  const moved = carrier instanceof Known ? castKnown(carrier, dtype) : cast(toTensor(carrier), dtype)
  return isNarrow(type) ? narrowTo(type, moved, rounding) : moved
}

/** How a node rounds: 8-bit floats saturate unless told otherwise, and did not say before version 19. */
function roundingOf(type: ElementType, attributes: Attributes, node: ModelNode): Rounding {
  if (!isNarrow(type) || !isShortFloat(type) || !type.startsWith('float8')) return plainly
  const round = type === 'float8e8m0' ? attributes.string('round_mode', 'up') : 'nearest'
  only(node, 'round_mode', round, 'up', 'down', 'nearest')
  return { saturate: attributes.int('saturate', 1) !== 0, round: round as Rounding['round'] }
}

/** The same bytes as elements of another type of the same width. */
function bitCast(x: Value, type: DType | NarrowType, node: ModelNode): Value {
  const from = elementTypeOf(x)
  if (from === 'string' || bitsOf(from as DType) !== bitsOf(type)) return fail('dtype', node.operator, `${from} and ${type} have not the same number of bits. The file is damaged`)
  const carrier = carrierIn(x)
  const data = carrier instanceof Known ? carrier.data : readable(toTensor(carrier)).dataSync()
  return fromStored(literal(type, x.shape, fromBytes(type, sizeOf(x.shape), toBytes(from as DType, data))))
}

/** Changes of element types by name. */
export const casting: Operators = {
  Cast: onValues(1, ([x], attributes, node) => {
    const type = typeOfCode(node.operator, attributes.int('to', 0), 'attribute to')
    return convertTo(node.operator, x!, type, roundingOf(type, attributes, node))
  }),
  CastLike: onValues(2, ([x, like], attributes, node) => {
    const type = elementTypeOf(like!)
    return convertTo(node.operator, x!, type, roundingOf(type, attributes, node))
  }),
  BitCast: onValues(1, ([x], attributes, node) => bitCast(x!, numberTypeOfCode(node.operator, attributes.int('to', 0), 'attribute to'), node)),
}

