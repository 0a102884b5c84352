// The weights of a convolution laid out for its fragments: of each tap the output channels of a fragment side by side.

import type { Device } from '../../device/device.ts'
import type { Value } from '../../device/storage.ts'
import { withHelpers } from '../../glsl/helpers.ts'
import type { Source } from './rows.ts'

/** How weights are read: [groups, channels, summed channels, taps], by strides but for the taps, which come last. */
export interface Weights {
  readonly groups: number
  readonly channels: number
  readonly summed: number
  readonly taps: number
  readonly strides: readonly [group: number, channel: number, summed: number]
  /** Taps backwards, as the transpose has them. */
  readonly turned: boolean
}

/** Texels of one summed channel and one row of taps, for the output channels of a fragment. */
export const weightTexels = (rowTile: number, kernel: number): number => Math.ceil(rowTile * kernel / 4)

/** Lays weights out as [groups, ⌈channels / rowTile⌉, summed, rows of taps, taps of a row, rowTile], each row of taps in whole texels. */
export function packedWeights(device: Device, w: Value, { groups, channels, summed, taps, strides, turned }: Weights, rowTile: number, kernel: number): Source {
  const texels = weightTexels(rowTile, kernel)
  const rowGroups = Math.ceil(channels / rowTile)
  const from = device.textureOf(w)
  const texture = device.scratch(groups * rowGroups * summed * (taps / kernel) * texels)
  const pass = device.pass(`weights ${rowTile} ${kernel} ${turned}`, () => ({
    inputs: 1, outputs: 1, ints: 9, floats: 0,
    code: withHelpers(`float at(int base, int channel, int row, int f) {
  int tap = f / ${rowTile}, r = f - tap * ${rowTile};
  int place = row * ${kernel} + tap;
  return tap < ${kernel} && channel + r < p[3] ? elem0(base + r * p[6] + ${turned ? 'p[8] - 1 - place' : 'place'}) : 0.0;
}
vec4 compute() {
  int t = texel(), a = quotient(t, ${texels}), f = (t - a * ${texels}) * 4;
  int b = quotient(a, p[1]), row = a - b * p[1];
  int d = quotient(b, p[2]), s = b - d * p[2];
  int g = quotient(d, p[4]), channel = (d - g * p[4]) * ${rowTile};
  int base = g * p[5] + channel * p[6] + s * p[7];
  return vec4(at(base, channel, row, f), at(base, channel, row, f + 1), at(base, channel, row, f + 2), at(base, channel, row, f + 3));
}`),
  }))
  device.launch(pass, [texture], [from], [taps / kernel, summed, channels, rowGroups, ...strides, taps])
  return { texture, passing: true }
}
