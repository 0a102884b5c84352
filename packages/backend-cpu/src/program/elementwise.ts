// One elementwise op on vectors: which instructions compute it, by the types of its operands.

import type { DType } from '@bp/core'
import { f32x4, f64x2, i32x4, type V128, v128 } from '../wasm/instructions.ts'
import { hasMath, integerMath, mathOf } from '../wasm/math/index.ts'
import type { Func, Local } from '../wasm/module.ts'
import type { Simd } from '../wasm/simd.ts'
import { inVectors } from './vector.ts'

/** An elementwise op in a loop: its name, result and operands' types. */
export interface VectorOp {
  readonly name: string
  readonly dtype: DType
  readonly argTypes: readonly DType[]
}

const logical = new Set(['logicalNot', 'logicalAnd', 'logicalOr'])

/** Comparisons of masks, false < true. */
const maskMath: Readonly<Record<string, (a: V128, b: V128) => V128>> = {
  equal: (a, b) => v128.not(v128.xor(a, b)), less: (a, b) => v128.andNot(b, a), lessEqual: (a, b) => v128.or(b, v128.not(a)),
}

/** Whether an op has instructions on operands of these types. */
export function isVectorOp({ name, dtype, argTypes }: VectorOp): boolean {
  const types = [dtype, ...argTypes]
  if (!types.every(inVectors)) return false
  // one width of lanes in a loop: doubles do not mix with what has 32 bits
  const wide = types.includes('float64')
  if (wide && types.some(type => type === 'float32' || type === 'int32')) return false
  if (name === 'copy' || name === 'select') return true
  if (name === 'cast') return true
  if (logical.has(name)) return true
  const [type] = argTypes as [DType]
  if (type === 'bool') return Object.hasOwn(maskMath, name)
  if (type === 'int32') return Object.hasOwn(integerMath, name)
  return hasMath(name)
}

/** The op on vectors. */
export function emitMap(func: Func, simd: Simd, { name, dtype, argTypes }: VectorOp, xs: readonly V128[]): V128 {
  const [a, b, c] = xs as [V128, V128, V128]
  const type = argTypes[0]!
  switch (name) {
    case 'copy': return a
    case 'select': return v128.select(b, c, argTypes[0] === 'bool' ? a : mask(a, type, simd))
    case 'cast': return cast(a, type, dtype, simd)
    case 'logicalNot': return v128.not(mask(a, type, simd))
    case 'logicalAnd': return v128.and(mask(a, type, simd), mask(b, argTypes[1]!, simd))
    case 'logicalOr': return v128.or(mask(a, type, simd), mask(b, argTypes[1]!, simd))
  }
  if (type === 'bool') return maskMath[name]!(a, b)
  // constants come as expressions, which are read like locals
  if (type === 'int32') return integerMath[name]!(func, xs as readonly Local<'v128'>[])
  return mathOf(name, simd)(func, xs as readonly Local<'v128'>[])
}

/** All ones where x ≠ 0. */
function mask(x: V128, type: DType, simd: Simd): V128 {
  if (type === 'bool') return x
  return type === 'int32' ? i32x4.ne(x, i32x4.const(0)) : simd.op.ne(x, simd.op.const(0))
}

function cast(x: V128, from: DType, to: DType, simd: Simd): V128 {
  if (from === to) return x
  if (to === 'bool') return mask(x, from, simd)
  if (from === 'bool') return v128.and(x, to === 'int32' ? i32x4.const(1) : to === 'float64' ? f64x2.const(1) : f32x4.const(1))
  return to === 'int32' ? i32x4.truncF32(x) : f32x4.convertI32(x)
}
