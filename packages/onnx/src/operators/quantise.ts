// Quantisation and back: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, through which gradients pass straight.

import { customVjp, mul, type Tensor } from '@bp/core'
import { describe, fail, isFloat, normaliseAxis } from '@bp/core/extend'
import { add, amax, amin, cast, clamp, detach, div, equal, greaterEqual, lessEqual, logicalAnd, maximum, minimum, narrow, neg, repeatInterleave, reshape, round, select, sub } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { narrowTo } from '../import/narrow.ts'
import { Carried, elementTypeOf, toTensor, type Value } from '../import/value.ts'
import { carrierOf, type ElementType, elementType, isNarrow, type NarrowType, rangeOf } from '../proto/elementType.ts'
import { isShortFloat, roundShort } from '../proto/shortFloat.ts'
import { only, onTensors, onValues, type Operator, type Operators } from './operator.ts'

/** An element type of quantised numbers. */
type Code = NarrowType | 'uint8'

/** Where a quantised value came from: the numbers in steps of the scale, before they were rounded and held in the range of the type. */
interface Origin {
  readonly steps: Tensor
  /** [low ≤ round(steps) + zero point ≤ high] by the steps. */
  readonly inside: (steps: Tensor) => Tensor
}

/* By the value itself, for as long as it lives, so that what dequantises it finds the way back. */
const origins = /* @__PURE__ */ new WeakMap<Value, Origin>()

/** The least and the greatest number of a type, which may be a short float. */
function codesOf(type: Code): readonly [low: number, high: number] {
  if (type === 'uint8' || !isShortFloat(type)) return rangeOf(type)
  const most = roundShort(type, Infinity, { saturate: true, round: 'nearest' })
  return [-most, most]
}

/** A type that numbers can be quantised to. */
export const codeOf = (node: ModelNode, type: ElementType | null): Code => {
  only(node, 'quantisation to', type ?? 'an unknown type', 'uint8', 'int8', 'uint16', 'int16', 'uint4', 'int4', 'uint2', 'int2', 'float8e4m3fn', 'float8e4m3fnuz', 'float8e5m2', 'float8e5m2fnuz', 'float4e2m1')
  return type as Code
}

/** Numbers in steps of a scale as codes: rounded to even, moved by the zero point, and held in the range of the type. */
export function quantise(steps: Tensor, zero: Tensor | undefined, type: Code, saturate = true): Value {
  const moved = (rounded: Tensor): Tensor => zero ? add(cast(rounded, 'float32'), cast(zero, 'float32')) : cast(rounded, 'float32')
  const [low, high] = codesOf(type)
  const float = isNarrow(type) && isShortFloat(type)
  const place = (x: Tensor): Tensor => float ? moved(x) : moved(round(x))
  const code = float ? narrowTo(type, place(steps), { saturate, round: 'nearest' }) : cast(clamp(place(steps), low, high), carrierOf(type))
  const value = code instanceof Carried || type === 'uint8' ? code : new Carried(type, code)
  origins.set(value, { steps, inside: x => logicalAnd(greaterEqual(place(x), low), lessEqual(place(x), high)) })
  return value
}

/**
 * Codes as floats. The derivative of a quantised value by the numbers that it came from is 1 where they lay in the range of the type, else 0:
 * straight through the rounding (Bengio, Léonard and Courville 2013, arXiv:1308.3432), as PyTorch's `fake_quantize` has it; by the scale it
 * then is that of Esser et al. 2020, "Learned step size quantization", eq. 3.
 */
export function codes(value: Value): Tensor {
  const code = cast(toTensor(value), 'float32')
  const origin = origins.get(value)
  if (!origin) return code
  const through = customVjp({
    name: 'DequantizeLinear',
    forward: (steps: Tensor): readonly [Tensor, readonly [Tensor]] => [detach(code), [steps]],
    backward: ([steps], ct): [Tensor] => [cast(select(origin.inside(steps), ct, 0), steps.dtype)],
  })
  return through(origin.steps)
}

/** A scale or zero point as it broadcasts with x: one number, one for each entry of an axis, or one for each block of it. */
function spread(value: Tensor, x: Tensor, attributes: Attributes, node: ModelNode): Tensor {
  if (value.size === 1) return reshape(value, [])
  const axis = normaliseAxis(node.operator, attributes.int('axis', 1), x.rank)
  const block = attributes.int('block_size', 0)
  const wanted = block > 0 ? x.shape.map((n, i) => i === axis ? Math.ceil(n / block) : n) : [x.shape[axis]!]
  if (value.rank !== wanted.length || wanted.some((n, i) => value.shape[i] !== n)) fail('shape', node.operator, `scales and zero points of ${describe(x)} along axis ${axis}${block > 0 ? ` in blocks of ${block}` : ''} have the shape [${wanted.join(',')}], got ${describe(value)}. The file does not fit its input`)
  return block > 0 ? narrow(repeatInterleave(value, block, axis), axis, 0, x.shape[axis]!) : reshape(value, x.shape.map((n, i) => i === axis ? n : 1))
}

/** The type that an attribute names by number; 0 and none are none. */
const named = (name: string, attributes: Attributes): ElementType | null => attributes.int(name, 0) === 0 ? null : elementType(attributes.int(name, 0))

/** y = saturate(round(x/scale) + zero point) */
const quantizeLinear: Operator = onValues(2, ([value, scale, zero], attributes, node) => {
  const x = toTensor(value!)
  const type = codeOf(node, zero ? elementTypeOf(zero) : named('output_dtype', attributes) ?? 'uint8')
  const wide = named('precision', attributes) ?? elementTypeOf(scale!)
  const dtype = carrierOf(wide as 'float32')
  const exact = isFloat(dtype) ? dtype : 'float32'
  const steps = div(cast(x, exact), cast(spread(toTensor(scale!), x, attributes, node), exact))
  return quantise(steps, zero && spread(toTensor(zero), x, attributes, node), type, attributes.int('saturate', 1) !== 0)
})

/** y = (x − zero point)·scale */
const dequantizeLinear: Operator = onValues(2, ([value, scale, zero], attributes, node) => {
  const x = toTensor(value!)
  const type = named('output_dtype', attributes) ?? elementTypeOf(scale!)
  only(node, 'dequantisation to', type, 'float32', 'float16', 'bfloat16', 'float64')
  const code = codes(value!)
  const moved = zero ? sub(code, cast(spread(toTensor(zero), x, attributes, node), 'float32')) : code
  const y = cast(mul(moved, cast(spread(toTensor(scale!), x, attributes, node), 'float32')), carrierOf(type as 'float32'))
  return type === 'bfloat16' ? narrowTo(type, y) : y
})

/** x as uint8, by the scale and the zero point that fit all of its numbers and 0; gradients take these two as given. */
export function dynamically(x: Tensor): { readonly code: Value; readonly scale: Tensor; readonly zero: Tensor } {
  const [low, high] = [minimum(amin(detach(x)), 0), maximum(amax(detach(x)), 0)]
  const width = sub(high, low)
  const scale = div(select(equal(width, 0), 1, width), 255)
  const zero = cast(round(clamp(neg(div(low, scale)), 0, 255)), 'uint8')
  return { code: quantise(div(x, scale), zero, 'uint8'), scale, zero }
}

const dynamicQuantizeLinear: Operator = onTensors(1, ([x]) => {
  const { code, scale, zero } = dynamically(x!)
  return [code, scale, zero]
})

/** Quantisation by name. */
export const quantisation: Operators = { QuantizeLinear: quantizeLinear, DequantizeLinear: dequantizeLinear, DynamicQuantizeLinear: dynamicQuantizeLinear }
