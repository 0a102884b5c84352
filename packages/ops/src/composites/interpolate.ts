// Interpolation: images and signals to other sizes, by nearest, linear, cubic or area weights.

import type { Tensor } from '@bp/core'
import { bind, defineComposite, describe, fail } from '@bp/core/extend'
import { adaptiveAvgPool } from './adaptivePool.ts'
import { pick, resample, type Taps } from './resample.ts'
import { type PerAxis, perAxis } from './spatial.ts'

/** How {@link interpolate} weighs; `linear`, `bilinear` and `trilinear` are for one, two and three spatial axes, `bicubic` is for two. */
export type InterpolateMode = 'nearest' | 'nearest-exact' | 'linear' | 'bilinear' | 'trilinear' | 'bicubic' | 'area'

/** Options of {@link interpolate}. */
export interface InterpolateOptions {
  /** The spatial sizes to come to; else give `scaleFactor`. */
  readonly size?: PerAxis | undefined
  /** What the spatial sizes are multiplied by, and rounded down. */
  readonly scaleFactor?: PerAxis | undefined
  /** `nearest` unless given. */
  readonly mode?: InterpolateMode
  /** Whether the centres of the corner elements, not their outer edges, stay in place; for the linear and cubic modes. */
  readonly alignCorners?: boolean
  /** Whether elements are placed by the whole sizes that come out, not by `scaleFactor` itself. */
  readonly recomputeScaleFactor?: boolean
  /** Widens the weights when shrinking, so that all elements count; for `bilinear` and `bicubic`. */
  readonly antialias?: boolean
}

/** The parameters of `interpolate`. */
export interface InterpolateParams {
  readonly mode: 'nearest' | 'nearest-exact' | 'linear' | 'cubic'
  /** The spatial sizes to come to. */
  readonly sizes: readonly number[]
  /** How far apart in the input the elements of the output lie, where corners are not aligned. */
  readonly steps: readonly number[]
  /** What the spatial sizes were multiplied by; `null` where the elements are placed by the whole sizes. */
  readonly scales: readonly number[] | null
  readonly alignCorners: boolean
  readonly antialias: boolean
}

/** y: each element by the weights of its mode of those around its place in x */
export const interpolateRow = /* @__PURE__ */ defineComposite({
  name: 'interpolate', arity: 1, fuse: 'opaque',
  decompose: ([x], p: InterpolateParams) => p.sizes.reduce((y, m, i) => alongAxis(y, i + 2, m, p.steps[i]!, p), x),
})

const axesOfMode: Readonly<Partial<Record<InterpolateMode, number>>> = { linear: 1, bilinear: 2, trilinear: 3, bicubic: 2 }

/**
 * x: [n, c, …] with other spatial sizes, as `torch.nn.functional.interpolate`: linear in x. Throws where the mode is not for
 * that many axes.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { interpolate } from '@bp/ops'
 * interpolate(tensor([[[1, 2]]]), { scaleFactor: 2 }) // => tensor([[[1, 1, 2, 2]]], float32)
 * interpolate(tensor([[[1, 3]]]), { size: 4, mode: 'linear' }) // => tensor([[[1, 1.5, 2.5, 3]]], float32)
 * ```
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  const { mode = 'nearest', alignCorners = false, antialias = false } = options
  const axes = x.rank - 2
  if (axes < 1) fail('shape', 'interpolate', `needs [n, c, …] with at least one spatial axis, got ${describe(x)}`)
  const only = axesOfMode[mode] ?? axes
  if (only !== axes) fail('value', 'interpolate', `mode ${mode} is for ${only} spatial axes, got ${describe(x)}. Use ${['linear', 'bilinear', 'trilinear'][axes - 1] ?? 'nearest'}`)
  if (alignCorners && !Object.hasOwn(axesOfMode, mode)) fail('value', 'interpolate', `alignCorners is for the linear and cubic modes, not for ${mode}`)
  if (antialias && mode !== 'bilinear' && mode !== 'bicubic') fail('value', 'interpolate', `antialias is for the modes bilinear and bicubic, not for ${mode}`)
  const from = x.shape.slice(2)
  const { sizes, steps, scales } = plan(from, options)
  if (from.includes(0)) fail('shape', 'interpolate', `the spatial axes of ${describe(x)} are empty`)
  if (mode === 'area') return adaptiveAvgPool(x, sizes)
  const kind = mode === 'nearest' || mode === 'nearest-exact' ? mode : mode === 'bicubic' ? 'cubic' : 'linear'
  return bind(interpolateRow, [x], { mode: kind, sizes, steps, scales, alignCorners, antialias })
}

/** One axis with m entries. */
function alongAxis(x: Tensor, axis: number, m: number, given: number, { mode, alignCorners, antialias }: InterpolateParams): Tensor {
  const n = x.shape[axis]!
  const step = alignCorners ? m > 1 ? (n - 1) / (m - 1) : 0 : given
  if (mode === 'nearest' || mode === 'nearest-exact') return pick(x, axis, nearest(n, m, step, mode === 'nearest' ? 0 : 0.5))
  const reach = mode === 'cubic' ? 2 : 1
  if (antialias) return resample(x, axis, smoothed(n, m, step, reach, reach === 2 ? x => cubic(x, -0.5) : triangle))
  const at = Array.from({ length: m }, (_, j) => alignCorners ? j * step : (j + 0.5) * step - 0.5)
  return resample(x, axis, reach === 2 ? cubicTaps(n, at, -0.75) : linearTaps(n, at))
}

