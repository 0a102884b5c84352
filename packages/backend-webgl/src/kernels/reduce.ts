// Reductions: sums, maxima and their places.

import type { DType, Shape } from '@bp/core'
import { type Aval, type Kernel, sizeOf, stridesOf } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { collapse, type Nest } from '../glsl/access.ts'
import { addWalk, byElement } from './lanes.ts'

/** Whether a dtype is added up in whole numbers. */
const isWhole = (dtype: DType): boolean => dtype === 'int32' || dtype === 'uint8'

/** One element as a number, and a number as what is kept. */
const scalarOf = (dtype: DType): { readonly type: string; readonly decode: (texel: string) => string; readonly encode: (value: string) => string } => dtype === 'int32'
  ? { type: 'int', decode: texel => `floatBitsToInt(${texel})`, encode: value => `intBitsToFloat(${value})` }
  : dtype === 'uint8' ? { type: 'int', decode: texel => `int(${texel})`, encode: value => `float(${value} & 255)` }
    : { type: 'float', decode: texel => texel, encode: value => dtype === 'float16' ? `toHalf(vec4(${value})).x` : value }

/** The axes that are kept and those that are reduced, each joined where they can be. */
function apart(x: Shape, reduced: (axis: number) => boolean): { readonly kept: Nest; readonly gone: Nest } {
  const strides = stridesOf(x)
  const part = (wanted: boolean): Nest => {
    const axes = x.map((_, axis) => axis).filter(axis => reduced(axis) === wanted)
    return collapse(axes.map(axis => x[axis]!), [axes.map(axis => strides[axis]!)])
  }
  return { kept: part(false), gone: part(true) }
}

/** Folds the reduced axes of `x` element by element. */
function fold(device: Device, name: string, x: Value, shape: Shape, reduced: (axis: number) => boolean, out: Aval, combine: string, start: string): Value {
  const { kept, gone } = apart(shape, reduced)
  const [k, g] = [kept.sizes.length, gone.sizes.length]
  const value = device.empty(out)
  const { type, decode, encode } = scalarOf(x.dtype)
  device.compute(`${name} ${x.dtype} ${k} ${g}`, () => ({
    inputs: 1, outputs: 1, ints: 2 + 2 * (k + g), floats: 0,
    code: byElement(`float at(int e) {
  int base = 0;
  ${addWalk(k, 'e', 'base', 2, 2 + k)}
  ${type} y = ${start};
  for (int i = 0; i < p[1]; i++) {
    int at = base, j = i;
    ${addWalk(g, 'j', 'at', 2 + 2 * k, 2 + 2 * k + g)}
    ${type} x = ${decode('elem0(at)')};
    ${combine}
  }
  return ${encode('y')};
}`),
  }), [value], [x], [sizeOf(gone.sizes), ...kept.sizes, ...kept.strides[0]!, ...gone.sizes, ...gone.strides[0]!])
  return value
}

const sumTo = (device: Device): Kernel<Value, { readonly shape: Shape }> => ([x], p, out) => {
  const lead = x!.shape.length - p.shape.length
  return fold(device, 'sumTo', x!.storage, x!.shape, axis => axis < lead || (p.shape[axis - lead] === 1 && x!.shape[axis] !== 1), out, 'y += x;', isWhole(x!.dtype) ? '0' : '0.0')
}

const amax = (device: Device): Kernel<Value, { readonly axes: readonly number[] }> => ([x], p, out) => {
  const whole = isWhole(x!.dtype)
  return fold(device, 'amax', x!.storage, x!.shape, axis => p.axes.includes(axis), out, whole ? 'y = max(y, x);' : 'y = x > y || isnan(x) ? x : y;', whole ? '(1 << 31)' : '-infinity()')
}

const argMax = (device: Device): Kernel<Value, { readonly axis: number }> => ([x], { axis }, out) => {
  const value = device.empty(out)
  const inner = sizeOf(x!.shape.slice(axis + 1))
  const { type, decode } = scalarOf(x!.dtype)
  const beats = type === 'int' ? 'x > best' : 'x > best || (isnan(x) && !isnan(best))'
  device.compute(`argMax ${x!.dtype}`, () => ({
    inputs: 1, outputs: 1, ints: 3, floats: 0,
    code: byElement(`float at(int e) {
  int o = quotient(e, p[1]);
  int base = o * p[1] * p[2] + e - o * p[1];
  ${type} best = ${decode('elem0(base)')};
  int y = 0;
  for (int i = 1; i < p[2]; i++) {
    ${type} x = ${decode('elem0(base + i * p[1])')};
    if (${beats}) { best = x; y = i; }
  }
  return intBitsToFloat(y);
}`),
  }), [value], [x!.storage], [inner, x!.shape[axis]!])
  return value
}

/** The kernels of this file. */
export const reductions = (device: Device) => ({ sumTo: sumTo(device), amax: amax(device), argMax: argMax(device) })
