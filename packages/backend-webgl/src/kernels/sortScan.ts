// Running sums along an axis, in passes that each add four of what the pass before made.

import { type Kernel, sizeOf } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { decode, encode, lanesOf } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { lanes } from './lanes.ts'
import { wide } from './reduceFold.ts'

/* After pass i, each place holds the sum of the 4^(i+1) elements up to it: Hillis & Steele 1986, "Data parallel algorithms", by fours. */

/** Where lanes lie along the axis: one after the other, all at one place, or each by itself. */
type Lie = 'row' | 'place' | 'each'

const placesOf: Readonly<Record<Lie, string>> = {
  row: 'ivec4 i = ivec4(along(e)) + ivec4(0, 1, 2, 3);',
  place: 'ivec4 i = ivec4(along(e));',
  each: 'ivec4 i = ivec4(along(e), along(e + 1), along(e + 2), along(e + 3));',
}

/** How elements m · step away are read: those of the neighbouring texel with the own ones, whole texels, or each by itself. */
type Reach = 'near' | 'texels' | 'lanes'

const neighbours = (m: number, reverse: boolean): string => reverse
  ? ['', 'vec4(own.yzw, next.x)', 'vec4(own.zw, next.xy)', 'vec4(own.w, next.xyz)'][m]!
  : ['', 'vec4(next.w, own.xyz)', 'vec4(next.zw, own.xy)', 'vec4(next.yzw, own.x)'][m]!

/** The kernel. */
export const cumSum = (device: Device): Kernel<Value, { readonly axis: number; readonly reverse: boolean }> => ([x], { axis, reverse }, out) => {
  const [size, inner] = [out.shape[axis]!, sizeOf(out.shape.slice(axis + 1))]
  if (out.shape.includes(0) || size === 1) return x!.storage
  const lie: Lie = inner % 4 === 0 ? 'place' : inner === 1 && (size % 4 === 0 || size === sizeOf(out.shape)) ? 'row' : 'each'
  const type = lanesOf(out.dtype)
  const sign = reverse ? '+' : '-'
  let sums = x!.storage
  for (let distance = 1; distance < size; distance *= 4) {
    const from = sums.dtype
    const to = distance * 4 < size ? wide(out.dtype) : out.dtype
    const reach: Reach = distance * inner % 4 === 0 ? 'texels' : distance * inner === 1 ? 'near' : 'lanes'
    const next = device.empty({ shape: out.shape, dtype: to })
    const read = (m: number): string => reach === 'near' ? decode(neighbours(m, reverse), from)
      : reach === 'texels' ? decode(`fetch0(texel() ${sign} ${m} * (p[3] >> 2))`, from) : lanes(from, `(ivec4(e, e + 1, e + 2, e + 3) ${sign} ${m} * p[3])`)
    const term = (m: number): string => `pick(${reverse ? `lessThan(i + ${m} * p[4], ivec4(p[1]))` : `greaterThanEqual(i, ivec4(${m} * p[4]))`}, ${read(m)}, ${type}(0))`
    device.compute(`cumSum ${from} ${to} ${reverse} ${lie} ${reach}`, () => ({
      inputs: 1, outputs: 1, ints: 5, floats: 0,
      code: withHelpers(`int along(int e) { int r = quotient(e, p[2]); return r - quotient(r, p[1]) * p[1]; }
vec4 compute() {
  int e = texel() * 4;
  ${placesOf[lie]}
  vec4 own = same0();
  ${reach === 'near' ? `vec4 next = fetch0(texel() ${sign} 1);` : ''}
  ${type} y = (${decode('own', from)} + ${term(1)}) + (${term(2)} + ${term(3)});
  return ${encode('y', to)};
}`),
    }), [next], [sums], [size, inner, distance * inner, distance])
    if (sums !== x!.storage) device.discard(sums)
    sums = next
  }
  return sums
}
