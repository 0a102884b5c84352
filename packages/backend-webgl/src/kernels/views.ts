// Kernels that move elements: transpose, slice, flip and broadcastTo by strides, pad by places, concat by pieces.

import { sizeOf, stridesOf } from '@bp/core/extend'
import type { Aval, Kernel, Operand } from '@bp/core/extend'
import type { PadParams, SliceParams } from '@bp/ops/extend'
import type { Shape } from '@bp/core'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { accessKey, accessOf, broadcastStrides, collapse, loads, walkNumbers } from '../glsl/access.ts'
import { withHelpers } from '../glsl/helpers.ts'

/** Copies `x`, read by strides from `offset` on, into a dense value of the shape of `out`. */
export function strided(device: Device, x: Value, out: Pick<Aval, 'shape' | 'dtype'>, strides: readonly number[], offset = 0): Value {
  const nest = collapse(out.shape, [strides])
  const access = accessOf(x.length, nest.sizes, nest.strides[0]!, offset)
  // elements in the order in which they lie already
  if (access.mode === 'same') return x
  const value = device.empty(out)
  const numbers = walkNumbers(nest.sizes, [access])
  device.compute(`strided ${accessKey(nest.sizes, [access])}`, () => ({
    inputs: 1, outputs: 1, ints: 1 + numbers.length, floats: 0,
    code: withHelpers(`${loads(nest.sizes.length, [access])}\nvec4 compute() { return load0(); }`),
  }), [value], [x], numbers)
  return value
}

/** The strides of a view of `x`, one for each axis of the result, and where it starts. */
export interface View {
  readonly strides: readonly number[]
  readonly offset: number
}

/** Views by the ops that make them, so that passes can read through them. */
export const viewOf = {
  broadcastTo: (x: Shape, p: { readonly shape: Shape }): View => ({ strides: broadcastStrides(x, p.shape), offset: 0 }),
  transpose: (x: Shape, p: { readonly perm: readonly number[] }): View => {
    const strides = stridesOf(x)
    return { strides: p.perm.map(axis => strides[axis]!), offset: 0 }
  },
  slice: (x: Shape, p: SliceParams): View => {
    const strides = stridesOf(x)
    return { strides: strides.map((stride, axis) => stride * p.steps[axis]!), offset: strides.reduce((sum, stride, axis) => sum + stride * p.starts[axis]!, 0) }
  },
  flip: (x: Shape, p: { readonly axes: readonly number[] }): View => {
    const strides = stridesOf(x)
    const turned = (axis: number): boolean => p.axes.includes(axis)
    return { strides: strides.map((stride, axis) => turned(axis) ? -stride : stride), offset: strides.reduce((sum, stride, axis) => turned(axis) ? sum + stride * (x[axis]! - 1) : sum, 0) }
  },
}

const through = <P>(device: Device, view: (x: Shape, p: P) => View): Kernel<Value, P> => ([x], p, out) => {
  const { strides, offset } = view(x!.shape, p)
  return strided(device, x!.storage, out, strides, offset)
}

/** Zeros around and between: each output asks whether an element stands there. */
const pad = (device: Device): Kernel<Value, PadParams> => ([x], p, out) => {
  const rank = out.shape.length
  const value = device.empty(out)
  const strides = stridesOf(x!.shape)
  const numbers = out.shape.flatMap((size, axis) => [size, p.low[axis]!, p.interior[axis]! + 1, x!.shape[axis]!, strides[axis]!])
  const axes = Array.from({ length: rank }, (_, i) => rank - 1 - i).map(axis => {
    const at = 1 + 5 * axis
    return `{ int o = quotient(e, p[${at}]); int c = e - o * p[${at}] - p[${at + 1}]; int k = quotient(max(c, 0), p[${at + 2}]); there = there && c >= 0 && k * p[${at + 2}] == c && k < p[${at + 3}]; y += k * p[${at + 4}]; e = o; }`
  })
  device.compute(`pad ${rank}`, () => ({
    inputs: 1, outputs: 1, ints: 1 + 5 * rank, floats: 0,
    code: withHelpers(`float at(int e) { bool there = true; int y = 0; ${axes.join(' ')} return there ? elem0(y) : 0.0; }
vec4 compute() { int e = texel() * 4; return vec4(at(e), at(e + 1), at(e + 2), at(e + 3)); }`),
  }), [value], [x!.storage], numbers)
  return value
}

/** The most operands that one pass joins. */
const mostJoined = 8

/** Operands one after the other: each output finds the piece that it lies in. */
const concat = (device: Device): Kernel<Value, { readonly axis: number }> => (xs, { axis }, out) => {
  const join = (pieces: readonly Piece[]): Piece => {
    const whole = pieces.reduce((sum, { size }) => sum + size, 0)
    const shape = out.shape.map((size, i) => i === axis ? whole : size)
    const value = device.empty({ shape, dtype: out.dtype })
    const inner = sizeOf(out.shape.slice(axis + 1))
    const n = pieces.length
    // lengths of a piece's row in elements, after what comes before it
    const ends = pieces.map((_, i) => inner * pieces.slice(0, i + 1).reduce((sum, { size }) => sum + size, 0))
    const row = (i: number): string => i === 0 ? 'p[2]' : `(p[${i + 2}] - p[${i + 1}])`
    const reads = pieces.map((_, i) => `if (c < p[${i + 2}]) return elem${i}(o * ${row(i)} + c${i === 0 ? '' : ` - p[${i + 1}]`});`)
    device.compute(`concat ${n}`, () => ({
      inputs: n, outputs: 1, ints: n + 2, floats: 0,
      code: withHelpers(`float at(int e) { int o = quotient(e, p[1]); int c = e - o * p[1]; ${reads.join(' ')} return 0.0; }
vec4 compute() { int e = texel() * 4; return vec4(at(e), at(e + 1), at(e + 2), at(e + 3)); }`),
    }), [value], pieces.map(piece => piece.value), [inner * whole, ...ends])
    return { value, size: whole, made: true }
  }
  let pieces: Piece[] = xs.map(({ storage, shape }) => ({ value: storage, size: shape[axis]!, made: false }))
  if (pieces.length === 1) return pieces[0]!.value
  while (pieces.length > 1) {
    const next: Piece[] = []
    for (let i = 0; i < pieces.length; i += mostJoined) {
      const group = pieces.slice(i, i + mostJoined)
      next.push(group.length === 1 ? group[0]! : join(group))
      if (group.length > 1) for (const { value, made } of group) if (made) device.discard(value)
    }
    pieces = next
  }
  return pieces[0]!.value
}

interface Piece {
  readonly value: Value
  readonly size: number
  /** Made on the way, so that nobody else holds it. */
  readonly made: boolean
}

/** The same numbers under another shape, or without a derivative. */
const share: Kernel<Value, unknown> = ([x]: readonly Operand<Value>[]) => x!.storage

/** The kernels of this file. */
export const views = (device: Device) => ({
  reshape: share, detach: share,
  broadcastTo: through(device, viewOf.broadcastTo), transpose: through(device, viewOf.transpose), slice: through(device, viewOf.slice), flip: through(device, viewOf.flip),
  pad: pad(device), concat: concat(device),
})
