// Adding by index along an axis: by asking every index, by lists of each place's entries, or by sorted indices; what is out of range is added nowhere.

import { type Aval, type Kernel, sizeOf } from '@bp/core/extend'
import type { DType } from '@bp/core'
import type { Device } from '../device/device.ts'
import { isWhole, Value } from '../device/storage.ts'
import { mostTurns } from '../device/gpu.ts'
import { type Chain, decode, encode, lanesOf } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { runChain } from './maps.ts'
import { byElement, lanes } from './lanes.ts'
import { sortedKeys } from './sort.ts'
import { strided } from './views.ts'
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
  const type = lanesOf(out.dtype)
  device.compute(`scatterAdd ${out.dtype}`, () => ({
    inputs: 2, outputs: 1, ints: 4, floats: 0,
    code: withHelpers(`void place(int e, out int to, out int at) {
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

/** GLSL of an output's sum: `start` leaves in k the first entry of the place `to`, and `next` goes on from it as long as `more`. p: size, count, inner. */
function sumOver(texels: boolean, dtype: DType, start: string, more: string, entry: string, next: string): string {
  const type = texels ? lanesOf(dtype) : isWhole(dtype) ? 'int' : 'float'
  const read = texels ? decode('fetch0(at)', dtype) : dtype === 'int32' ? 'floatBitsToInt(elem0(at))' : `${type}(elem0(at))`
  return withHelpers(`${type} sumAt(int e) {
  int width = p[3]${texels ? ' >> 2' : ''}, r = quotient(e, width), o = quotient(r, p[1]), to = r - o * p[1], k;
  ${start}
  ${type} y = ${type}(0);
  while (${more}) { int at = (o * p[2] + ${entry}) * width + e - r * width; y += ${read}; ${next} }
  return y;
}
vec4 compute() { int e = texel() * 4; return ${encode(texels ? 'sumAt(texel())' : `${lanesOf(dtype)}(sumAt(e), sumAt(e + 1), sumAt(e + 2), sumAt(e + 3))`, dtype)}; }`)
}

/* Each place's entries as a list: the first of a place, and the next of each entry, are searched once, and outputs read what is theirs only. */
function byLists(device: Device, x: Value, index: Value, { count, size, inner }: Scatter, out: Aval): Value {
  const search = (first: boolean): Value => {
    const found = new Value(first ? size : count, 'int32')
    device.compute(`scatterAdd list ${first}`, () => ({
      inputs: 1, outputs: 1, ints: 3, floats: 0,
      code: byElement(`ivec4 wanted(int t) { ivec4 i = floatBitsToInt(fetch0(t)); return i + p[1] * ivec4(lessThan(i, ivec4(0))); }
float at(int e) {
  int to = ${first ? 'e' : 'wanted(e >> 2)[e & 3]'}, from = ${first ? '0' : 'e + 1'};
  for (int t = from >> 2; 4 * t < p[2]; t++) {
    ivec4 k = t * 4 + ivec4(0, 1, 2, 3);
    ivec4 hit = ivec4(equal(wanted(t), ivec4(to))) & ivec4(greaterThanEqual(k, ivec4(from)));
    if (hit != ivec4(0)) return intBitsToFloat(min(p[2], hit.x == 1 ? k.x : hit.y == 1 ? k.y : hit.z == 1 ? k.z : k.w));
  }
  return intBitsToFloat(p[2]);
}`),
    }), [found], [index], [size, count])
    return found
  }
  const [first, next] = [search(true), search(false)]
  const value = device.empty(out)
  const texels = inner % 4 === 0
  device.compute(`scatterAdd lists ${out.dtype} ${texels}`, () => ({
    inputs: 3, outputs: 1, ints: 4, floats: 0, code: sumOver(texels, out.dtype, 'k = floatBitsToInt(elem1(to));', 'k < p[2]', 'k', 'k = floatBitsToInt(elem2(k));'),
  }), [value], [x, first, next], [size, count, inner])
  device.discard(first)
  device.discard(next)
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
  device.compute(`scatterAdd sorted ${out.dtype} ${texels}`, () => ({
    inputs: 3, outputs: 1, ints: 4, floats: 0,
    code: sumOver(texels, out.dtype, `int high = p[2];
  k = 0;
  while (k < high) { int middle = (k + high) >> 1; if (floatBitsToInt(elem1(middle)) < to) k = middle + 1; else high = middle; }`,
    'k < p[2] && floatBitsToInt(elem1(k)) == to', 'floatBitsToInt(elem2(k))', 'k++;'),
  }), [value], [x, keys, order], [size, count, inner])
  device.discard(keys)
  device.discard(order)
  return value
}

/** The kernel. */
export const scatterAdd = (device: Device): Kernel<Value, { readonly axis: number; readonly size: number }> => ([x, index], { axis, size }, out) => {
  const span: Scatter = { outer: sizeOf(out.shape.slice(0, axis)), count: index!.storage.length, size, inner: sizeOf(out.shape.slice(axis + 1)) }
  const source = poolSource(index!.storage)
  if (source && axis === 0 && out.shape.length === 1 && size === sizeOf(source.shape)) return scatterPooled(device, x!.storage, index!.storage, source, out)
  if (span.count === 0 || size === 0) return byAsking(device, x!.storage, index!.storage, span, out)
  return byPieces(device, x!.storage, index!.storage, span, out)
}

/** Entries that one pass adds: all may be of one place, and each of four lanes goes through them. */
const mostEntries = mostTurns / 4

/** So many entries at a time, and the results added. */
function byPieces(device: Device, x: Value, index: Value, span: Scatter, out: Aval): Value {
  const { outer, count, inner } = span
  if (count <= mostEntries) return cheapest(span)(device, x, index, span, out)
  const add: Chain = { inputs: [out.dtype, out.dtype], numbers: [], steps: [{ op: 'add', args: [0, 1], dtype: out.dtype }], outputs: [2] }
  let total: Value | null = null
  for (let from = 0; from < count; from += mostEntries) {
    const size = Math.min(mostEntries, count - from)
    const values = strided(device, x, { shape: [outer, size, inner], dtype: out.dtype }, [count * inner, inner, 1], from * inner)
    const places = strided(device, index, { shape: [size], dtype: 'int32' }, [1], from)
    const piece = cheapest({ ...span, count: size })(device, values, places, { ...span, count: size }, out)
    device.discard(values)
    device.discard(places)
    const before: Value | null = total
    total = before ? runChain(device, add, [before, piece].map(storage => ({ storage, shape: out.shape })), [out])[0]! : piece
    if (before) for (const value of [before, piece]) device.discard(value)
  }
  return total!
}

/** The way that makes the fewest fetches. */
function cheapest({ outer, count, size, inner }: Scatter): typeof byAsking {
  const outputs = outer * size * inner / (inner % 4 === 0 ? 4 : 1)
  const bits = Math.ceil(Math.log2(Math.max(4, count)))
  const hits = outer * count * inner / (inner % 4 === 0 ? 4 : 1)
  const asking = launchCost + outer * size * inner * count / 4 * 5
  const lists = 3 * launchCost + (count + size) * count / 4 + outputs + 2 * hits
  const sorting = (bits * bits / 2 + 2) * (launchCost + 2 * count) + outputs * bits + 2 * hits
  return asking <= Math.min(lists, sorting) ? byAsking : lists <= sorting ? byLists : bySorting
}
