// Vectors in loops: reading, writing and reducing elements of any type, a vector at a time or one by one.

import type { DType } from '@bp/core'
import type { Code } from '../wasm/encode.ts'
import { f32x4, f64x2, i32, i32x4, type I32, i64x2, type V128, v128 } from '../wasm/instructions.ts'
import { doubles, floats } from '../wasm/simd.ts'

/** The element types that loops can hold in vectors. */
export const inVectors = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float64' || dtype === 'int32' || dtype === 'bool'

/** Bytes of an element in memory. */
export const bytesOf = (dtype: DType): number => dtype === 'float64' ? 8 : dtype === 'bool' ? 1 : 4

const zeros = i32x4.const(0)

/** A constant in each lane, as `dtype`. */
export function constant(value: number, dtype: DType, bits: 32 | 64): V128 {
  if (dtype === 'bool') return i32x4.const(value === 0 ? 0 : -1)
  if (bits === 64) return f64x2.const(value)
  return dtype === 'int32' ? i32x4.const(value) : f32x4.const(value)
}

/** Bools from their bytes: all ones where not 0. */
const toMask = (bytes: V128, bits: 32 | 64): V128 => {
  const mask = i32x4.ne(i32x4.fromBytes(bytes), zeros)
  return bits === 32 ? mask : i64x2.extendLowS(mask)
}

/** A vector of neighbouring elements. */
export function loadVector(dtype: DType, bits: 32 | 64, at: I32, offset: number): V128 {
  if (dtype !== 'bool') return v128.load(at, offset)
  // of bools two bytes suffice for two lanes, but four are there to read in any memory
  return toMask(v128.load32Zero(at, offset), bits)
}

/** One element in the first lane. */
export function loadOne(dtype: DType, bits: 32 | 64, at: I32): V128 {
  if (dtype === 'bool') return toMask(i32x4.splat(i32.load8(at)), bits)
  return bits === 64 ? v128.load64Zero(at) : v128.load32Zero(at)
}

/** One element in every lane. */
export function loadSplat(dtype: DType, bits: 32 | 64, at: I32): V128 {
  if (dtype === 'bool') return bits === 64 ? spreadFirst(loadOne(dtype, bits, at), bits) : i32x4.ne(i32x4.splat(i32.load8(at)), zeros)
  return bits === 64 ? v128.load64Splat(at) : v128.load32Splat(at)
}

/** The elements at several addresses. */
export function loadLanes(dtype: DType, bits: 32 | 64, at: readonly I32[]): V128 {
  const [first, ...rest] = at
  if (dtype === 'bool') return rest.reduce((v, a, i) => replaceBool(v, a, i + 1, bits), loadOne(dtype, bits, first!))
  return rest.reduce((v, a, i) => bits === 64 ? v128.loadLane64(a, v, i + 1) : v128.loadLane32(a, v, i + 1), loadOne(dtype, bits, first!))
}

function replaceBool(v: V128, at: I32, lane: number, bits: 32 | 64): V128 {
  const here = Array.from({ length: 16 }, (_, byte) => Math.floor(byte * 8 / bits) === lane ? 0xff : 0)
  return v128.or(v, v128.and(spreadFirst(loadOne('bool', bits, at), bits), v128.const(here)))
}

/** The first lane in every lane. */
export const spreadFirst = (v: V128, bits: 32 | 64): V128 =>
  v128.shuffle(v, v, Array.from({ length: 16 }, (_, byte) => byte % (bits / 8)))

/** Writes neighbouring elements. */
export function storeVector(dtype: DType, bits: 32 | 64, at: I32, value: V128, offset: number): Code {
  if (dtype !== 'bool') return v128.store(at, value, offset)
  const ones = v128.and(value, i32x4.const(0x01010101))
  if (bits === 32) return v128.storeLane32(at, v128.shuffle(ones, ones, [0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12]), 0, offset)
  return v128.storeLane16(at, v128.shuffle(ones, ones, [0, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8]), 0, offset)
}

/** Writes the element in a lane. */
export function storeLane(dtype: DType, bits: 32 | 64, at: I32, value: V128, lane: number): Code {
  if (dtype === 'bool') return i32.store8(at, i32.and(i32x4.lane(value, lane * bits / 32), 1))
  return bits === 64 ? v128.storeLane64(at, value, lane) : v128.storeLane32(at, value, lane)
}

/** What a reduction starts from. */
export const neutral = (how: 'sum' | 'max', dtype: DType, bits: 32 | 64): V128 =>
  constant(how === 'sum' ? 0 : dtype === 'int32' ? -(2 ** 31) : -Infinity, dtype, bits)

/** Two partial results as one. */
export function combine(how: 'sum' | 'max', dtype: DType, bits: 32 | 64, a: V128, b: V128): V128 {
  if (dtype === 'int32') return how === 'sum' ? i32x4.add(a, b) : i32x4.maxS(a, b)
  const { op } = bits === 64 ? doubles(false) : floats(false)
  return how === 'sum' ? op.add(a, b) : op.max(a, b)
}

/** All lanes of a vector as one, in every lane. */
export function acrossLanes(how: 'sum' | 'max', dtype: DType, bits: 32 | 64, value: V128, hold: (v: V128) => V128): V128 {
  const halves = hold(combine(how, dtype, bits, value, v128.shuffle(value, value, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7])))
  if (bits === 64) return halves
  return combine(how, dtype, bits, halves, v128.shuffle(halves, halves, [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11]))
}

/** A value with every lane but the first replaced by what a reduction starts from. */
export function firstLaneOnly(how: 'sum' | 'max', dtype: DType, bits: 32 | 64, value: V128): V128 {
  const first = v128.const(Array.from({ length: 16 }, (_, byte) => byte < bits / 8 ? 0xff : 0))
  return how === 'sum' ? v128.and(value, first) : v128.select(value, neutral(how, dtype, bits), first)
}
