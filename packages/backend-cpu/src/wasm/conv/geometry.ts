// The geometry of a convolution in three spatial axes, and what its kernels need to know of it.

import { fail } from '@bp/core/extend'
import type { ConvGeometry } from '@bp/ops/extend'

/** One number a spatial axis: depth, height, width. */
export type Triple = readonly [number, number, number]

/** A convolution of [n, c, …] with [o, c/groups, …]. */
export interface ConvJob {
  readonly images: number
  readonly groups: number
  /** Channels of one group on either side. */
  readonly inputs: number
  readonly outputs: number
  readonly size: Triple
  readonly kernel: Triple
  readonly places: Triple
  readonly stride: Triple
  readonly low: Triple
  readonly dilation: Triple
}

/** Three entries, those in front filled in. */
export const triple = (list: readonly number[], fill: number): Triple => [...new Array<number>(3 - list.length).fill(fill), ...list] as unknown as Triple

/** The job of shapes and a geometry. */
export function convJob(x: readonly number[], outputs: number, kernel: readonly number[], places: readonly number[], p: ConvGeometry): ConvJob {
  if (kernel.length > 3) fail('shape', 'conv', `windows have 1 to 3 spatial axes here, got ${kernel.length}. Fold some into the batch`)
  return {
    images: x[0]!, groups: p.groups, inputs: x[1]! / p.groups, outputs: outputs / p.groups,
    size: triple(x.slice(2), 1), kernel: triple(kernel, 1), places: triple(places, 1),
    stride: triple(p.stride, 1), low: triple(p.padding.map(([low]) => low), 0), dilation: triple(p.dilation, 1),
  }
}

/** The product of three sizes. */
export const volume = ([d, h, w]: Triple): number => d * h * w

/**
 * How planes lie in a padded copy: its sizes; for each axis where element 0 comes to and how far apart elements lie; how far
 * windows move; and the elements of a row, whose columns lie apart by their remainder by the stride.
 */
export interface Padded {
  readonly size: Triple
  readonly low: Triple
  readonly step: Triple
  readonly stride: Triple
  readonly run: number
}

/** The padded copy that a kernel of this reach slides over at `places` places. */
export function padded(places: Triple, kernel: Triple, dilation: Triple, low: Triple, stride: Triple, step: Triple): Padded {
  const size = places.map((n, i) => (n - 1) * stride[i]! + (kernel[i]! - 1) * dilation[i]! + 1) as unknown as Triple
  // a vector may reach a little over the end of a row
  return { size, low, step, stride, run: Math.ceil(size[2] / stride[2]) + 3 }
}

/** Elements of one padded plane. */
export const planeOf = ({ size: [d, h], stride, run }: Padded): number => d * h * stride[2] * run

/** Where each tap of a kernel lies in a padded plane, in elements from where the window begins. */
export function tapOffsets({ size: [, h], stride, run }: Padded, kernel: Triple, dilation: Triple, flipped: boolean): number[] {
  const out: number[] = []
  const at = (i: number, axis: number): number => (flipped ? kernel[axis]! - 1 - i : i) * dilation[axis]!
  for (let d = 0; d < kernel[0]; d++) {
    for (let y = 0; y < kernel[1]; y++) {
      for (let x = 0; x < kernel[2]; x++) {
        const column = at(x, 2)
        out.push(((at(d, 0) * h + at(y, 1)) * stride[2] + column % stride[2]) * run + Math.floor(column / stride[2]))
      }
    }
  }
  return out
}
