// Softmax, its logarithm, log Σ e^x and standardising: two statistics of each line, then one pass over the elements.

import type { DType, Shape } from '@bp/core'
import { Aval, fail, type Kernel, type Operand, sizeOf } from '@bp/core/extend'
import type { AxisParams, StandardiseParams } from '@bp/ops/extend'
import type { Device } from '../device/device.ts'
import { encodingOf, type Value } from '../device/storage.ts'
import type { Step } from '../glsl/body.ts'
import { runChain } from './maps.ts'
import { foldAxes, oneSpan } from './reduce.ts'
import { maxima, sums } from './reduceFold.ts'
import { partsOfLines, type Statistic, statisticsOf } from './reduceLines.ts'

/*
 * m, the largest element, or 0 where it is infinite or NaN, and s = Σ e^(x − m). Parts are joined by their sums, each times e^(m of the
 * part − m) (Milakov & Gimelshein 2018, "Online normalizer calculation for softmax", eq. 4); those without finite elements have none.
 */
const exponentials: Statistic = {
  name: 'exp', first: maxima,
  settled: 'pick(lessThan(abs(a), vec4(infinity())), a, vec4(0.0))',
  // of NaN some adapters' exp is infinite
  term: 'pick(isNan(x), x, exp(x - a))', none: 'vec4(-infinity())',
  merge: {
    first: 'a = max(a, pick(equal(y, vec4(0.0)), vec4(-infinity()), x));',
    term: 'c += pick(equal(y, vec4(0.0)), vec4(0.0), y * exp(x - a));',
  },
}

/* μ and Σ (x − μ)² */
const moments: Statistic = { name: 'moments', first: sums, settled: 'a / float(p[1])', term: '(x - a) * (x - a)', none: 'a', merge: null }

/** Steps on the operands of a chain, whose numbers go on from theirs; the last step gives the result. */
type Steps = readonly (readonly [op: string, ...args: number[]])[]

/** Steps in float32 on values that broadcast to a shape, the result in `dtype`. */
function along(device: Device, steps: Steps, xs: readonly (readonly [Value, Shape])[], shape: Shape, dtype: DType): Value {
  const list: Step[] = steps.map(([op, ...args]) => ({ op, args, dtype: 'float32' }))
  const last = (): number => xs.length + list.length - 1
  if (dtype !== 'float32') list.push({ op: 'cast', args: [last()], dtype })
  return runChain(device, { inputs: xs.map(([{ dtype }]) => dtype), numbers: [], steps: list, outputs: [last()] }, xs.map(([storage, shape]) => ({ storage, shape })), [new Aval(shape, dtype)])[0]!
}

/** A number as an operand; it stays on this side until a pass reads it. */
const scalarOf = (device: Device, x: number): readonly [Value, Shape] => [device.write(Float32Array.of(x), { dtype: 'float32' }), []]

/** What values are made of others that are not needed any more. */
function using<T>(device: Device, made: readonly Value[], y: T): T {
  for (const value of made) device.discard(value)
  return y
}

const only = (name: string, { dtype }: Operand<Value>): void => {
  if (encodingOf(dtype) !== 'float') fail('dtype', name, `the webgl backend has no ${name} of ${dtype}. Cast to float32 first`)
}

/** m and s over any axes, of the shape that is kept. */
function exponentialsOf(device: Device, x: Value, shape: Shape, reduced: (axis: number) => boolean, kept: Shape): [m: Value, s: Value] {
  const span = oneSpan(shape, reduced)
  if (span) return statisticsOf(device, exponentials, x, span)
  const top = foldAxes(device, maxima, x, shape, reduced, 'float32')
  const [zero, infinity] = [scalarOf(device, 0), scalarOf(device, Infinity)]
  const m = along(device, [['abs', 0], ['less', 3, 2], ['select', 4, 0, 1]], [[top, kept], zero, infinity], kept, 'float32')
  const powers = along(device, [['sub', 0, 1], ['exp', 2]], [[x, shape], [m, kept]], shape, 'float32')
  return using(device, [top, zero[0], infinity[0], powers], [m, foldAxes(device, sums, powers, shape, reduced, 'float32')])
}

