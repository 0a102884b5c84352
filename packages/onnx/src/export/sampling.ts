// Emitters of composites that read images and signals at other places: resizing, sampling by a grid, and margins.

import type { GridSampleParams, InterpolateParams, MarginParams } from '@bp/ops/extend'
import { Float } from './builder.ts'
import { type Emission, type Emitter, everyParams, fixedParams } from './emit.ts'
import { isFixed, sameSize, type Size } from './sizes.ts'

/** Which place in the input an element of the output comes from, as Resize names it. */
function placement({ mode, alignCorners, antialias }: InterpolateParams): Readonly<Record<string, string | Float | number>> {
  if (mode === 'nearest') return { mode, coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }
  if (mode === 'nearest-exact') return { mode: 'nearest', coordinate_transformation_mode: 'half_pixel', nearest_mode: 'round_prefer_ceil' }
  const cubic = mode === 'cubic' ? { cubic_coeff_a: new Float(antialias ? -0.5 : -0.75) } : {}
  return { mode, coordinate_transformation_mode: alignCorners ? 'align_corners' : 'half_pixel', ...cubic, ...antialias && { antialias: 1, exclude_outside: 1 } }
}

/** The scales of all axes where they stay the same at all sizes and give the result's sizes in float32, as runtimes compute them. */
function scalesOf(e: Emission): number[] | null {
  const all = everyParams<InterpolateParams>(e)
  const { scales } = all[0]!
  if (scales === null || all.some(p => p.scales?.join() !== scales.join())) return null
  const fits = scales.every((scale, i) => e.xs[0]!.sizes[i + 2]!.every((n, k) => Math.floor(Math.fround(n * Math.fround(scale))) === e.ys[0]!.sizes[i + 2]![k]))
  return fits ? [1, 1, ...scales] : null
}

/** Other spatial sizes, by whole sizes where elements are placed by them, else by scales. */
export const interpolate: Emitter = (b, e) => {
  const [p] = everyParams<InterpolateParams>(e) as [InterpolateParams]
  const [x, to] = [e.xs[0]!.sizes, e.ys[0]!.sizes]
  const unfit = (p.antialias && b.opset < 18) || (p.mode === 'cubic' && x.length !== 4) || (p.mode === 'linear' && x.length > 5)
  if (unfit || !e.xs[0]!.dtype.startsWith('float')) return null
  if (p.scales === null || p.alignCorners) return b.add('Resize', [e.inputs[0]!, '', '', b.dims.list(to, e.where)], placement(p))
  const scales = scalesOf(e)
  return scales && b.add('Resize', [e.inputs[0]!, '', b.constant('float32', [scales.length], Float32Array.from(scales))], placement(p))
}

/** x at the places of a grid, of any rank since operator set 20. */
export const gridSample: Emitter = (b, e) => {
  const { mode, paddingMode, alignCorners } = fixedParams<GridSampleParams>(e)
  const rank = e.xs[0]!.sizes.length
  if (b.opset < 16 || rank !== 4 && !(rank === 5 && b.opset >= 20 && mode !== 'bicubic')) return null
  const name = b.opset < 20 ? mode : { bilinear: 'linear', nearest: 'nearest', bicubic: 'cubic' }[mode]
  return b.add('GridSample', e.inputs, { mode: name, padding_mode: paddingMode, align_corners: Number(alignCorners) })
}

const modes = { constant: 'constant', reflect: 'reflect', edge: 'edge', circular: 'wrap' } as const

/** A margin; one that begins again at the other end only since operator set 19. Runtimes crop in the mode constant alone. */
export const margin: Emitter = (b, e) => {
  const all = everyParams<MarginParams>(e)
  const { mode, value } = all[0]!
  const widths = ([0, 1] as const).flatMap(side => all[0]!.widths.map((_, i): Size => all.map(p => p.widths[i]![side])))
  const crops = widths.some(size => size.some(n => n < 0))
  const { dtype, sizes } = e.xs[0]!
  if (dtype === 'bool' || mode === 'circular' && b.opset < 19 || crops && mode !== 'constant') return null
  if (widths.every(size => size.every(n => n === 0)) && sizes.every((size, i) => sameSize(size, e.ys[0]!.sizes[i]!))) return e.inputs[0]!
  const pads = widths.every(isFixed) ? b.list(widths.map(([n]) => n!)) : b.dims.list(widths, e.where)
  return b.add('Pad', [e.inputs[0]!, pads, ...mode === 'constant' ? [b.scalar(value, dtype)] : []], { mode: modes[mode] })
}
