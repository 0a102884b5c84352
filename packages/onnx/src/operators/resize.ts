// Resize and Upsample: other sizes along any axes, by weights that the specification gives place by place.

import { type Tensor, tensor } from '@bp/core'
import { fail, isFloat, normaliseAxis } from '@bp/core/extend'
import { cast, clamp, interpolate, type InterpolateMode, logicalOr, reshape, select } from '@bp/ops'
import { cubic, pick, resample, type Taps } from '@bp/ops/extend'
import type { Attributes } from '../import/attributes.ts'
import { entries } from '../import/budget.ts'
import { unsupported } from '../import/errors.ts'
import type { ModelNode } from '../import/load.ts'
import { elementTypeOf, toNumbers, toTensor, type Value } from '../import/value.ts'
import { rangeOf } from '../proto/elementType.ts'
import { only, onValues, type Operator, type Operators } from './operator.ts'

/** How one axis is resized: from n entries to m, by a factor that may not divide them evenly, over a part of it. */
interface Axis {
  readonly axis: number
  readonly n: number
  readonly m: number
  readonly scale: number
  /** n times the scale: the output's size before it is rounded down to m. PyTorch means the size itself. */
  readonly width: number
  readonly roi: readonly [number, number]
}

/** Where in the input the entries of the output lie, by the name of `coordinate_transformation_mode`. */
const transformations: Readonly<Record<string, (i: number, a: Axis) => number>> = {
  half_pixel: (i, { scale }) => (i + 0.5) / scale - 0.5,
  half_pixel_symmetric: (i, { n, m, scale, width }) => n / 2 * (1 - m / width) + (i + 0.5) / scale - 0.5,
  pytorch_half_pixel: (i, { m, scale }) => m > 1 ? (i + 0.5) / scale - 0.5 : 0,
  tf_half_pixel_for_nn: (i, { scale }) => (i + 0.5) / scale,
  align_corners: (i, { n, width }) => width === 1 ? 0 : i * (n - 1) / (width - 1),
  asymmetric: (i, { scale }) => i / scale,
  tf_crop_and_resize: (i, { n, width, roi: [start, end] }) => width === 1 ? (start + end) * (n - 1) / 2 : i * (end - start) * (n - 1) / (width - 1) + start * (n - 1),
}

/** The whole place nearest to one between, by the name of `nearest_mode`. */
const roundings: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: x => Math.ceil(x - 0.5), round_prefer_ceil: x => Math.floor(x + 0.5), floor: Math.floor, ceil: Math.ceil,
}

/** What the attributes of Resize ask for. */
interface Weighting {
  readonly mode: string
  readonly transform: (i: number, a: Axis) => number
  readonly rounding: (x: number) => number
  readonly a: number
  readonly excludeOutside: boolean
  readonly antialias: boolean
}

/** Operator set 10 and Upsample had one transformation and one way to round. */
function weightingOf(attributes: Attributes, node: ModelNode): Weighting {
  const plain = node.operator === 'Upsample' || node.opset < 11
  const mode = attributes.string('mode', 'nearest')
  only(node, 'mode', mode, 'nearest', 'linear', ...plain ? [] : ['cubic'])
  const coordinates = plain ? 'asymmetric' : attributes.string('coordinate_transformation_mode', 'half_pixel')
  const nearest = plain ? 'floor' : attributes.string('nearest_mode', 'round_prefer_floor')
  only(node, 'coordinate_transformation_mode', coordinates, ...Object.keys(transformations))
  only(node, 'nearest_mode', nearest, ...Object.keys(roundings))
  return {
    mode, transform: transformations[coordinates]!, rounding: roundings[nearest]!, a: attributes.float('cubic_coeff_a', -0.75),
    excludeOutside: attributes.int('exclude_outside', 0) !== 0, antialias: attributes.int('antialias', 0) !== 0,
  }
}

/** The neighbours of each place and their weights; what lies outside repeats the ends, or does not count. */
function taps({ mode, a, excludeOutside, antialias }: Weighting, { n, scale }: Axis, at: readonly number[]): Taps {
  const reach = mode === 'cubic' ? 2 : 1
  const shrink = antialias ? Math.min(scale, 1) : 1
  const most = Math.ceil(reach / shrink)
  entries('Resize', 2 * most * Math.max(1, at.length))
  const around = Array.from({ length: 2 * most }, (_, i) => i + 1 - most)
  const kernel = (r: number): number => mode === 'cubic' ? cubic(r, a) : Math.max(0, 1 - Math.abs(r))
  const rows = at.map(x => {
    const base = Math.floor(x)
    const raw = around.map(j => excludeOutside && (base + j < 0 || base + j >= n) ? 0 : kernel((x - base - j) * shrink))
    const total = antialias || excludeOutside ? raw.reduce((sum, w) => sum + w, 0) : 1
    return { places: around.map(j => Math.min(n - 1, Math.max(0, base + j))), weights: raw.map(w => w / total) }
  })
  return { places: rows.map(row => row.places), weights: rows.map(row => row.weights) }
}

