// Boxes: NonMaxSuppression and MaxRoiPool, whose choices are made on the host.

import { full, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { amax, concat, narrow, reshape, stack } from '@bp/ops'
import { entries } from '../import/budget.ts'
import { int64s, toNumbers, toTensor } from '../import/value.ts'
import { perPart } from './geometry.ts'
import { onValues, type Operator, type Operators } from './operator.ts'

/** A box by its edges, low before high. */
type Box = readonly [top: number, left: number, bottom: number, right: number]

/** Corners in any order, or a centre with width and height. */
const boxOf = ([a, b, c, d]: readonly number[], centred: boolean): Box => centred
  ? [b! - d! / 2, a! - c! / 2, b! + d! / 2, a! + c! / 2]
  : [Math.min(a!, c!), Math.min(b!, d!), Math.max(a!, c!), Math.max(b!, d!)]

const area = ([top, left, bottom, right]: Box): number => Math.max(0, bottom - top) * Math.max(0, right - left)

/** The area that two boxes share, of the area that both cover; compared in float32, as the scores and thresholds are. */
function overlap(a: Box, b: Box): number {
  const shared = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])])
  return shared <= 0 || area(a) <= 0 || area(b) <= 0 ? 0 : Math.fround(shared / (area(a) + area(b) - shared))
}

/** Boxes [n, boxes, 4] and scores [n, classes, boxes] to the triples (image, class, box) that are kept, the best first (greedy, as in Girshick et al. 2014, §2.2). */
const nonMaxSuppression: Operator = onValues(2, ([boxes, scores, most, overlapping, least], attributes, node) => {
  const [images, classes, count] = scores!.shape as [number, number, number]
  if (boxes!.shape.length !== 3 || scores!.shape.length !== 3 || boxes!.shape[0] !== images || boxes!.shape[1] !== count || boxes!.shape[2] !== 4) {
    fail('shape', node.operator, `needs boxes [n, boxes, 4] and scores [n, classes, boxes], got ${describe(boxes!)} and ${describe(scores!)}`)
  }
  const number = (value: typeof most): number | undefined => value && toNumbers(value)[0]
  const [limit, iou, floor] = [number(most) ?? 0, number(overlapping) ?? 0, number(least)]
  const corners = toNumbers(boxes!)
  const values = toNumbers(scores!)
  const centred = attributes.int('center_point_box', 0) !== 0
  const kept: number[] = []
  for (let image = 0; image < images; image++) {
    const all = Array.from({ length: count }, (_, i) => boxOf(corners.slice((image * count + i) * 4, (image * count + i + 1) * 4), centred))
    for (let c = 0; c < classes; c++) {
      const score = (box: number): number => values[(image * classes + c) * count + box]!
      const candidates = all.map((_, i) => i).filter(i => floor === undefined || score(i) > floor).sort((a, b) => score(b) - score(a) || a - b)
      const chosen: number[] = []
      for (const i of candidates) {
        if (chosen.length >= limit) break
        if (chosen.every(j => overlap(all[i]!, all[j]!) <= iou)) chosen.push(i)
      }
      for (const i of chosen) kept.push(image, c, i)
    }
  }
  return int64s(kept, [kept.length / 3, 3])
})

/** The span of bin `i` of `bins` over whole places from `start` to `end`, both counted, cut to an axis of `size`. */
function span(i: number, bins: number, start: number, end: number, size: number): readonly [from: number, count: number] {
  const each = Math.max(1, end - start + 1) / bins
  const cut = (place: number): number => Math.min(size, Math.max(0, place))
  const from = cut(Math.floor(i * each) + start)
  return [from, cut(Math.ceil((i + 1) * each) + start) - from]
}

/** The largest element of each bin of a region (image, left, top, right, bottom), whose edges are rounded to whole places (Girshick 2015, §2.1); 0 of an empty bin. */
const regionMax: Operator = onValues(2, ([image, regions], attributes, node) => {
  const x = toTensor(image!)
  const [, c, h, w] = x.shape as [number, number, number, number]
  if (x.rank !== 4 || regions!.shape.length !== 2 || regions!.shape[1] !== 5) fail('shape', node.operator, `needs images [n, c, h, w] and regions [count, 5], got ${describe(x)} and ${describe(regions!)}`)
  const [rows, columns] = attributes.ints('pooled_shape') ?? fail('data', node.operator, 'it has no pooled_shape. The file is damaged')
  const scale = attributes.float('spatial_scale', 1)
  const numbers = toNumbers(regions!)
  entries(node.operator, perPart * rows! * columns! * regions!.shape[0]!)
  const ys = Array.from({ length: regions!.shape[0]! }, (_, r): Tensor => {
    const [which, ...edges] = numbers.slice(5 * r, 5 * r + 5) as [number, ...number[]]
    const [left, top, right, bottom] = edges.map(edge => roundAway(Math.fround(edge * scale))) as [number, number, number, number]
    const plane = reshape(narrow(x, 0, which, 1), [c, h, w])
    const bins = Array.from({ length: rows! * columns! }, (_, bin) => {
      const [y, height] = span(Math.floor(bin / columns!), rows!, top, bottom, h)
      const [z, width] = span(bin % columns!, columns!, left, right, w)
      return height > 0 && width > 0 ? amax(narrow(narrow(plane, 1, y, height), 2, z, width), [1, 2]) : full([c], 0, x.dtype, x.backend)
    })
    return reshape(stack(bins, 1), [1, c, rows!, columns!])
  })
  return ys.length > 0 ? concat(ys, 0) : full([0, c, rows!, columns!], 0, x.dtype, x.backend)
})

/** Halves away from 0. */
const roundAway = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5)

/** Operators on boxes by name. */
export const detection: Operators = { NonMaxSuppression: nonMaxSuppression, MaxRoiPool: regionMax }
