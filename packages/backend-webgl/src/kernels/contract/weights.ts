// The weights of a convolution laid out for its fragments: of each tap the output channels of a fragment side by side.

import type { Device } from '../../device/device.ts'
import type { Value } from '../../device/storage.ts'
import { withHelpers } from '../../glsl/helpers.ts'
import type { Source } from './rows.ts'
import type { Space } from './space.ts'

/** How weights are read: by strides of groups, output channels and summed channels, and then taps. */
export interface Weights {
  readonly groups: number
  /** Output channels of a group; each of them has the phases of the space. */
  readonly channels: number
  readonly summed: number
  readonly strides: readonly [group: number, channel: number, summed: number]
}

/** Texels of one summed channel and one row of taps, for the output channels of a fragment. */
export const weightTexels = (rowTile: number, kernel: number): number => Math.ceil(rowTile * kernel / 4)

/** Lays weights out as [groups, ⌈channels · phases / rowTile⌉, summed, rows of taps, taps of a row, rowTile], each row of taps in whole texels. */
export function packedWeights(device: Device, w: Value, { groups, channels, summed, strides }: Weights, { axes, last, leadTaps, phases }: Space, rowTile: number): Source {
  const texels = weightTexels(rowTile, last.kernel)
  const rowGroups = Math.ceil(channels * phases / rowTile)
  const from = device.textureOf(w)
  const texture = device.scratch(groups * rowGroups * summed * leadTaps * texels)
  const pass = device.pass(`weights ${axes.length} ${rowTile} ${last.kernel} ${phases > 1}`, () => ({
    inputs: 1, outputs: 1, ints: 8 + 5 * axes.length, floats: 0, code: withHelpers(code(axes.length, rowTile, last.kernel, phases > 1)),
  }))
  device.launch(pass, [texture], [from], [leadTaps, summed, channels * phases, rowGroups, ...strides, ...axes.flatMap(({ kernel, weights, first, step, phases: count }) => [kernel, weights, first, step, count])])
  return { texture, passing: true }
}

function code(rank: number, rowTile: number, kernel: number, phased: boolean): string {
  const of = (axis: number, field: number): string => `p[${8 + 5 * axis + field}]`
  const axes = Array.from({ length: rank }, (_, i) => rank - 1 - i)
  const tap = (axis: number): string => axis === rank - 1 ? 'int u = tap;' : `int next = quotient(row, ${of(axis, 0)}), u = row - next * ${of(axis, 0)}; row = next;`
  const phase = (axis: number): string => phased ? `int above = quotient(channel, ${of(axis, 4)}), f = channel - above * ${of(axis, 4)}; channel = above;` : 'const int f = 0;'
  return `float at(int base, int channel, int row, int i) {
  int tap = i / ${rowTile};
  channel += i - tap * ${rowTile};
  bool there = tap < ${kernel} && channel < p[3];
  int step = 1;
  ${axes.map(axis => `{ ${tap(axis)} ${phase(axis)} int k = ${of(axis, 2)} + f - ${of(axis, 3)} * u; there = there && k >= 0 && k < ${of(axis, 1)}; base += k * step; step *= ${of(axis, 1)}; }`).join('\n')}
  return there ? elem0(base + channel * p[6]) : 0.0;
}
vec4 compute() {
  int t = texel(), a = quotient(t, ${weightTexels(rowTile, kernel)}), i = (t - a * ${weightTexels(rowTile, kernel)}) * 4;
  int b = quotient(a, p[1]), row = a - b * p[1];
  int d = quotient(b, p[2]), s = b - d * p[2];
  int g = quotient(d, p[4]), channel = (d - g * p[4]) * ${rowTile};
  int base = g * p[5] + s * p[7];
  return vec4(at(base, channel, row, i), at(base, channel, row, i + 1), at(base, channel, row, i + 2), at(base, channel, row, i + 3));
}`
}
