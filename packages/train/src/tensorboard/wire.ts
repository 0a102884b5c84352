// Writing protobuf messages: fields as bytes (https://protobuf.dev/programming-guides/encoding).

/** A message, or a part of one. */
export type Bytes = Uint8Array

const utf8 = new TextEncoder()

/** Parts one after the other. */
export function join(parts: readonly Bytes[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** A whole number ≥ 0 in groups of seven bits, the lowest first. */
function varint(value: number): Bytes {
  const out: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) out.push(value % 128 + 128)
  return Uint8Array.from([...out, value])
}

const field = (number: number, wire: 0 | 1 | 2 | 5, ...content: readonly Bytes[]): Bytes => join([varint(number * 8 + wire), ...content])

/** A whole number ≥ 0, or an enumeration, or a boolean as 0 or 1. */
export const whole = (number: number, value: number): Bytes => field(number, 0, varint(value))

/** A message, bytes or text. */
export function nested(number: number, content: string | Bytes | readonly Bytes[]): Bytes {
  const bytes = typeof content === 'string' ? utf8.encode(content) : content instanceof Uint8Array ? content : join(content)
  return field(number, 2, varint(bytes.length), bytes)
}

/** A number of 64 bits. */
export const double = (number: number, value: number): Bytes => field(number, 1, doubles([value]))

/** A number of 32 bits. */
export function float(number: number, value: number): Bytes {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  return field(number, 5, bytes)
}

/** Numbers of 64 bits, lowest byte first. */
export function doubles(values: readonly number[]): Bytes {
  const bytes = new Uint8Array(8 * values.length)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => { view.setFloat64(8 * i, value, true) })
  return bytes
}