/** The spatial sizes to come to, and how far apart in the input the elements of the output lie. */
function plan(from: readonly number[], { size, scaleFactor, recomputeScaleFactor = false }: InterpolateOptions): Pick<InterpolateParams, 'sizes' | 'steps' | 'scales'> {
  if ((size === undefined) === (scaleFactor === undefined)) fail('value', 'interpolate', 'needs either size or scaleFactor')
  if (scaleFactor === undefined) {
    if (recomputeScaleFactor) fail('value', 'interpolate', 'recomputeScaleFactor needs a scaleFactor')
    const sizes = perAxis('interpolate', 'size', size!, from.length, 1)
    return { sizes, steps: sizes.map((m, i) => from[i]! / m), scales: null }
  }
  const scales = typeof scaleFactor === 'number' ? from.map(() => scaleFactor) : scaleFactor
  if (scales.length !== from.length || !scales.every(s => s > 0 && s < Infinity)) fail('value', 'interpolate', `scaleFactor needs one positive number or ${from.length}, got [${scales.join(',')}]`)
  const sizes = from.map((n, i) => Math.floor(n * scales[i]!))
  if (sizes.some((m, i) => m < 1 && from[i]! > 0)) fail('value', 'interpolate', `scaleFactor [${scales.join(',')}] leaves nothing of the spatial sizes [${from.join(',')}]`)
  return recomputeScaleFactor ? { sizes, steps: sizes.map((m, i) => from[i]! / m), scales: null } : { sizes, steps: scales.map(scale => 1 / scale), scales }
}

/** ⌊(i + shift)·step⌋, the product rounded to float32 so that rounding in the step cannot move it over a whole number. */
const nearest = (n: number, m: number, step: number, shift: number): number[] =>
  Array.from({ length: m }, (_, i) => Math.min(n - 1, Math.floor(Math.fround((i + shift) * step))))

const held = (at: number, n: number): number => Math.min(n - 1, Math.max(0, at))

/** Linear weights of the two neighbours of each place of an axis of n entries; places outside are moved to its ends. */
function linearTaps(n: number, at: readonly number[]): Taps {
  const inside = at.map(x => held(x, n))
  return {
    places: inside.map(x => [Math.floor(x), held(Math.floor(x) + 1, n)]),
    weights: inside.map(x => [1 - (x - Math.floor(x)), x - Math.floor(x)]),
  }
}

/** Cubic weights (Keys 1981, "Cubic Convolution Interpolation", eq. 15 for a = −1/2) of the four neighbours of each place; the ends are repeated. */
function cubicTaps(n: number, at: readonly number[], a: number): Taps {
  const around = [-1, 0, 1, 2]
  return {
    places: at.map(x => around.map(j => held(Math.floor(x) + j, n))),
    weights: at.map(x => around.map(j => cubic(x - Math.floor(x) - j, a))),
  }
}

const triangle = (x: number): number => Math.max(0, 1 - Math.abs(x))

/** Keys' kernel: (a + 2)|x|³ − (a + 3)|x|² + 1 up to 1, a(|x|³ − 5|x|² + 8|x| − 4) up to 2, else 0. */
export function cubic(x: number, a: number): number {
  const r = Math.abs(x)
  if (r <= 1) return ((a + 2) * r - (a + 3)) * r * r + 1
  return r < 2 ? (((r - 5) * r + 8) * r - 4) * a : 0
}

/** A kernel laid over the element centres around each output element, stretched by the step where that is above 1, as weights of sum 1. */
function smoothed(n: number, m: number, step: number, reach: number, kernel: (x: number) => number): Taps {
  const stretch = Math.max(1, step)
  const rows = Array.from({ length: m }, (_, i) => {
    const centre = (i + 0.5) * step
    const first = Math.max(0, Math.trunc(centre - reach * stretch + 0.5))
    const end = Math.min(n, Math.trunc(centre + reach * stretch + 0.5))
    const places = Array.from({ length: end - first }, (_, j) => first + j)
    const raw = places.map(place => kernel((place - centre + 0.5) / stretch))
    const total = raw.reduce((a, b) => a + b, 0)
    return { places, weights: raw.map(w => w / total) }
  })
  return { places: rows.map(row => row.places), weights: rows.map(row => row.weights) }
}
