// Convolutions by tiles: a fragment computes several output channels of neighbouring outputs, a texel in each render target.

import { Aval, type Kernel, type Operand, sizeOf } from '@bp/core/extend'
import type { ConvGeometry, ConvInputParams } from '@bp/ops/extend'
import type { Device } from '../../device/device.ts'
import type { Value } from '../../device/storage.ts'
import { withHelpers } from '../../glsl/helpers.ts'
import { groupsOf, tiled, type Tiling } from './gather.ts'
import { interleave } from './interleave.ts'
import { padded } from './padded.ts'
import { letGo } from './rows.ts'
import { sampling, sides } from './sampling.ts'
import { forwardSpace, inputSpace, type Space, Taps } from './space.ts'
import { convTile } from './tiles.ts'
import { packedWeights, type Weights, weightTexels } from './weights.ts'

/** The tiled convolution; for floats, and sizes above 0. */
export const tiledConv = (device: Device): Kernel<Value, ConvGeometry> => ([x, w], p, out) => {
  const [channels, summed, taps] = [w!.shape[0]! / p.groups, w!.shape[1]!, sizeOf(w!.shape.slice(2))]
  return convolve(device, x!, w!, forwardSpace(x!.shape, w!.shape, out.shape, p), { groups: p.groups, channels, summed, strides: [channels * summed * taps, summed * taps, taps] }, out)
}

/** The tiled transpose of convolution by its input, likewise. */
export const tiledConvInput = (device: Device): Kernel<Value, ConvInputParams> => ([y, w], p, out) => {
  const [channels, summed, taps] = [w!.shape[1]!, w!.shape[0]! / p.groups, sizeOf(w!.shape.slice(2))]
  const space = inputSpace(out.shape, w!.shape, y!.shape, p)
  const weights = { groups: p.groups, channels, summed, strides: [channels * summed * taps, taps, channels * taps] } as const
  if (space.phases === 1) return convolve(device, y!, w!, space, weights, out)
  const apart = convolve(device, y!, w!, space, weights, new Aval([out.shape[0]!, out.shape[1]! * space.phases, ...space.axes.map(axis => axis.out)], out.dtype))
  const x = interleave(device, apart, space, out)
  device.discard(apart)
  return x
}

function convolve(device: Device, x: Operand<Value>, w: Operand<Value>, space: Space, weights: Weights, out: Aval): Value {
  const { last, lead } = space
  const { groups, summed } = weights
  const channels = weights.channels * space.phases
  const [rowTile, columnTile] = convTile(device.mostTargets, channels, last)
  const tiling: Tiling = { outer: out.shape[0]! * groups, rows: channels, mid: space.leadOuts, columns: last.out, rowTile, columnTile, parts: 1 }
  const [rowGroups, columnGroups] = groupsOf(tiling)
  const { source, phaseTexels, rowTexels, rowSteps, rows } = padded(device, x.storage, x.shape[0]! * x.shape[1]!, space, columnGroups * columnTile)
  const packed = packedWeights(device, w.storage, weights, space, rowTile)
  const taps = new Taps(last, columnTile)
  const pass = device.pass(`conv ${lead.length} ${rowTile} ${columnTile} ${taps.key}`, () => ({
    inputs: 2, outputs: rowTile * columnTile, ints: 9 + 4 * lead.length, floats: 0, code: withHelpers(code(lead.length, rowTile, columnTile, taps)),
  }))
  const value = tiled(device, tiling, out, targets => {
    device.launch(pass, targets, [source.texture, packed.texture], [
      rowGroups, space.leadOuts, columnGroups, summed, groups, phaseTexels, rows * rowTexels, summed * space.leadTaps * weightTexels(rowTile, last.kernel),
      ...lead.flatMap(({ out: size, kernel, stride, dilation }, i) => [size, kernel, stride * rowSteps[i]! * rowTexels, dilation * rowSteps[i]! * rowTexels]),
    ])
  })
  letGo(device, [source, packed])
  return value
}

function code(lead: number, rowTile: number, columnTile: number, taps: Taps): string {
  const of = (axis: number, field: number): string => `p[${9 + 4 * axis + field}]`
  const axes = Array.from({ length: lead }, (_, i) => i)
  const list = (count: number, f: (i: number) => string): string => Array.from({ length: count }, (_, i) => f(i)).join(' ')
  const targets = rowTile * columnTile
  const place = axes.toReversed().map(i => `{ int rest = quotient(m, ${of(i, 0)}); x += (m - rest * ${of(i, 0)}) * ${of(i, 2)}; m = rest; }`).join(' ')
  const weight = (tap: number, r: number): string => `w${tap * rowTile + r >> 2}.${'xyzw'[(tap * rowTile + r) & 3]!}`
  const sums = list(targets, k => {
    const [r, u] = [Math.floor(k / columnTile), k % columnTile]
    return `y${k} += ${Array.from({ length: taps.kernel }, (_, tap) => `${weight(tap, r)} * t${tap}_${u}`).join(' + ')};\n`
  })
  const shifted = list(taps.kernel, tap => list(columnTile, u => `vec4 t${tap}_${u} = ${taps.texel(tap, u)};`))
  return `${sampling(2)}vec4 compute() {
  ${sides(2)}
  int f = texel(), a = quotient(f, p[3]), j = f - a * p[3], b = quotient(a, p[2]), m = a - b * p[2], s = quotient(b, p[1]), i = b - s * p[1];
  int x = s * p[4] * p[7] + j * ${columnTile}, w = ((s - quotient(s, p[5]) * p[5]) * p[1] + i) * p[8];
  ${place}
  ${list(targets, k => `vec4 y${k} = vec4(0.0);`)}
  for (int c = 0; c < p[4]; c++) {
  int x0 = x + c * p[7];
  ${axes.map(i => `for (int k${i} = 0; k${i} < ${of(i, 1)}; k${i}++) { int x${i + 1} = x${i} + k${i} * ${of(i, 3)};`).join(' ')}
    ${taps.declare(`x${lead}`, 'p[6]')}
    ${shifted}
    ${list(weightTexels(rowTile, taps.kernel), v => `vec4 w${v} = load1(w + ${v});`)}
    ${sums}
    w += ${weightTexels(rowTile, taps.kernel)};
  ${'}'.repeat(lead)}
  }
  ${list(targets - 1, k => `r${k + 1} = y${k + 1};`)}
  return y0;
}`
}