function along(x: Tensor, a: Axis, weighting: Weighting): Tensor {
  const at = Array.from({ length: entries('Resize', a.m) }, (_, i) => weighting.transform(i, a))
  // whole places are met in float32, as the scales are: 3/0.6 is 5
  if (weighting.mode === 'nearest') return pick(x, a.axis, at.map(Math.fround).map(place => Math.min(a.n - 1, Math.max(0, weighting.rounding(place)))))
  return resample(x, a.axis, taps(weighting, a, at))
}

/** The part of the result along one axis that lies outside the input, as bool laid along that axis. */
function outside(x: Tensor, a: Axis, { transform }: Weighting): Tensor | null {
  const flags = Array.from({ length: entries('Resize', a.m) }, (_, i) => transform(i, a)).map(place => place < 0 || place > a.n - 1)
  return flags.includes(true) ? reshape(tensor(flags, { backend: x.backend }), x.shape.map((_, i) => i === a.axis ? a.m : 1)) : null
}

/** The numbers of an input; `null` where it is left out or empty. */
const numbersOf = (value: Value | undefined): number[] | null => value && value.shape[0] !== 0 ? toNumbers(value) : null

/** The axes to resize, with their scales and sizes; in operator set 10 the second input holds the scales. */
function axesOf(inputs: readonly (Value | undefined)[], attributes: Attributes, node: ModelNode): Axis[] {
  const { shape } = inputs[0]!
  const early = node.operator === 'Upsample' || node.opset < 11
  const axes = (attributes.ints('axes') ?? shape.map((_, i) => i)).map(axis => normaliseAxis(node.operator, axis, shape.length))
  const roi = early ? null : numbersOf(inputs[1])
  const scales = attributes.floats('scales') ?? numbersOf(inputs[early ? 1 : 2])
  const sizes = early ? null : numbersOf(inputs[3])
  if ((scales === null) === (sizes === null)) fail('data', node.operator, 'it needs either scales or sizes. The file is damaged')
  for (const [name, list, count] of [['scales', scales, 1], ['sizes', sizes, 1], ['roi', roi, 2]] as const) {
    if (list && list.length !== count * axes.length) fail('shape', node.operator, `${name} has ${list.length} entries for ${axes.length} axes`)
  }
  const wanted = sizes ? kept(axes.map(axis => shape[axis]!), sizes, attributes, node) : null
  return axes.map((axis, i): Axis => {
    const n = shape[axis]!
    const scale = wanted ? wanted.scales[i]! : scales![i]!
    // scales are float32, and so is the product: 10 · 0.7 are 7
    const m = wanted ? wanted.sizes[i]! : Math.floor(Math.fround(n * scale))
    if (!(scale > 0 && Number.isFinite(scale) && Number.isInteger(m))) fail('value', node.operator, `axis ${axis} of size ${n} cannot be resized by ${scale}`)
    return { axis, n, m, scale, width: wanted?.exact || node.producer === 'pytorch' ? m : n * scale, roi: roi ? [roi[i]!, roi[i + axes.length]!] : [0, 1] }
  })
}

/** Sizes as they are asked for, or the nearest ones of the same proportions as before. */
function kept(from: readonly number[], sizes: readonly number[], attributes: Attributes, node: ModelNode): { readonly sizes: readonly number[]; readonly scales: readonly number[]; readonly exact: boolean } {
  const policy = attributes.string('keep_aspect_ratio_policy', 'stretch')
  only(node, 'keep_aspect_ratio_policy', policy, 'stretch', 'not_larger', 'not_smaller')
  const scales = from.map((n, i) => sizes[i]! / n)
  if (policy === 'stretch') return { sizes, scales, exact: true }
  const scale = policy === 'not_larger' ? Math.min(...scales) : Math.max(...scales)
  return { sizes: from.map(n => Math.floor(scale * n + 0.5)), scales: from.map(() => scale), exact: false }
}