/** μ and Σ (x − μ)² over any axes: by lines where each is short enough for one fragment. */
function momentsOf(device: Device, x: Value, shape: Shape, reduced: (axis: number) => boolean, kept: Shape): [mean: Value, squares: Value] {
  const span = oneSpan(shape, reduced)
  if (span && partsOfLines(span) === 1) return statisticsOf(device, moments, x, span)
  const total = foldAxes(device, sums, x, shape, reduced, 'float32')
  const count = scalarOf(device, sizeOf(shape) / sizeOf(kept))
  const mean = along(device, [['div', 0, 1]], [[total, kept], count], kept, 'float32')
  const squares = along(device, [['sub', 0, 1], ['mul', 2, 2]], [[x, shape], [mean, kept]], shape, 'float32')
  return using(device, [...total === x ? [] : [total], count[0], squares], [mean, foldAxes(device, sums, squares, shape, reduced, 'float32')])
}

const keep = (shape: Shape, axes: readonly number[]): Shape => shape.map((size, axis) => axes.includes(axis) ? 1 : size)

const normalised = (device: Device, name: string, steps: Steps): Kernel<Value, AxisParams> => ([x], { axis }, out) => {
  only(name, x!)
  if (out.shape.includes(0)) return device.empty(out)
  const kept = keep(x!.shape, [axis])
  const [m, s] = exponentialsOf(device, x!.storage, x!.shape, i => i === axis, kept)
  return using(device, [m, s], along(device, steps, [[x!.storage, x!.shape], [m, kept], [s, kept]], x!.shape, out.dtype))
}

const logSumExp = (device: Device): Kernel<Value, { readonly axes: readonly number[] }> => ([x], { axes }, out) => {
  only('logSumExp', x!)
  if (out.shape.includes(0)) return device.empty(out)
  if (x!.storage.length === 0) {
    const least = scalarOf(device, -Infinity)
    return using(device, [least[0]], along(device, [['cast', 0]], [least], out.shape, out.dtype))
  }
  const [m, s] = exponentialsOf(device, x!.storage, x!.shape, axis => axes.includes(axis), out.shape)
  return using(device, [m, s], along(device, [['log', 1], ['add', 0, 2]], [[m, out.shape], [s, out.shape]], out.shape, out.dtype))
}

const standardise = (device: Device): Kernel<Value, StandardiseParams> => ([x], { axes, eps }, out) => {
  only('standardise', x!)
  if (out.shape.includes(0)) return device.empty(out)
  const kept = keep(x!.shape, axes)
  const [mean, squares] = momentsOf(device, x!.storage, x!.shape, axis => axes.includes(axis), kept)
  const numbers = [scalarOf(device, sizeOf(x!.shape) / sizeOf(kept)), scalarOf(device, eps)]
  const deviation = along(device, [['div', 0, 1], ['add', 3, 2], ['sqrt', 4]], [[squares, kept], ...numbers], kept, 'float32')
  const y = along(device, [['sub', 0, 1], ['div', 3, 2]], [[x!.storage, x!.shape], [mean, kept], [deviation, kept]], x!.shape, out.dtype)
  return using(device, [mean, squares, deviation, ...numbers.map(([value]) => value)], y)
}

/** The kernels of this file. */
export const softmaxes = (device: Device) => ({
  // operands: 0 x, 1 m, 2 s
  softmax: normalised(device, 'softmax', [['sub', 0, 1], ['exp', 3], ['div', 4, 2]]),
  logSoftmax: normalised(device, 'logSoftmax', [['sub', 0, 1], ['log', 2], ['sub', 3, 4]]),
  logSumExp: logSumExp(device), standardise: standardise(device),
})
