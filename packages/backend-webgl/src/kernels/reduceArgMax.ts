// The places of the largest elements along an axis, in stages that pass on elements and places.

import { type Kernel, sizeOf } from '@bp/core/extend'
import type { DType } from '@bp/core'
import type { Device } from '../device/device.ts'
import { isWhole, Value } from '../device/storage.ts'
import { decode, encode, lanesOf } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { eachLane, lanes } from './lanes.ts'
import { partsOf } from './reduceFold.ts'

/* Lane by lane: whether x at place i comes before the best so far at y, which is the first of the largest, NaN above all. */
const beats = (dtype: DType): string => {
  const larger = 'ivec4(greaterThan(x, best)) | (ivec4(equal(x, best)) & sooner)'
  return `ivec4 sooner = ivec4(lessThan(i, y));
  bvec4 wins = notEqual(${isWhole(dtype) ? larger : `${larger} | (ivec4(isNan(x)) & (1 - ivec4(isNan(best)) | sooner))`}, ivec4(0));`
}

/** The places along the axis of `x`: outer × size × inner. */
function places(device: Device, x: Value, from: Value | null, outer: number, size: number, inner: number): Value {
  const dtype = x.dtype
  const type = lanesOf(dtype)
  const whole = inner % 4 === 0
  // rows without an inner axis by whole texels, each lane a row of its own
  const rows = inner === 1 && size % 4 === 0 && from === null
  const parts = partsOf(Math.ceil(outer * inner / 4), rows ? size / 4 : size)
  const y = new Value(outer * parts * inner, 'int32')
  const best = parts > 1 ? new Value(y.length, dtype) : null
  const outs = best ? [y, best] : [y]
  const read = (input: number, dtype: DType): string => whole ? decode(`fetch${input}(at.x >> 2)`, dtype) : lanes(dtype, 'at').replaceAll('elem0', `elem${input}`)
  device.compute(`argMax ${dtype} ${rows ? 'rows' : whole ? 'texels' : 'lanes'} ${from !== null} ${best !== null}`, () => ({
    inputs: from ? 2 : 1, outputs: outs.length, ints: 4, floats: 0,
    code: withHelpers(`void take(${type} x, ivec4 i, inout ${type} best, inout ivec4 y) {
  ${beats(dtype)}
  best = pick(wins, x, best);
  y = pick(wins, i, y);
}
${rows ? rowSearch(dtype) : search(dtype, read(0, dtype), from ? read(1, 'int32') : null)}
vec4 compute() {
  ${type} best; ivec4 y;
  find(texel() * 4, best, y);
  ${best ? `r1 = ${encode('best', dtype)};` : ''}
  return intBitsToFloat(y);
}`),
  }), outs, from ? [x, from] : [x], [size, parts, inner])
  if (!best) return y
  const last = places(device, best, y, outer, parts, inner)
  device.discard(best)
  device.discard(y)
  return last
}

/* p: size, parts, inner. Lanes of one part read the same entries of their lines, but each from its own place on. */
const search = (dtype: DType, x: string, place: string | null): string => `void start(int e, out int at, out int k) {
  int step = p[2] * p[3], o = quotient(e, step), c = e - o * step;
  at = o * p[1] * p[3] + c;
  k = quotient(c, p[3]);
}
void find(int e, out ${lanesOf(dtype)} best, out ivec4 y) {
  int step = p[2] * p[3];
  ivec4 at, k;
  start(e, at.x, k.x); start(e + 1, at.y, k.y); start(e + 2, at.z, k.z); start(e + 3, at.w, k.w);
  best = ${x};
  y = ${place ?? 'k'};
  for (int i = p[2]; i < p[1]; i += p[2]) {
    at += step;
    ivec4 c = k + i;
    ${lanesOf(dtype)} x = pick(lessThan(c, ivec4(p[1])), ${x}, best);
    ivec4 from = pick(lessThan(c, ivec4(p[1])), ${place ?? 'c'}, y);
    take(x, from, best, y);
  }
}`

const rowSearch = (dtype: DType): string => {
  const type = lanesOf(dtype)
  return `void find(int first, out ${type} most, out ivec4 place) {
  ${eachLane({ most: [type, 'best.x'], place: ['ivec4', 'y.x'] }, `int r = quotient(e, p[2]), k = e - r * p[2], n = p[1] >> 2, at = r * n;
  ${type} best = ${decode('fetch0(at + k)', dtype)};
  ivec4 y = k * 4 + ivec4(0, 1, 2, 3);
  for (int i = k + p[2]; i < n; i += p[2]) take(${decode('fetch0(at + i)', dtype)}, i * 4 + ivec4(0, 1, 2, 3), best, y);
  take(best.zwxy, y.zwxy, best, y);
  take(best.yxwz, y.yxwz, best, y);`)}
}`
}

/** The kernel. */
export const argMax = (device: Device): Kernel<Value, { readonly axis: number }> => ([x], { axis }, out) => {
  if (out.shape.includes(0)) return device.empty(out)
  return places(device, x!.storage, null, sizeOf(x!.shape.slice(0, axis)), x!.shape[axis]!, sizeOf(x!.shape.slice(axis + 1)))
}
