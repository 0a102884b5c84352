// Values in files of test data that are more than a tensor: sequences and optionals, which onnx-proto has no messages for.

import { type Tensor, tensor } from '@bp/core'
import { UnsupportedError } from '../import/errors.ts'
import type { OnnxValue } from '../import/feeds.ts'
import { StringTensor } from '../import/value.ts'
import type { ElementType } from './elementType.ts'
import { decodeTensor } from './proto.ts'
import { readStored } from './tensor.ts'
import { checkWire, type Field, fieldsOf } from './wire.ts'

const op = 'decodeValueProto'

/** A value with the element type that the file gives its tensors; `null` where it holds none. */
export interface TypedValue {
  readonly type: ElementType | null
  readonly value: OnnxValue
}

/**
 * The value in a serialised `TensorProto`, `SequenceProto` or `OptionalProto`, such as the `.pb` files of ONNX's test data. Throws a
 * `data` error where the bytes are none, and an {@link UnsupportedError} for sparse tensors, maps and complex numbers.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { decodeValueProto, encodeTensorProto } from '@bp/onnx'
 * const { type, value } = decodeValueProto(encodeTensorProto(tensor([1, -2], { dtype: 'int32' }), '', 'int8'), 'tensor')
 * type // => int8
 * value // => tensor([1, -2], int32)
 * ```
 */
export function decodeValueProto(bytes: Uint8Array, kind: 'tensor' | 'sequence' | 'optional'): TypedValue {
  if (kind === 'tensor') return readTensorValue(bytes)
  checkWire(op, bytes, kind === 'sequence' ? 'Sequence' : 'Optional')
  return kind === 'sequence' ? readSequence(bytes) : readOptional(bytes)
}

function readTensorValue(bytes: Uint8Array): TypedValue {
  const message = decodeTensor(op, bytes)
  const stored = readStored(op, message, message.name ? `the tensor ${JSON.stringify(message.name)}` : 'the tensor')
  if (stored instanceof StringTensor) return { type: 'string', value: stored }
  const value: Tensor = tensor(stored.data, { dtype: stored.dtype, shape: stored.shape })
  return { type: stored.type ?? stored.dtype, value }
}

function readSequence(bytes: Uint8Array): TypedValue {
  const items = contents(bytes).map(({ field, content }) => readItem(field, content))
  return { type: items[0]?.type ?? null, value: items.map(({ value }) => value) }
}

function readOptional(bytes: Uint8Array): TypedValue {
  const [first] = contents(bytes)
  return first ? readItem(first.field, first.content) : { type: null, value: null }
}

/** What stands in one of the fields that both messages have under the same numbers. */
function readItem(field: number, content: Uint8Array): TypedValue {
  if (field === 3) return readTensorValue(content)
  if (field === 5) return readSequence(content)
  if (field === 7) return readOptional(content)
  throw new UnsupportedError(op, `the value holds a ${field === 4 ? 'sparse tensor' : 'map'}, which is unsupported`)
}

/** The messages in a sequence or an optional: fields 3 to 7. */
const contents = (bytes: Uint8Array): Field[] => [...fieldsOf(bytes)].filter(({ field }) => field >= 3 && field <= 7)
