// Four floats or two doubles at a time: what kernels are written against, so that each is written once for both.

import { f32x4, f64x2, i32x4, i64x2, type Int, type V128, v128 } from './instructions.ts'

/** One float type's vectors. Masks are all ones or all zeros in each lane. */
export interface Simd {
  readonly bits: 32 | 64
  /** Whether the engine has fused multiply-add. */
  readonly relaxed: boolean
  /** Elements in a vector. */
  readonly lanes: 4 | 2
  /** Bytes of an element. */
  readonly bytes: 4 | 8
  /** Arithmetic, comparisons and rounding of the type. */
  readonly op: Pick<typeof f32x4, 'eq' | 'ne' | 'lt' | 'gt' | 'le' | 'ge' | 'ceil' | 'floor' | 'trunc' | 'nearest' | 'abs' | 'neg' | 'sqrt' | 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'pmin' | 'pmax' | 'const'>
  /** Whole numbers as wide as the floats, for bits and masks. */
  readonly bit: Pick<typeof i64x2, 'shl' | 'shrS' | 'shrU' | 'add' | 'sub' | 'eq' | 'bitmask'>
  /** A whole-number constant in each lane. */
  bitConst(x: number | bigint): V128
  /** a·b + c: fused where the engine has it, else in two roundings. */
  madd(a: V128, b: V128, c: V128): V128
  /** c − a·b, likewise. */
  nmadd(a: V128, b: V128, c: V128): V128
  /** One element of memory in every lane. */
  loadSplat(base: Int, offset?: number): V128
  /** One element of memory in the first lane, the others 0. */
  loadOne(base: Int, offset?: number): V128
  /** The first lane to memory. */
  storeOne(base: Int, value: V128, offset?: number): ReturnType<typeof v128.store>
}

/** Vectors of float32. */
export const floats = (relaxed: boolean): Simd => ({
  bits: 32, relaxed, lanes: 4, bytes: 4, op: f32x4, bit: i32x4,
  bitConst: x => i32x4.const(Number(x)),
  madd: relaxed ? f32x4.relaxedMadd : (a, b, c) => f32x4.add(f32x4.mul(a, b), c),
  nmadd: relaxed ? f32x4.relaxedNmadd : (a, b, c) => f32x4.sub(c, f32x4.mul(a, b)),
  loadSplat: v128.load32Splat, loadOne: v128.load32Zero,
  storeOne: (base, value, offset) => v128.storeLane32(base, value, 0, offset),
})

/** Vectors of float64. */
export const doubles = (relaxed: boolean): Simd => ({
  bits: 64, relaxed, lanes: 2, bytes: 8, op: f64x2, bit: i64x2,
  bitConst: x => i64x2.const(BigInt(x)),
  madd: relaxed ? f64x2.relaxedMadd : (a, b, c) => f64x2.add(f64x2.mul(a, b), c),
  nmadd: relaxed ? f64x2.relaxedNmadd : (a, b, c) => f64x2.sub(c, f64x2.mul(a, b)),
  loadSplat: v128.load64Splat, loadOne: v128.load64Zero,
  storeOne: (base, value, offset) => v128.storeLane64(base, value, 0, offset),
})
