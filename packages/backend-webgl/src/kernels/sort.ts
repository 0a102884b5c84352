// Sorting along an axis by bitonic exchanges (Batcher 1968, "Sorting networks and their applications"), whose number grows with log² of its length.

import type { DType } from '@bp/core'
import { type Kernel, sizeOf } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import { Value } from '../device/storage.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { byElement } from './lanes.ts'
import type { Span } from './reduceFold.ts'
import { cumSum } from './sortScan.ts'

type Pair = readonly [keys: Value, order: Value]

/* Whole numbers in the order of the floats: negative ones with all bits but the first turned, −0 as 0, NaN above all. */
const keyOf = (dtype: DType): string => dtype === 'int32' ? 'floatBitsToInt(x)'
  : 'isNan(vec4(x)).x ? 0x7fffffff : x == 0.0 ? 0 : floatBitsToInt(x) < 0 ? floatBitsToInt(x) ^ 0x7fffffff : floatBitsToInt(x)'

/* Of two pairs in each lane, i and i ^ distance, the one that belongs to i; blocks rise and fall in turn. p[1] is log₂ of a line's length. */
const exchange = `void exchange(inout ivec4 key, inout ivec4 place, ivec4 otherKey, ivec4 otherPlace, int distance, int block) {
  ivec4 i = (texel() * 4 + ivec4(0, 1, 2, 3)) & ((1 << p[1]) - 1);
  ivec4 before = ivec4(lessThan(key, otherKey)) | (ivec4(equal(key, otherKey)) & ivec4(lessThan(place, otherPlace)));
  ivec4 first = ivec4(equal(ivec4(equal(i & distance, ivec4(0))), ivec4(equal(i & block, ivec4(0)))));
  bvec4 stays = equal(before, first);
  key = pick(stays, key, otherKey);
  place = pick(stays, place, otherPlace);
}`

/* The exchanges at distances 2 and 1 of a round, which stay in a texel; those of the first two rounds at once. p: bits, block. */
const near = `${exchange}
vec4 compute() {
  ivec4 key = floatBitsToInt(same0()), place = floatBitsToInt(same1());
  if (p[2] == 4) exchange(key, place, key.yxwz, place.yxwz, 1, 2);
  exchange(key, place, key.zwxy, place.zwxy, 2, p[2]);
  exchange(key, place, key.yxwz, place.yxwz, 1, p[2]);
  r1 = intBitsToFloat(place);
  return intBitsToFloat(key);
}`

/* p: bits, block, distance */
const far = `${exchange}
vec4 compute() {
  int other = texel() ^ (p[3] >> 2);
  ivec4 key = floatBitsToInt(same0()), place = floatBitsToInt(same1());
  exchange(key, place, floatBitsToInt(fetch0(other)), floatBitsToInt(fetch1(other)), p[3], p[2]);
  r1 = intBitsToFloat(place);
  return intBitsToFloat(key);
}`

/** Bits that number the places of a line: at least those of a texel. */
const bitsOf = (size: number): number => Math.max(2, Math.ceil(Math.log2(size)))

/**
 * Each line of `x` as whole-number keys in order, and the places they come from; equal ones keep their order. Lines are made up to a power
 * of two by places beyond the end, which come last.
 */
export function sortedKeys(device: Device, x: Value, { outer, size, inner }: Span, descending: boolean): Pair {
  const bits = bitsOf(size)
  const pair = (): Pair => [new Value(outer * inner * 2 ** bits, 'int32'), new Value(outer * inner * 2 ** bits, 'int32')]
  let now = pair()
  device.compute(`sort keys ${x.dtype === 'int32'} ${descending}`, () => ({
    inputs: 1, outputs: 2, ints: 4, floats: 0,
    code: withHelpers(`int keyAt(int e, out int i) {
  i = e & ((1 << p[1]) - 1);
  int line = e >> p[1], o = quotient(line, p[3]);
  float x = elem0((o * p[2] + i) * p[3] + line - o * p[3]);
  int key = ${keyOf(x.dtype)};
  return i >= p[2] ? 0x7fffffff : ${descending ? '~key' : 'key'};
}
vec4 compute() {
  int e = texel() * 4;
  ivec4 i;
  ivec4 keys = ivec4(keyAt(e, i.x), keyAt(e + 1, i.y), keyAt(e + 2, i.z), keyAt(e + 3, i.w));
  r1 = intBitsToFloat(i);
  return intBitsToFloat(keys);
}`),
  }), now, [x], [bits, size, inner])
  const pass = (name: string, code: string, p: readonly number[]): void => {
    const next = pair()
    device.compute(`sort ${name}`, () => ({ inputs: 2, outputs: 2, ints: 4, floats: 0, code: withHelpers(code) }), next, now, [bits, ...p])
    for (const value of now) device.discard(value)
    now = next
  }
  for (let round = 2; round <= bits; round++) {
    for (let distance = 2 ** (round - 1); distance >= 4; distance /= 2) pass('far', far, [2 ** round, distance])
    pass('near', near, [2 ** round, 0])
  }
  return now
}

const argSort = (device: Device): Kernel<Value, { readonly axis: number; readonly descending: boolean }> => ([x], { axis, descending }, out) => {
  const value = device.empty(out)
  if (value.length === 0) return value
  const [size, inner] = [out.shape[axis]!, sizeOf(out.shape.slice(axis + 1))]
  const [keys, order] = sortedKeys(device, x!.storage, { outer: value.length / size / inner, size, inner }, descending)
  device.discard(keys)
  device.compute('sort end', () => ({
    inputs: 1, outputs: 1, ints: 4, floats: 0,
    code: byElement('float at(int e) { int r = quotient(e, p[2]); int o = quotient(r, p[1]); return elem0(((o * p[2] + e - r * p[2]) << p[3]) + r - o * p[1]); }'),
  }), [value], [order], [size, inner, bitsOf(size)])
  device.discard(order)
  return value
}

/** The kernels of this file. */
export const sorting = (device: Device) => ({ argSort: argSort(device), cumSum: cumSum(device) })
