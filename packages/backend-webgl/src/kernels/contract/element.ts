// Matrix products and the three faces of convolution, element by element: for shapes that have no pass of their own.

import { type Kernel, stridesOf } from '@bp/core/extend'
import type { ConvGeometry, ConvInputParams, ConvWeightParams, DotParams } from '@bp/ops/extend'
import type { Aval, Operand } from '@bp/core/extend'
import type { Device } from '../../device/device.ts'
import type { Value } from '../../device/storage.ts'
import { byElement } from '../lanes.ts'

const numberType = (whole: boolean): { readonly type: string; readonly zero: string; readonly read: (texel: string) => string; readonly keep: (y: string) => string } => whole
  ? { type: 'int', zero: '0', read: texel => `floatBitsToInt(${texel})`, keep: y => `intBitsToFloat(${y})` }
  : { type: 'float', zero: '0.0', read: texel => texel, keep: y => y }

const kept = (dtype: string, y: string): string => dtype === 'int32' ? `intBitsToFloat(${y})` : dtype === 'uint8' ? `float(int(${y}) & 255)` : dtype === 'float16' ? `toHalf(vec4(${y})).x` : y

const dot = (device: Device): Kernel<Value, DotParams> => ([a, b], { ta, tb }, out) => {
  const value = device.empty(out)
  const [m, n] = out.shape.slice(-2) as [number, number]
  const k = a!.shape.at(ta ? -2 : -1)!
  const { type, zero, read } = numberType(out.dtype === 'int32')
  device.compute(`dot ${ta} ${tb} ${out.dtype}`, () => ({
    inputs: 2, outputs: 1, ints: 4, floats: 0,
    code: byElement(`float at(int e) {
  int r = quotient(e, p[2]), j = e - r * p[2], s = quotient(r, p[1]), i = r - s * p[1];
  int a = s * p[1] * p[3] + ${ta ? 'i' : 'i * p[3]'}, b = s * p[2] * p[3] + ${tb ? 'j * p[3]' : 'j'};
  ${type} y = ${zero};
  for (int l = 0; l < p[3]; l++) y += ${read(`elem0(a + l${ta ? ' * p[1]' : ''})`)} * ${read(`elem1(b + l${tb ? '' : ' * p[2]'})`)};
  return ${kept(out.dtype, 'y')};
}`),
  }), [value], [a!.storage, b!.storage], [m, n, k])
  return value
}

type Three = readonly [x: Pick<Operand, 'shape'>, w: Pick<Operand, 'shape'>, y: Pick<Operand, 'shape'>]

/** The numbers of a convolution: of x, w and y the sizes and strides, then of each spatial axis stride, low padding and dilation. */
function numbersOf([x, w, y]: Three, p: ConvGeometry): number[] {
  return [p.groups, ...[x, w, y].flatMap(({ shape }) => [...shape, ...stridesOf(shape)]), ...p.stride.flatMap((stride, i) => [stride, p.padding[i]![0], p.dilation[i]!])]
}

/** Where those numbers stand, for an operand 0 to 2 (x, w, y) of rank r. */
const size = (r: number, operand: number, axis: number): string => `p[${2 + 2 * r * operand + axis}]`
const step = (r: number, operand: number, axis: number): string => `p[${2 + 2 * r * operand + r + axis}]`
const space = (r: number, axis: number, field: number): string => `p[${2 + 6 * r + 3 * (axis - 2) + field}]`

/** GLSL that takes the coordinates c0, c1, … of `e` in an operand. */
const coordinates = (r: number, operand: number, name: string): string => {
  const steps = Array.from({ length: r }, (_, axis) => `int ${name}${axis} = quotient(e, ${step(r, operand, axis)}); e -= ${name}${axis} * ${step(r, operand, axis)};`)
  return steps.join(' ')
}

function convolve(device: Device, face: string, xs: readonly Operand<Value>[], three: Three, p: ConvGeometry, out: Aval, body: (r: number, read: (texel: string) => string) => string): Value {
  const value = device.empty(out)
  const r = out.shape.length
  const { type, zero, read } = numberType(out.dtype === 'int32')
  const numbers = numbersOf(three, p)
  device.compute(`${face} ${r} ${out.dtype}`, () => ({
    inputs: 2, outputs: 1, ints: 1 + numbers.length, floats: 0,
    code: byElement(`float at(int e) { ${type} y = ${zero}; ${body(r, read)} return ${kept(out.dtype, 'y')}; }`),
  }), [value], xs.map(x => x.storage), numbers)
  return value
}

