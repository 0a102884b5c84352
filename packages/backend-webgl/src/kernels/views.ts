// Kernels that move elements: transpose, slice, flip and broadcastTo by strides, and those that move nothing.

import { type Aval, collapse, type Kernel, type Operand } from '@bp/core/extend'
import type { Shape } from '@bp/core'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { accessKey, accessOf, loads, walkNumbers } from '../glsl/access.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { changes, inOrder, type View } from '../glsl/view.ts'
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

const through = <P>(device: Device, change: (view: View, x: Shape, p: P, out: Shape) => View): Kernel<Value, P> => ([x], p, out) => {
  const { strides, offset } = change(inOrder(x!.shape), x!.shape, p, out.shape)
  return strided(device, x!.storage, out, strides, offset)
}

/** The same numbers under another shape, or without a derivative. */
const share: Kernel<Value, unknown> = ([x]: readonly Operand<Value>[]) => x!.storage

/** The kernels of this file. */
export const views = (device: Device) => ({
  reshape: share, detach: share,
  broadcastTo: through(device, changes.broadcastTo), transpose: through(device, changes.transpose), slice: through(device, changes.slice), flip: through(device, changes.flip),
  pad: pad(device), concat: concat(device),
})
