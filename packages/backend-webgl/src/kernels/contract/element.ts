// Matrix products and the three faces of convolution, element by element: for shapes that have no pass of their own.

import { type Kernel, sizeOf, stridesOf } from '@bp/core/extend'
import type { ConvGeometry, ConvInputParams, ConvWeightParams, DotParams } from '@bp/ops/extend'
import type { Aval, Operand } from '@bp/core/extend'
import type { Device } from '../../device/device.ts'
import { mostTurns } from '../../device/gpu.ts'
import { Value } from '../../device/storage.ts'
import { byElement } from '../lanes.ts'

const numberType = (whole: boolean): { readonly type: string; readonly zero: string; readonly read: (texel: string) => string; readonly keep: (y: string) => string } => whole
  ? { type: 'int', zero: '0', read: texel => `floatBitsToInt(${texel})`, keep: y => `intBitsToFloat(${y})` }
  : { type: 'float', zero: '0.0', read: texel => texel, keep: y => y }

const kept = (dtype: string, y: string): string => dtype === 'int32' ? `intBitsToFloat(${y})` : dtype === 'uint8' ? `float(int(${y}) & 255)` : dtype === 'float16' ? `toHalf(vec4(${y})).x` : y

/** A sum of terms for each element, in GLSL. */
interface Sum {
  readonly key: string
  readonly xs: readonly Value[]
  /** How many turns each of the nested loops over terms takes. */
  readonly loops: readonly number[]
  /** What `p` holds from 1 on; where loops begin and end follows. */
  readonly numbers: readonly number[]
  /** Adds terms to y for the element `e`; `from(i)` and `to(i)` are where loop i begins and ends, `read` makes a number of a float. */
  readonly body: (from: (i: number) => string, to: (i: number) => string, read: (texel: string) => string) => string
}

/** The turns of nested loops, one within the other. */
const turnsOf = (loops: readonly number[]): number => loops.reduceRight((inner, n) => n * (1 + inner), 0)

/** Nested loops in pieces of few enough turns. */
function piecesOf([first, ...rest]: readonly number[], most: number): (readonly [from: number, to: number])[][] {
  if (first === undefined) return [[]]
  const each = 1 + turnsOf(rest)
  const step = Math.max(1, Math.floor(most / each))
  const inner: (readonly [number, number])[][] = each <= most ? [rest.map(n => [0, n] as const)] : piecesOf(rest, most)
  return Array.from({ length: Math.max(1, Math.ceil(first / step)) }, (_, i) => inner.map(ranges => [[i * step, Math.min(first, (i + 1) * step)] as const, ...ranges])).flat()
}

/** Computes a sum for each element of the result, in as many passes as its loops need. */
function summed(device: Device, { key, xs, loops, numbers, body }: Sum, out: Aval): Value {
  const { type, zero, read } = numberType(out.dtype === 'int32')
  // each of four lanes goes through the loops
  const pieces = piecesOf(loops, mostTurns / 4)
  const first = 1 + numbers.length
  let y: Value | null = null
  pieces.forEach((ranges, i) => {
    const dtype = i === pieces.length - 1 || out.dtype !== 'float16' ? out.dtype : 'float32'
    const before: Value | null = y
    y = new Value(sizeOf(out.shape), dtype)
    device.compute(`${key} ${dtype} ${before !== null}`, () => ({
      inputs: before ? 3 : 2, outputs: 1, ints: first + 2 * loops.length, floats: 0,
      code: byElement(`float at(int e) { ${type} y = ${before ? `${type}(${read('elem2(e)')})` : zero}; ${body(i => `p[${first + 2 * i}]`, i => `p[${first + 2 * i + 1}]`, read)} return ${kept(dtype, 'y')}; }`),
    }), [y], before ? [...xs, before] : xs, [...numbers, ...ranges.flat()])
    if (before) device.discard(before)
  })
  return y!
}

