// Products and convolutions: four kernels and one loop, for windows over an image are a view of it.

import type { Shape } from '@bp/core'
import { type Aval, isFloat, type Kernel, sizeOf } from '@bp/core/extend'
import type { ConvGeometry, ConvInputParams, ConvWeightParams, DotParams } from '@bp/ops/extend'
import { copy, dense, eachRow, lastStep, rounded, type View, zeros } from './view.ts'

/** o += a·b at every index of the shape. What is summed over has a step of 0 in o, what an operand lacks one of 0 there. */
function contract(shape: Shape, o: View, a: View, b: View, float: boolean): void {
  const [p, q, r] = [lastStep(o), lastStep(a), lastStep(b)]
  const [to, x, y] = [o.data, a.data, b.data]
  eachRow(shape, [o, a, b], ([i, j, k], n) => {
    if (float) for (let m = 0; m < n; m++) to[i! + m * p]! += x[j! + m * q]! * y[k! + m * r]!
    else for (let m = 0; m < n; m++) to[i! + m * p] = to[i! + m * p]! + Math.imul(x[j! + m * q]!, y[k! + m * r]!) | 0
  })
}

/** A·B, read transposed where asked: that exchanges two steps. */
export const dot: Kernel<View, DotParams> = (xs, { ta, tb }, out) => {
  const [a, b] = [xs[0]!, xs[1]!]
  const rank = out.shape.length
  const lead = out.shape.slice(0, -2)
  const [m, n] = [out.shape[rank - 2]!, out.shape[rank - 1]!]
  const inner = a.shape[rank - (ta ? 2 : 1)]!
  const last = (strides: readonly number[], transposed: boolean): [number, number] => transposed ? [strides[rank - 1]!, strides[rank - 2]!] : [strides[rank - 2]!, strides[rank - 1]!]
  const [ai, ak] = last(a.storage.strides, ta)
  const [bk, bj] = last(b.storage.strides, tb)
  const data = zeros(out.shape)
  const whole = dense(data, out.shape)
  contract([...lead, m, inner, n],
    { data, offset: 0, strides: [...whole.strides.slice(0, -2), n, 0, 1] },
    { ...a.storage, strides: [...a.storage.strides.slice(0, -2), ai, ak, 0] },
    { ...b.storage, strides: [...b.storage.strides.slice(0, -2), 0, bk, bj] }, isFloat(out.dtype))
  return rounded(data, out)
}

/** The three tensors of a convolution y = x ∗ w, as views over [image, group, filter, channel, …kernel, …place]. */
interface Windows {
  readonly shape: Shape
  readonly x: View
  readonly w: (view: View) => View
  readonly y: (view: View) => View
  /** What lies inside the padding. */
  readonly inside: View
}

function windows(x: Shape, w: Shape, places: Shape, { stride, padding, dilation, groups }: ConvGeometry): Windows {
  const spatial = x.slice(2)
  // long enough for the last window, which may end before or after the padding does
  const padded = [x[0]!, x[1]!, ...spatial.map((size, i) => Math.max(size + padding[i]![0] + padding[i]![1], (places[i]! - 1) * stride[i]! + (w[i + 2]! - 1) * dilation[i]! + 1))]
  const data = zeros(padded)
  const { strides } = dense(data, padded)
  const [channels, filters] = [w[1]!, w[0]! / groups]
  const steps = strides.slice(2)
  const none = places.map(() => 0)
  const apart = (own: readonly number[], count: number): [number, number] => [own[0]! * count, own[0]!]
  return {
    shape: [x[0]!, groups, filters, channels, ...w.slice(2), ...places],
    x: { data, offset: 0, strides: [strides[0]!, strides[1]! * channels, 0, strides[1]!, ...steps.map((step, i) => step * dilation[i]!), ...steps.map((step, i) => step * stride[i]!)] },
    w: view => ({ ...view, strides: [0, ...apart(view.strides, filters), view.strides[1]!, ...view.strides.slice(2), ...none] }),
    y: view => ({ ...view, strides: [view.strides[0]!, ...apart(view.strides.slice(1), filters), 0, ...none, ...view.strides.slice(2)] }),
    inside: { data, offset: padding.reduce((sum, [low], i) => sum + low * steps[i]!, 0), strides },
  }
}

const result = ({ shape }: Aval): View => dense(zeros(shape), shape)

/** y = x ∗ w. */
export const conv: Kernel<View, ConvGeometry> = (xs, p, out) => {
  const [x, w] = [xs[0]!, xs[1]!]
  const over = windows(x.shape, w.shape, out.shape.slice(2), p)
  copy(x.storage, over.inside, x.shape)
  const y = result(out)
  contract(over.shape, over.y(y), over.x, over.w(w.storage), isFloat(out.dtype))
  return rounded(y.data, out)
}

/** x̄ from ȳ and w: written through the windows, and cut out of the padding. */
export const convInput: Kernel<View, ConvInputParams> = (xs, p, out) => {
  const [y, w] = [xs[0]!, xs[1]!]
  const over = windows(out.shape, w.shape, y.shape.slice(2), p)
  contract(over.shape, over.x, over.y(y.storage), over.w(w.storage), isFloat(out.dtype))
  rounded(over.x.data, out)
  return over.inside
}

/** w̄ from x and ȳ. */
export const convWeight: Kernel<View, ConvWeightParams> = (xs, p, out) => {
  const [x, y] = [xs[0]!, xs[1]!]
  const over = windows(x.shape, out.shape, y.shape.slice(2), p)
  copy(x.storage, over.inside, x.shape)
  const w = result(out)
  if (sizeOf(out.shape) > 0) contract(over.shape, over.w(w), over.x, over.y(y.storage), isFloat(out.dtype))
  return rounded(w.data, out)
}
