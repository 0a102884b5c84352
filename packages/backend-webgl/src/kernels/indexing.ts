// Reading by index along an axis; what is out of range reads NaN, or 0 where there is none.

import { isFloat, type Kernel, sizeOf } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { scatterAdd } from './indexingScatter.ts'
import { byElement } from './lanes.ts'

const gather = (device: Device): Kernel<Value, { readonly axis: number }> => ([x, index], { axis }, out) => {
  const value = device.empty(out)
  const outside = isFloat(out.dtype) ? 'nan()' : '0.0'
  const inner = sizeOf(x!.shape.slice(axis + 1))
  const texels = inner % 4 === 0
  const flat = inner === 1 && axis === 0
  const find = flat ? `int i = floatBitsToInt(elem1(e));
  if (i < 0) i += p[1];` : `int r = quotient(e, p[3]), o = quotient(r, p[2]);
  int i = floatBitsToInt(elem1(r - o * p[2]));
  if (i < 0) i += p[1];`
  device.compute(`gather ${outside} ${texels} ${flat}`, () => ({
    inputs: 2, outputs: 1, ints: 4, floats: 0,
    code: texels ? withHelpers(`vec4 compute() {
  int e = texel();
  ${find}
  return i < 0 || i >= p[1] ? vec4(${outside}) : fetch0((o * p[1] + i) * p[3] + e - r * p[3]);
}`) : byElement(`float at(int e) {
  ${find}
  return i < 0 || i >= p[1] ? ${outside} : elem0(${flat ? 'i' : '(o * p[1] + i) * p[3] + e - r * p[3]'});
}`),
  }), [value], [x!.storage, index!.storage], [x!.shape[axis]!, index!.storage.length, texels ? inner / 4 : inner])
  return value
}

/** The kernels of this file. */
export const indexing = (device: Device) => ({ gather: gather(device), scatterAdd: scatterAdd(device) })
