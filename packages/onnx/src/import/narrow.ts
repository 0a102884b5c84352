// Bringing numbers into the range and precision of an element type that is no dtype, differentiably and within traces.

import type { Tensor, TypedArray } from '@bp/core'
import { allocate, bind, defineOp } from '@bp/core/extend'
import { type NarrowType, wholeOf } from '../proto/elementType.ts'
import { isShortFloat, plainly, roundShort, type Rounding } from '../proto/shortFloat.ts'
import { UnsupportedError } from './errors.ts'
import { Carried, Known, toTensor } from './value.ts'

/** The type to bring numbers into, and how they are rounded. */
export interface NarrowParams {
  readonly type: NarrowType
  readonly rounding: Rounding
}

/** y = the number of the type that x becomes,   ∂y/∂x = 1: straight through (Bengio, Léonard and Courville 2013, arXiv:1308.3432) */
export const narrowRow = /* @__PURE__ */ defineOp({
  name: 'onnx/narrow', arity: 1, fuse: 'map', infer: ([x], _p: NarrowParams) => x.aval,
  host: ([x], { type, rounding }) => narrowed(type, x.data, rounding),
  diff: { kind: 'map', d: [() => 1] },
})

/** Elements of a carrier as those of the type: whole numbers keep their low bits, floats are rounded. */
function narrowed(type: NarrowType, data: TypedArray, rounding: Rounding): TypedArray {
  const whole = wholeOf(type)
  if (type === 'uint64') return data
  if (data instanceof BigInt64Array) return BigInt64Array.from(data, x => BigInt.asUintN(whole!.bits, x))
  if (type === 'bfloat16') return toBfloat16(data as Float32Array)
  if (isShortFloat(type)) return Float32Array.from(data as Float32Array, x => roundShort(type, x, rounding))
  const unused = 32 - whole!.bits
  return Int32Array.from(data as Int32Array, whole!.signed ? x => x << unused >> unused : x => x << unused >>> unused)
}

/** float32 with the upper half of its bits, rounded to nearest, ties to even. */
function toBfloat16(x: Float32Array): Float32Array {
  const bits = new Uint32Array(x.buffer, x.byteOffset, x.length)
  const y = allocate('float32', x.length) as Float32Array
  const out = new Uint32Array(y.buffer)
  for (let i = 0; i < x.length; i++) {
    const b = bits[i]!
    out[i] = Number.isNaN(x[i]) ? 0x7fc00000 : (b + 0x7fff + (b >>> 16 & 1)) & 0xffff0000
  }
  return y
}

/**
 * A value whose numbers, in the carrier's dtype, are brought into an element type: whole numbers wrap around as two's complement
 * does, floats are rounded to nearest, ties to even. Its derivative is 1.
 */
export function narrowTo(type: NarrowType, value: Tensor | Known, rounding: Rounding = plainly): Carried {
  if (value instanceof Known) return new Carried(type, new Known(value.dtype, value.shape, narrowed(type, value.data, rounding)))
  return new Carried(type, type === 'uint64' ? value : bind(narrowRow, [value], { type, rounding }))
}

/** y = x; throws where an element of uint64 is 2⁶³ or more, which int64 carries as a negative number. */
export const boundedRow = /* @__PURE__ */ defineOp({
  name: 'onnx/bounded', arity: 1, fuse: 'map', infer: ([x]) => x.aval,
  host: ([x]) => checkBounded(x.data),
  diff: { kind: 'zero' },
})

function checkBounded(data: TypedArray): TypedArray {
  const wrong = (data as BigInt64Array).find(x => x < 0n)
  if (wrong !== undefined) throw new UnsupportedError('importOnnx', `the number ${BigInt.asUintN(64, wrong)} of uint64 is 2⁶³ or more, which is only added, multiplied, moved, and compared for equality. Use int64, or smaller numbers`, 'dtype')
  return data
}

/** A value of uint64, for operators that must know how large its numbers are; see {@link boundedRow}. */
export function bounded(value: Carried): Carried {
  if (value.carrier instanceof Known) checkBounded(value.carrier.data)
  return new Carried('uint64', value.carrier instanceof Known ? value.carrier : bind(boundedRow, [toTensor(value)], undefined))
}
