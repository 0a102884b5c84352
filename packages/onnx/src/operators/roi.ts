// RoiAlign: regions of an image read between its elements, bin by bin.

import { add, full, mul, type Tensor, tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { abs, cast, clamp, concat, div, floor, greaterEqual, iota, lessEqual, logicalAnd, matmul, maximum, minimum, narrow, relu, reshape, select, sub, take, transpose } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import { entries } from '../import/budget.ts'
import type { ModelNode } from '../import/load.ts'
import { toNumbers, toTensor, type Value } from '../import/value.ts'
import { perPart } from './geometry.ts'
import { only, onValues, type Operator, type Operators } from './operator.ts'

/** One axis of all regions: where they start and end, in elements, how many bins they have and how many places are read in each. */
interface Line {
  readonly size: number
  readonly bins: number
  /** [regions, 1] */
  readonly start: Tensor
  readonly extent: Tensor
  /** Places a bin, [regions, 1]: as many for all, or as the region is large. */
  readonly counts: Tensor
  readonly most: number
}

function lineOf(regions: Tensor, known: () => number[], axis: number, size: number, bins: number, attributes: Attributes, node: ModelNode): Line {
  const scale = attributes.float('spatial_scale', 1)
  // before version 16 without the shift by half an element
  const half = node.opset >= 16 && attributes.string('coordinate_transformation_mode', 'half_pixel') === 'half_pixel'
  const edge = (i: number): Tensor => sub(mul(narrow(regions, 1, i, 1), scale), half ? 0.5 : 0)
  const [start, end] = [edge(axis), edge(axis + 2)]
  const extent = half ? sub(end, start) : maximum(sub(end, start), 1)
  const ratio = attributes.int('sampling_ratio', 0)
  const n = regions.shape[0]!
  const counts = ratio > 0 ? new Array<number>(n).fill(ratio) : Array.from({ length: n }, (_, r) => {
    const at = (i: number): number => Math.fround(Math.fround(known()[4 * r + i]! * scale) - (half ? 0.5 : 0))
    const length = Math.fround(at(axis + 2) - at(axis))
    return Math.max(0, Math.ceil(Math.fround((half ? length : Math.max(1, length)) / bins)))
  })
  return { size, bins, start, extent, counts: tensor(counts, { shape: [n, 1], dtype: regions.dtype, backend: regions.backend }), most: Math.max(0, ...counts) }
}

/** Place `s` of each bin, [regions, bins], brought inside; whether it lies near enough to be read, and whether it counts at all. */
function placesOf({ size, bins, start, extent, counts }: Line, s: number): { readonly at: Tensor; readonly inside: Tensor; readonly counted: Tensor } {
  const each = div(extent, bins)
  const place = add(add(start, mul(reshape(iota(bins, start.dtype, start.backend), [1, bins]), each)), div(mul(each, s + 0.5), maximum(counts, 1)))
  return { at: clamp(place, 0, size - 1), inside: logicalAnd(greaterEqual(place, -1), lessEqual(place, size)), counted: greaterEqual(counts, s + 1) }
}

/** How much each element of the axis counts in the mean of each bin: [regions, bins, size]. */
function weightsOf(line: Line): Tensor {
  const { size, bins, start, counts, most } = line
  const none = full([start.shape[0]!, bins, size], 0, start.dtype, start.backend)
  const total = Array.from({ length: entries('RoiAlign', perPart * most) / perPart }, (_, s) => {
    const { at, inside, counted } = placesOf(line, s)
    const near = relu(sub(1, abs(sub(reshape(at, [...at.shape, 1]), iota(size, start.dtype, start.backend)))))
    return select(reshape(logicalAnd(inside, counted), [...at.shape, 1]), near, 0)
  }).reduce((a, b) => add(a, b), none)
  return div(total, reshape(maximum(counts, 1), [counts.size, 1, 1]))
}

/* Regions are done in lots whose copies of the image have about this many elements. */
const lot = 2 ** 24

/** The mean over the places of a bin is linear in the image along each axis: y[r] = A[r]·x[image of r]·B[r]ᵀ. */
function averaged(x: Tensor, image: Tensor, [down, across]: readonly [Line, Line]): Tensor {
  const [rows, columns] = [weightsOf(down), transpose(weightsOf(across), [0, 2, 1])]
  const n = image.size
  const each = Math.max(1, Math.floor(lot * x.shape[0]! / x.size))
  const lots = Array.from({ length: entries('RoiAlign', perPart * Math.ceil(n / each)) / perPart }, (_, i) => {
    const part = (t: Tensor): Tensor => narrow(t, 0, i * each, Math.min(each, n - i * each))
    const apart = (t: Tensor): Tensor => reshape(part(t), [part(t).shape[0]!, 1, ...t.shape.slice(1)])
    return matmul(matmul(apart(rows), take(x, part(image))), apart(columns))
  })
  return lots.length > 0 ? concat(lots, 0) : full([0, x.shape[1]!, down.bins, across.bins], 0, x.dtype, x.backend)
}

/** The two elements around each place, with their weights. */
function around(line: Line, s: number): readonly { readonly at: Tensor; readonly weight: Tensor; readonly counted: Tensor }[] {
  const { at, inside, counted } = placesOf(line, s)
  const low = floor(at)
  const high = sub(at, low)
  const corner = (place: Tensor, weight: Tensor): ReturnType<typeof around>[number] => ({ at: cast(minimum(place, line.size - 1), 'int32'), weight: select(inside, weight, 0), counted })
  return [corner(low, sub(1, high)), corner(add(low, 1), high)]
}

/** The largest weighted element around the places of a bin, which is not the largest of their values: the standard's examples have it so. */
function largest(x: Tensor, image: Tensor, [down, across]: readonly [Line, Line]): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const table = reshape(transpose(x, [0, 2, 3, 1]), [n * h * w, c])
  const count = image.size
  const plane = reshape(mul(cast(image, 'int32'), h * w), [count, 1, 1])
  const tall = (t: Tensor): Tensor => reshape(t, [count, t.shape[1]!, 1])
  const wide = (t: Tensor): Tensor => reshape(t, [count, 1, t.shape[1]!])
  const ends = (line: Line): ReturnType<typeof around> => Array.from({ length: entries('RoiAlign', perPart * line.most) / perPart }, (_, s) => around(line, s)).flat()
  const [rows, columns] = [ends(down), ends(across)]
  entries('RoiAlign', perPart * rows.length * columns.length)
  let y = full([count, down.bins, across.bins, c], -Infinity, x.dtype, x.backend)
  for (const row of rows) {
    for (const column of columns) {
      const read = take(table, add(plane, add(mul(tall(row.at), w), wide(column.at))))
      const weighted = mul(read, reshape(mul(tall(row.weight), wide(column.weight)), [count, down.bins, across.bins, 1]))
      y = maximum(y, select(reshape(logicalAnd(row.counted, column.counted), [count, 1, 1, 1]), weighted, -Infinity))
    }
  }
  const any = reshape(greaterEqual(mul(down.counts, across.counts), 1), [count, 1, 1, 1])
  return transpose(select(any, y, 0), [0, 3, 1, 2])
}

