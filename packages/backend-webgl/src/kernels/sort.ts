// Sorting and running sums along an axis, each in passes whose number grows with the logarithm of its length.

import { type Kernel, sizeOf } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import { Value } from '../device/storage.ts'
import { byElement } from './lanes.ts'

/** An axis seen as `outer` × `size` × `inner`. */
const around = (shape: readonly number[], axis: number): { readonly size: number; readonly inner: number; readonly lines: number } => {
  const inner = sizeOf(shape.slice(axis + 1))
  return { size: shape[axis]!, inner, lines: sizeOf(shape.slice(0, axis)) * inner }
}

/** Runs a pass again and again, each on what the one before made; what is made on the way is discarded. */
function chain(device: Device, first: Value, times: number, step: (x: Value, i: number) => Value): Value {
  let x = first
  for (let i = 0; i < times; i++) {
    const y = step(x, i)
    if (x !== first) device.discard(x)
    x = y
  }
  return x
}

/* Bitonic sorting (Batcher 1968) of the places along each line, made up to a power of two by places beyond the end, which come last. */
const argSort = (device: Device): Kernel<Value, { readonly axis: number; readonly descending: boolean }> => ([x], { axis, descending }, out) => {
  const { size, inner, lines } = around(x!.shape, axis)
  const value = device.empty(out)
  if (value.length === 0) return value
  const bits = Math.ceil(Math.log2(size))
  const padded = lines * 2 ** bits
  const places = (): Value => new Value(padded, 'int32')
  const start = places()
  device.compute('argSort start', () => ({
    inputs: 0, outputs: 1, ints: 2, floats: 0, code: byElement('float at(int e) { return intBitsToFloat(e & ((1 << p[1]) - 1)); }'),
  }), [start], [], [bits])
  const whole = x!.dtype === 'int32'
  const key = whole ? 'int' : 'float'
  // whether a stands before b: by what they are in the wanted order, NaN as the largest, then by place
  const before = whole ? 'ka != kb ? (p[5] == 1 ? ka > kb : ka < kb) : a < b'
    : 'isnan(ka) != isnan(kb) ? (p[5] == 1) == isnan(ka) : ka != kb && !isnan(ka) ? (p[5] == 1 ? ka > kb : ka < kb) : a < b'
  const exchange = (order: Value, k: number, j: number): Value => {
    const next = places()
    device.compute(`argSort ${key}`, () => ({
      inputs: 2, outputs: 1, ints: 8, floats: 0,
      code: byElement(`${key} keyOf(int line, int i) { int o = quotient(line, p[2]); int at = (o * p[1] + i) * p[2] + line - o * p[2]; return ${whole ? 'floatBitsToInt(elem1(at))' : 'elem1(at)'}; }
bool before(int line, int a, int b) {
  if (a >= p[1] || b >= p[1]) return a < b;
  ${key} ka = keyOf(line, a), kb = keyOf(line, b);
  return ${before};
}
float at(int e) {
  int line = e >> p[3], i = e & ((1 << p[3]) - 1);
  int other = i ^ (1 << p[4]);
  int mine = floatBitsToInt(elem0(e)), yours = floatBitsToInt(elem0((line << p[3]) + other));
  bool first = (i < other) == ((i & (1 << p[6])) == 0);
  return intBitsToFloat(before(line, mine, yours) == first ? mine : yours);
}`),
    }), [next], [order, x!.storage], [size, inner, bits, j, descending ? 1 : 0, k])
    return next
  }
  const rounds = Array.from({ length: bits }, (_, k) => Array.from({ length: k + 1 }, (_, i) => [k + 1, k - i] as const)).flat()
  const sorted = chain(device, start, rounds.length, (order, i) => exchange(order, ...rounds[i]!))
  device.compute('argSort end', () => ({
    inputs: 1, outputs: 1, ints: 4, floats: 0,
    code: byElement('float at(int e) { int r = quotient(e, p[2]); int o = quotient(r, p[1]); return elem0(((o * p[2] + e - r * p[2]) << p[3]) + r - o * p[1]); }'),
  }), [value], [sorted], [size, inner, bits])
  if (sorted !== start) device.discard(sorted)
  device.discard(start)
  return value
}

/* Running sums by doubling (Hillis & Steele 1986): after step i, each place holds the sum of the 2^(i+1) elements up to it. */
const cumSum = (device: Device): Kernel<Value, { readonly axis: number; readonly reverse: boolean }> => ([x], { axis, reverse }, out) => {
  const { size, inner } = around(x!.shape, axis)
  if (out.shape.includes(0)) return device.empty(out)
  const add = out.dtype === 'int32' ? 'intBitsToFloat(floatBitsToInt(a) + floatBitsToInt(b))' : out.dtype === 'uint8' ? 'float(int(a + b) & 255)' : out.dtype === 'float16' ? 'toHalf(vec4(a + b)).x' : 'a + b'
  return chain(device, x!.storage, Math.ceil(Math.log2(size)), (sums, i) => {
    const next = device.empty(out)
    device.compute(`cumSum ${out.dtype} ${reverse}`, () => ({
      inputs: 1, outputs: 1, ints: 4, floats: 0,
      code: byElement(`float at(int e) {
  int r = quotient(e, p[2]), i = r - quotient(r, p[1]) * p[1];
  float a = elem0(e);
  if (${reverse ? 'i + p[3] >= p[1]' : 'i < p[3]'}) return a;
  float b = elem0(e ${reverse ? '+' : '-'} p[3] * p[2]);
  return ${add};
}`),
    }), [next], [sums], [size, inner, 2 ** i])
    return next
  })
}

/** The kernels of this file. */
export const sorting = (device: Device) => ({ argSort: argSort(device), cumSum: cumSum(device) })