const dot = (device: Device): Kernel<Value, DotParams> => ([a, b], { ta, tb }, out) => {
  const [m, n] = out.shape.slice(-2) as [number, number]
  const k = a!.shape.at(ta ? -2 : -1)!
  return summed(device, {
    key: `dot ${ta} ${tb}`, xs: [a!.storage, b!.storage], loops: [k], numbers: [m, n, k],
    body: (from, to, read) => `
  int r = quotient(e, p[2]), j = e - r * p[2], s = quotient(r, p[1]), i = r - s * p[1];
  int a = s * p[1] * p[3] + ${ta ? 'i' : 'i * p[3]'}, b = s * p[2] * p[3] + ${tb ? 'j * p[3]' : 'j'};
  for (int l = ${from(0)}; l < ${to(0)}; l++) y += ${read(`elem0(a + l${ta ? ' * p[1]' : ''})`)} * ${read(`elem1(b + l${tb ? '' : ' * p[2]'})`)};`,
  }, out)
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

const axes = (r: number): number[] => Array.from({ length: r - 2 }, (_, i) => i + 2)
const close = (r: number): string => '}'.repeat(r - 1)

/** A loop of a sum over an axis, from within the GLSL of the others. */
type Loop = (name: string, i: number) => string

function convolve(device: Device, face: string, xs: readonly Operand<Value>[], three: Three, p: ConvGeometry, loops: readonly number[], out: Aval, body: (r: number, loop: Loop, read: (texel: string) => string) => string): Value {
  const r = out.shape.length
  return summed(device, {
    key: `${face} ${r}`, xs: xs.map(x => x.storage), loops, numbers: numbersOf(three, p),
    body: (from, to, read) => body(r, (name, i) => `for (int ${name} = ${from(i)}; ${name} < ${to(i)}; ${name}++) {`, read),
  }, out)
}

const conv = (device: Device): Kernel<Value, ConvGeometry> => (xs, p, out) => {
  const [x, w] = xs as readonly [Operand<Value>, Operand<Value>]
  return convolve(device, 'conv', xs, [x, w, out], p, w.shape.slice(1), out, (r, loop, read) => `${coordinates(r, 2, 'o')}
    int per = ${size(r, 1, 0)} / p[1], first = (o1 / per) * ${size(r, 1, 1)};
    ${loop('c', 0)}
    ${axes(r).map(i => `${loop(`k${i}`, i - 1)} int c${i} = o${i} * ${space(r, i, 0)} - ${space(r, i, 1)} + k${i} * ${space(r, i, 2)}; if (c${i} < 0 || c${i} >= ${size(r, 0, i)}) continue;`).join('\n')}
    y += ${read(`elem0(o0 * ${step(r, 0, 0)} + (first + c) * ${step(r, 0, 1)}${axes(r).map(i => ` + c${i} * ${step(r, 0, i)}`).join('')})`)} * ${read(`elem1(o1 * ${step(r, 1, 0)} + c * ${step(r, 1, 1)}${axes(r).map(i => ` + k${i} * ${step(r, 1, i)}`).join('')})`)};
    ${close(r)}`)
}

const convInput = (device: Device): Kernel<Value, ConvInputParams> => (xs, p, out) => {
  const [y, w] = xs as readonly [Operand<Value>, Operand<Value>]
  return convolve(device, 'convInput', xs, [out, w, y], p, [w.shape[0]! / p.groups, ...w.shape.slice(2)], out, (r, loop, read) => `${coordinates(r, 0, 'i')}
    int per = ${size(r, 1, 0)} / p[1], g = i1 / ${size(r, 1, 1)}, c = i1 - g * ${size(r, 1, 1)};
    ${loop('k', 0)} int o = g * per + k;
    ${axes(r).map(i => `${loop(`k${i}`, i - 1)} int n${i} = i${i} + ${space(r, i, 1)} - k${i} * ${space(r, i, 2)}; if (n${i} < 0) continue; int o${i} = quotient(n${i}, ${space(r, i, 0)}); if (o${i} * ${space(r, i, 0)} != n${i} || o${i} >= ${size(r, 2, i)}) continue;`).join('\n')}
    y += ${read(`elem0(i0 * ${step(r, 2, 0)} + o * ${step(r, 2, 1)}${axes(r).map(i => ` + o${i} * ${step(r, 2, i)}`).join('')})`)} * ${read(`elem1(o * ${step(r, 1, 0)} + c * ${step(r, 1, 1)}${axes(r).map(i => ` + k${i} * ${step(r, 1, i)}`).join('')})`)};
    ${close(r)}`)
}

const convWeight = (device: Device): Kernel<Value, ConvWeightParams> => (xs, p, out) => {
  const [x, y] = xs as readonly [Operand<Value>, Operand<Value>]
  return convolve(device, 'convWeight', xs, [x, out, y], p, [x.shape[0]!, ...y.shape.slice(2)], out, (r, loop, read) => `${coordinates(r, 1, 'k')}
    int per = ${size(r, 1, 0)} / p[1], c = (k0 / per) * ${size(r, 1, 1)} + k1;
    ${loop('n', 0)}
    ${axes(r).map(i => `${loop(`o${i}`, i - 1)} int c${i} = o${i} * ${space(r, i, 0)} - ${space(r, i, 1)} + k${i} * ${space(r, i, 2)}; if (c${i} < 0 || c${i} >= ${size(r, 0, i)}) continue;`).join('\n')}
    y += ${read(`elem0(n * ${step(r, 0, 0)} + c * ${step(r, 0, 1)}${axes(r).map(i => ` + c${i} * ${step(r, 0, i)}`).join('')})`)} * ${read(`elem1(n * ${step(r, 2, 0)} + k0 * ${step(r, 2, 1)}${axes(r).map(i => ` + o${i} * ${step(r, 2, i)}`).join('')})`)};
    ${close(r)}`)
}

/** The kernels of this file. */
export const byElements = (device: Device) => ({ dot: dot(device), conv: conv(device), convInput: convInput(device), convWeight: convWeight(device) })