const axes = (r: number): number[] => Array.from({ length: r - 2 }, (_, i) => i + 2)
const close = (r: number, more = 0): string => '}'.repeat(r - 2 + more)

const conv = (device: Device): Kernel<Value, ConvGeometry> => (xs, p, out) => {
  const [x, w] = xs as readonly [Operand<Value>, Operand<Value>]
  return convolve(device, 'conv', xs, [x, w, out], p, out, (r, read) => `${coordinates(r, 2, 'o')}
    int per = ${size(r, 1, 0)} / p[1], first = (o1 / per) * ${size(r, 1, 1)};
    for (int c = 0; c < ${size(r, 1, 1)}; c++) {
    ${axes(r).map(i => `for (int k${i} = 0; k${i} < ${size(r, 1, i)}; k${i}++) { int c${i} = o${i} * ${space(r, i, 0)} - ${space(r, i, 1)} + k${i} * ${space(r, i, 2)}; if (c${i} < 0 || c${i} >= ${size(r, 0, i)}) continue;`).join('\n')}
    y += ${read(`elem0(o0 * ${step(r, 0, 0)} + (first + c) * ${step(r, 0, 1)}${axes(r).map(i => ` + c${i} * ${step(r, 0, i)}`).join('')})`)} * ${read(`elem1(o1 * ${step(r, 1, 0)} + c * ${step(r, 1, 1)}${axes(r).map(i => ` + k${i} * ${step(r, 1, i)}`).join('')})`)};
    ${close(r, 1)}`)
}

const convInput = (device: Device): Kernel<Value, ConvInputParams> => (xs, p, out) => {
  const [y, w] = xs as readonly [Operand<Value>, Operand<Value>]
  return convolve(device, 'convInput', xs, [out, w, y], p, out, (r, read) => `${coordinates(r, 0, 'i')}
    int per = ${size(r, 1, 0)} / p[1], g = i1 / ${size(r, 1, 1)}, c = i1 - g * ${size(r, 1, 1)};
    for (int o = g * per; o < (g + 1) * per; o++) {
    ${axes(r).map(i => `for (int k${i} = 0; k${i} < ${size(r, 1, i)}; k${i}++) { int n${i} = i${i} + ${space(r, i, 1)} - k${i} * ${space(r, i, 2)}; if (n${i} < 0) continue; int o${i} = quotient(n${i}, ${space(r, i, 0)}); if (o${i} * ${space(r, i, 0)} != n${i} || o${i} >= ${size(r, 2, i)}) continue;`).join('\n')}
    y += ${read(`elem0(i0 * ${step(r, 2, 0)} + o * ${step(r, 2, 1)}${axes(r).map(i => ` + o${i} * ${step(r, 2, i)}`).join('')})`)} * ${read(`elem1(o * ${step(r, 1, 0)} + c * ${step(r, 1, 1)}${axes(r).map(i => ` + k${i} * ${step(r, 1, i)}`).join('')})`)};
    ${close(r, 1)}`)
}

const convWeight = (device: Device): Kernel<Value, ConvWeightParams> => (xs, p, out) => {
  const [x, y] = xs as readonly [Operand<Value>, Operand<Value>]
  return convolve(device, 'convWeight', xs, [x, out, y], p, out, (r, read) => `${coordinates(r, 1, 'k')}
    int per = ${size(r, 1, 0)} / p[1], c = (k0 / per) * ${size(r, 1, 1)} + k1;
    for (int n = 0; n < ${size(r, 0, 0)}; n++) {
    ${axes(r).map(i => `for (int o${i} = 0; o${i} < ${size(r, 2, i)}; o${i}++) { int c${i} = o${i} * ${space(r, i, 0)} - ${space(r, i, 1)} + k${i} * ${space(r, i, 2)}; if (c${i} < 0 || c${i} >= ${size(r, 0, i)}) continue;`).join('\n')}
    y += ${read(`elem0(n * ${step(r, 0, 0)} + c * ${step(r, 0, 1)}${axes(r).map(i => ` + c${i} * ${step(r, 0, i)}`).join('')})`)} * ${read(`elem1(n * ${step(r, 2, 0)} + k0 * ${step(r, 2, 1)}${axes(r).map(i => ` + o${i} * ${step(r, 2, i)}`).join('')})`)};
    ${close(r, 1)}`)
}

/** The kernels of this file. */
export const byElements = (device: Device) => ({ dot: dot(device), conv: conv(device), convInput: convInput(device), convWeight: convWeight(device) })
