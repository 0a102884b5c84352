// Kernels that move elements: transpose, slice, flip and broadcastTo by strides, and those that move nothing.

import { stridesOf } from '@bp/core/extend'
import type { Aval, Kernel, Operand } from '@bp/core/extend'
import type { SliceParams } from '@bp/ops/extend'
import type { Shape } from '@bp/core'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { accessKey, accessOf, broadcastStrides, collapse, loads, walkNumbers } from '../glsl/access.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { concat } from './viewsJoin.ts'
import { pad } from './viewsPad.ts'

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

/** The same numbers under another shape, or without a derivative. */
const share: Kernel<Value, unknown> = ([x]: readonly Operand<Value>[]) => x!.storage

/** The kernels of this file. */
export const views = (device: Device) => ({
  reshape: share, detach: share,
  broadcastTo: through(device, viewOf.broadcastTo), transpose: through(device, viewOf.transpose), slice: through(device, viewOf.slice), flip: through(device, viewOf.flip),
  pad: pad(device), concat: concat(device),
})