/** Images [n, c, h, w] and regions (left, top, right, bottom) of them to [regions, c, rows, columns] (He et al. 2017, "Mask R-CNN", §3). Differentiable in the images and, for means, in the regions. */
const aligned: Operator = onValues(3, ([image, regions, which], attributes, node) => {
  const given = toTensor(image!)
  const x = given.dtype === 'float64' ? given : cast(given, 'float32')
  const boxes = cast(toTensor(regions!), x.dtype)
  if (x.rank !== 4 || boxes.rank !== 2 || boxes.shape[1] !== 4 || which!.shape[0] !== boxes.shape[0]) {
    fail('shape', node.operator, `needs images [n, c, h, w], regions [count, 4] and the image of each, got ${describe(x)}, ${describe(boxes)} and ${describe(which!)}`)
  }
  const mode = attributes.string('mode', 'avg')
  only(node, 'mode', mode, 'avg', 'max')
  only(node, 'coordinate_transformation_mode', attributes.string('coordinate_transformation_mode', 'half_pixel'), 'half_pixel', 'output_half_pixel')
  const known = once(regions!)
  const line = (axis: number, name: string): Line => lineOf(boxes, known, axis, x.shape[3 - axis]!, attributes.int(name, 1), attributes, node)
  const lines = [line(1, 'output_height'), line(0, 'output_width')] as const
  const y = (mode === 'avg' ? averaged : largest)(x, toTensor(which!), lines)
  return cast(y, given.dtype)
})

/** A value's numbers, read when first asked for. */
function once(value: Value): () => number[] {
  let numbers: number[] | null = null
  return () => numbers ??= toNumbers(value)
}

/** RoiAlign by name. */
export const regionsAligned: Operators = { RoiAlign: aligned }