const linear: Readonly<Record<number, InterpolateMode>> = { 3: 'linear', 4: 'bilinear', 5: 'trilinear' }

/** The mode of `interpolate` that means the same, with whether corners are aligned; `null` where none does. */
function modeOf(rank: number, attributes: Attributes, node: ModelNode): readonly [mode: InterpolateMode, alignCorners: boolean] | null {
  const plain = node.operator === 'Upsample' || node.opset < 11
  const mode = attributes.string('mode', 'nearest')
  const coordinates = plain ? 'asymmetric' : attributes.string('coordinate_transformation_mode', 'half_pixel')
  if (mode === 'nearest') return coordinates === 'asymmetric' && (plain || attributes.string('nearest_mode', 'round_prefer_floor') === 'floor') ? ['nearest', false] : null
  if (attributes.int('exclude_outside', 0) !== 0 || attributes.int('antialias', 0) !== 0 || !['half_pixel', 'pytorch_half_pixel', 'align_corners'].includes(coordinates)) return null
  const kind = mode === 'linear' ? linear[rank] : rank === 4 && attributes.float('cubic_coeff_a', -0.75) === -0.75 ? 'bicubic' : undefined
  return kind ? [kind, coordinates === 'align_corners'] : null
}

/** Images and signals as `interpolate` resizes them, which is one op to differentiate and to export; `null` for what it cannot. */
function interpolated(x: Tensor, axes: readonly Axis[], attributes: Attributes, node: ModelNode): Tensor | null {
  const how = isFloat(x.dtype) && axes.length === x.rank && x.rank > 2 ? modeOf(x.rank, attributes, node) : null
  const [batch, channels, ...spatial] = axes as [Axis, Axis, ...Axis[]]
  if (!how || [batch, channels].some(({ n, m, scale }) => n !== m || scale !== 1) || spatial.some(({ n, m }) => n === 0 || m === 0)) return null
  const [mode, alignCorners] = how
  const bySizes = spatial.every(({ n, m, scale }) => scale === m / n)
  // corners are aligned by whole sizes, PyTorch's half pixels differ where one entry is left, and rounding to a neighbour is safe for whole factors alone
  const fits = alignCorners ? spatial.every(({ m, width }) => width === m) : spatial.every(({ m }) => m > 1) && (mode !== 'nearest' || spatial.every(({ n, m, scale }) => m === n * scale && Number.isInteger(scale)))
  if (!fits || (!bySizes && spatial.some(({ n, m, scale }) => Math.floor(n * scale) !== m))) return null
  for (const { m } of spatial) entries('Resize', (mode === 'bicubic' ? 4 : 2) * m)
  return interpolate(x, { mode, alignCorners, ...bySizes ? { size: spatial.map(({ m }) => m) } : { scaleFactor: spatial.map(({ scale }) => scale) } })
}

/**
 * Resizes axes one after the other. Weights outside the input repeat its ends, except that `tf_crop_and_resize` puts
 * `extrapolation_value` wherever a place lies outside.
 */
const resize: Operator = onValues(1, (inputs, attributes, node) => {
  const given = toTensor(inputs[0]!)
  if (node.opset < 7) return unsupported(node.operator, `version ${node.opset}`)
  const weighting = weightingOf(attributes, node)
  const x = weighting.mode === 'nearest' || isFloat(given.dtype) ? given : cast(given, 'float64')
  const bare = node.operator === 'Upsample' || attributes.string('coordinate_transformation_mode', '') !== 'tf_crop_and_resize'
  const all = axesOf(inputs, attributes, node)
  const whole = interpolated(x, all, attributes, node)
  if (whole && x === given) return whole
  const axes = all.filter(({ n, m, scale }) => !bare || n !== m || scale !== 1)
  const y = axes.reduce((z, a) => along(z, a, weighting), x)
  const masks = bare ? [] : axes.map(a => outside(y, a, weighting)).filter(mask => mask !== null)
  const value = cast(tensor(attributes.float('extrapolation_value', 0), { backend: y.backend }), y.dtype)
  const z = masks.length === 0 ? y : select(masks.reduce((a, b) => logicalOr(a, b)), value, y)
  // cubic weights reach beyond the numbers of the input, where a whole type may end
  return x === given ? z : cast(clamp(z, ...rangeOf(elementTypeOf(inputs[0]!))), given.dtype)
})

/** Resizing by name. */
export const resizing: Operators = { Resize: resize, Upsample: resize }
