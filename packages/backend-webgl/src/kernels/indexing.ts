// Reading and adding by index along an axis; what is out of range reads NaN or 0, and is not added anywhere.

import { isFloat, type Kernel, sizeOf } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { byElement } from './lanes.ts'

const gather = (device: Device): Kernel<Value, { readonly axis: number }> => ([x, index], { axis }, out) => {
  const value = device.empty(out)
  const outside = isFloat(out.dtype) ? 'nan()' : '0.0'
  device.compute(`gather ${outside}`, () => ({
    inputs: 2, outputs: 1, ints: 4, floats: 0,
    code: byElement(`float at(int e) {
  int r = quotient(e, p[3]), o = quotient(r, p[2]);
  int i = floatBitsToInt(elem1(r - o * p[2]));
  if (i < 0) i += p[1];
  if (i < 0 || i >= p[1]) return ${outside};
  return elem0((o * p[1] + i) * p[3] + e - r * p[3]);
}`),
  }), [value], [x!.storage, index!.storage], [x!.shape[axis]!, index!.storage.length, sizeOf(x!.shape.slice(axis + 1))])
  return value
}

/** Each output asks every index whether it is meant. */
const scatterAdd = (device: Device): Kernel<Value, { readonly axis: number; readonly size: number }> => ([x, index], { axis, size }, out) => {
  const value = device.empty(out)
  const whole = out.dtype === 'int32'
  const type = whole ? 'int' : 'float'
  device.compute(`scatterAdd ${out.dtype}`, () => ({
    inputs: 2, outputs: 1, ints: 4, floats: 0,
    code: byElement(`float at(int e) {
  int r = quotient(e, p[3]), o = quotient(r, p[1]), to = r - o * p[1], j = e - r * p[3];
  ${type} y = ${whole ? '0' : '0.0'};
  for (int k = 0; k < p[2]; k++) {
    int i = floatBitsToInt(elem1(k));
    if (i < 0) i += p[1];
    if (i == to) y += ${whole ? 'floatBitsToInt(elem0((o * p[2] + k) * p[3] + j))' : 'elem0((o * p[2] + k) * p[3] + j)'};
  }
  return ${whole ? 'intBitsToFloat(y)' : out.dtype === 'uint8' ? 'float(int(y) & 255)' : out.dtype === 'float16' ? 'toHalf(vec4(y)).x' : 'y'};
}`),
  }), [value], [x!.storage, index!.storage], [size, index!.storage.length, sizeOf(out.shape.slice(axis + 1))])
  return value
}

/** The kernels of this file. */
export const indexing = (device: Device) => ({ gather: gather(device), scatterAdd: scatterAdd(device) })
