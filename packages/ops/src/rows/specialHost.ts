// Host kernels of functions of one number, and of two that broadcast; and sin πx, which several of them need.

import type { Shape } from '@bp/core'
import { allocate, type Aval, type HostKernel, sizeOf, stridesOf } from '@bp/core/extend'

/** The host kernel of a function of one number, applied to every element in double precision. */
export const hostMap = <P>(f: (x: number, p: P) => number): HostKernel<1, P> => ([{ data }], p, [out]) => {
  const y = allocate(out!.dtype, data.length)
  for (let i = 0; i < data.length; i++) y[i] = f(Number(data[i]), p)
  return y
}

/** The host kernel of a function of two numbers (or bigints, for int64, of which `f` uses only what both can) that broadcast. */
export const hostPair = (f: (a: number, b: number, out: Aval) => number): HostKernel<2, void> => ([a, b], _p, [out]) => {
  const y = allocate(out!.dtype, sizeOf(out!.shape)) as Float64Array
  const [p, q] = [a.data as Float64Array, b.data as Float64Array]
  const [i, j] = [placesIn(a.shape, out!.shape), placesIn(b.shape, out!.shape)]
  for (let k = 0; k < y.length; k++) y[k] = f(p[i(k)]!, q[j(k)]!, out!)
  return y
}

/** From a flat place in `full` to the flat place that an array of `shape`, broadcast to it, is read at. */
function placesIn(shape: Shape, full: Shape): (flat: number) => number {
  if (sizeOf(shape) === sizeOf(full)) return flat => flat
  const lead = full.length - shape.length
  const [own, all] = [stridesOf(shape), stridesOf(full)]
  return flat => {
    let place = 0
    for (let axis = 0; axis < shape.length; axis++) {
      if (shape[axis] !== 1) place += Math.floor(flat / all[axis + lead]!) % shape[axis]! * own[axis]!
    }
    return place
  }
}

/** sin πx, with the period taken out before the multiplication by π. */
export function sinPi(x: number): number {
  const r = x - 2 * Math.round(x / 2)
  return Math.abs(r) > 0.5 ? Math.sin(Math.PI * (Math.sign(r) - r)) : Math.sin(Math.PI * r)
}
