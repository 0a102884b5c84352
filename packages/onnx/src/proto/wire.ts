// A scan of a file's protobuf wire format before it is decoded: truncation, lengths beyond the file, and deep nesting.

import { fail } from '@bp/core/extend'
import { type FieldKind, type MessageName, schema } from './schema.ts'

/** Messages may nest this deep; models of today stay below 20, and a decoder recurses once a level. */
const maxDepth = 64

/** Messages that a file may hold unless told otherwise: an empty one takes two bytes in the file, a node some two kilobytes once it is loaded. */
export const messageLimit = 2 ** 18

interface Frame {
  readonly message: MessageName
  readonly end: number
}

/**
 * Walks the bytes of a message without recursion and without decoding anything. Throws a `data` error that names the byte
 * where the file is truncated, a length reaches beyond what holds it, a field has the wrong wire type, or messages nest
 * deeper than a decoder's stack should follow, or are more than `limit`.
 */
export function checkWire(op: string, bytes: Uint8Array, message: MessageName, limit = messageLimit): void {
  const stack: Frame[] = [{ message, end: bytes.length }]
  let at = 0
  let messages = 1
  const varint = (end: number): number => {
    let value = 0
    for (let i = 0, scale = 1; i < 10; i++, scale *= 128) {
      if (at >= end) broken(op, at, 'a number is cut off')
      const byte = bytes[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    return broken(op, at, 'a number has more than ten bytes')
  }
  const skip = (count: number, end: number, what: string): void => {
    if (count > end - at) broken(op, at, `${what} of ${count} bytes reaches ${count - (end - at)} bytes beyond ${end === bytes.length ? 'the file' : `the ${stack.at(-1)!.message} that holds it`}`)
    at += count
  }
  while (stack.length > 0) {
    const frame = stack[stack.length - 1]!
    if (at === frame.end) {
      stack.pop()
      continue
    }
    const tag = varint(frame.end)
    const field = Math.floor(tag / 8)
    const wire = tag % 8
    const kind = schema[frame.message][field]
    if (field === 0 || tag > 0xffffffff) broken(op, at, `a field of ${frame.message} has number ${field}`)
    if (kind !== undefined && !fits(kind, wire)) broken(op, at, `field ${field} of ${frame.message} has wire type ${wire}`)
    if (wire === 0) varint(frame.end)
    else if (wire === 1) skip(8, frame.end, `field ${field} of ${frame.message}`)
    else if (wire === 5) skip(4, frame.end, `field ${field} of ${frame.message}`)
    else if (wire === 2) {
      const length = varint(frame.end)
      const start = at
      skip(length, frame.end, `field ${field} of ${frame.message}`)
      if (kind !== undefined && kind in schema) {
        if (stack.length >= maxDepth) broken(op, start, `messages nest deeper than ${maxDepth} levels`)
        if (++messages > limit) fail('data', op, `the file holds more than ${limit} messages (nodes, attributes, tensors, shapes). If it is to be trusted, pass a higher { limits: { messages } }`)
        at = start
        stack.push({ message: kind as MessageName, end: start + length })
      } else if (kind === 'varints') {
        if (length > 0 && bytes[at - 1]! >= 128) broken(op, at, `the packed numbers of field ${field} of ${frame.message} are cut off`)
      } else if ((kind === 'floats' && length % 4 !== 0) || (kind === 'doubles' && length % 8 !== 0)) {
        broken(op, start, `the packed numbers of field ${field} of ${frame.message} are cut off`)
      }
    } else broken(op, at, `field ${field} of ${frame.message} has wire type ${wire}, which ONNX does not use`)
  }
}

/** A field whose content is preceded by its length: a message, a text, bytes or packed numbers. */
export interface Field {
  readonly field: number
  readonly content: Uint8Array
}

/** The fields with a length of a message whose bytes have passed {@link checkWire}; what holds a single number is passed over. */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? fail('data', 'ONNX', 'the bytes end within a number. The file is truncated')
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const wire = tag % 8
    if (wire === 0) varint()
    else if (wire !== 2) at += wire === 1 ? 8 : 4
    else {
      const length = varint()
      yield { field: Math.floor(tag / 8), content: bytes.subarray(at, at + length) }
      at += length
    }
  }
}

function fits(kind: FieldKind, wire: number): boolean {
  switch (kind) {
    case 'varint': return wire === 0
    case 'varints': return wire === 0 || wire === 2
    case 'float': return wire === 5
    case 'floats': return wire === 5 || wire === 2
    case 'doubles': return wire === 1 || wire === 2
    default: return wire === 2
  }
}

function broken(op: string, at: number, what: string): never {
  return fail('data', op, `the file is not valid protobuf: ${what} (at byte ${at}). It is truncated, damaged, or no ONNX file; get it again from its source`)
}
