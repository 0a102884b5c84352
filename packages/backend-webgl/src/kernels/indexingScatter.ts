// Adding by index along an axis: at the places of pooled maxima, by asking every index, or by sorted indices; what is out of range is added nowhere.

import { type Aval, type Kernel, sizeOf } from '@bp/core/extend'
import type { DType } from '@bp/core'
import type { Device } from '../device/device.ts'
import { Value } from '../device/storage.ts'
import { decode, encode } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { lanes, lanesOf } from './lanes.ts'
import { sortedKeys } from './sort.ts'
import { poolSource, scatterPooled } from './windowsScatter.ts'

/** outer × the index × inner, added into outer × size × inner. */
interface Scatter {
  readonly outer: number
  readonly count: number
  readonly size: number
  readonly inner: number
}

/** Work that one launch costs as much as: fetches. */
const launchCost = 20_000

/** Each output asks every index whether it is meant. p: size, count, inner. */
function byAsking(device: Device, x: Value, index: Value, { count, size, inner }: Scatter, out: Aval): Value {
  const value = device.empty(out)
  const texels = inner % 4 === 0
  const type = lanesOf(out.dtype)
  device.compute(`scatterAdd ${out.dtype} ${texels}`, () => ({
    inputs: 2, outputs: 1, ints: 4, floats: 0,
    code: withHelpers(texels ? `vec4 compute() {
  int t = texel(), width = p[3] >> 2, r = quotient(t, width), o = quotient(r, p[1]), to = r - o * p[1], at = o * p[2] * width + t - r * width;
  ${type} y = ${type}(0);
  for (int k = 0; k < p[2]; k += 4) {
    ivec4 i = floatBitsToInt(fetch1(k >> 2));
    i += p[1] * ivec4(lessThan(i, ivec4(0)));
    bvec4 hit = equal(i, ivec4(to));
    if (!any(hit)) continue;
    ${['x', 'y', 'z', 'w'].map((lane, l) => `if (hit.${lane} && k + ${l} < p[2]) y += ${decode(`fetch0(at + (k + ${l}) * width)`, out.dtype)};`).join('\n    ')}
  }
  return ${encode('y', out.dtype)};
}` : `void place(int e, out int to, out int at) {
  int r = quotient(e, p[3]), o = quotient(r, p[1]);
  to = r - o * p[1];
  at = o * p[2] * p[3] + e - r * p[3];
}
vec4 compute() {
  int e = texel() * 4;
  ivec4 to, at;
  place(e, to.x, at.x); place(e + 1, to.y, at.y); place(e + 2, to.z, at.z); place(e + 3, to.w, at.w);
  ${type} y = ${type}(0);
  for (int k = 0; k < p[2]; k++, at += p[3]) {
    int i = floatBitsToInt(elem1(k));
    if (i < 0) i += p[1];
    bvec4 hit = equal(ivec4(i), to);
    if (any(hit)) y += pick(hit, ${lanes(out.dtype, 'at')}, ${type}(0));
  }
  return ${encode('y', out.dtype)};
}`),
  }), [value], [x, index], [size, count, inner])
  return value
}

/* Each output finds the run of its place among the sorted indices by halving, and adds up in the order of the index. p: size, count, inner. */
function bySorting(device: Device, x: Value, index: Value, { count, size, inner }: Scatter, out: Aval): Value {
  const wanted = new Value(count, 'int32')
  device.compute('scatterAdd places', () => ({
    inputs: 1, outputs: 1, ints: 2, floats: 0,
    code: withHelpers('vec4 compute() { ivec4 i = floatBitsToInt(same0()); return intBitsToFloat(i + p[1] * ivec4(lessThan(i, ivec4(0)))); }'),
  }), [wanted], [index], [size])
  const [keys, order] = sortedKeys(device, wanted, { outer: 1, size: count, inner: 1 }, false)
  device.discard(wanted)
  const value = device.empty(out)
  const texels = inner % 4 === 0
  const type = texels ? lanesOf(out.dtype) : scalarOf(out.dtype)
  const read = texels ? decode('fetch0(at)', out.dtype) : out.dtype === 'int32' ? 'floatBitsToInt(elem0(at))' : `${type}(elem0(at))`
  const sum = `${type} sumAt(int e) {
  int width = p[3]${texels ? ' >> 2' : ''}, r = quotient(e, width), o = quotient(r, p[1]), to = r - o * p[1], low = 0, high = p[2];
  while (low < high) { int middle = (low + high) >> 1; if (floatBitsToInt(elem1(middle)) < to) low = middle + 1; else high = middle; }
  ${type} y = ${type}(0);
  for (; low < p[2] && floatBitsToInt(elem1(low)) == to; low++) { int at = (o * p[2] + floatBitsToInt(elem2(low))) * width + e - r * width; y += ${read}; }
  return y;
}`
  const four = texels ? 'sumAt(texel())' : `${lanesOf(out.dtype)}(sumAt(e), sumAt(e + 1), sumAt(e + 2), sumAt(e + 3))`
  device.compute(`scatterAdd sorted ${out.dtype} ${texels}`, () => ({
    inputs: 3, outputs: 1, ints: 4, floats: 0, code: withHelpers(`${sum}\nvec4 compute() { int e = texel() * 4; return ${encode(four, out.dtype)}; }`),
  }), [value], [x, keys, order], [size, count, inner])
  device.discard(keys)
  device.discard(order)
  return value
}

const scalarOf = (dtype: DType): string => lanesOf(dtype) === 'ivec4' ? 'int' : 'float'

/** The kernel. */
export const scatterAdd = (device: Device): Kernel<Value, { readonly axis: number; readonly size: number }> => ([x, index], { axis, size }, out) => {
  const span: Scatter = { outer: sizeOf(out.shape.slice(0, axis)), count: index!.storage.length, size, inner: sizeOf(out.shape.slice(axis + 1)) }
  const source = poolSource(index!.storage)
  if (source && axis === 0 && out.shape.length === 1 && size === sizeOf(source.shape)) return scatterPooled(device, x!.storage, index!.storage, source, out)
  const lanesOut = sizeOf(out.shape) / (span.inner % 4 === 0 ? 4 : 1)
  const bits = Math.ceil(Math.log2(Math.max(2, span.count)))
  const asking = lanesOut * span.count / (span.inner % 4 === 0 ? 4 : 1)
  const sorting = bits * bits / 2 * (span.count + launchCost) + lanesOut * bits + x!.storage.length
  return (asking <= sorting ? byAsking : bySorting)(device, x!.storage, index!.storage, span, out)
}
