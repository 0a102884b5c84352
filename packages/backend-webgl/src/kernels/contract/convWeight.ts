// The gradient of a convolution's weights by tiles: a fragment sums the taps of a row for several output channels over outputs.

import type { Kernel } from '@bp/core/extend'
import type { ConvWeightParams } from '@bp/ops/extend'
import type { Device } from '../../device/device.ts'
import type { Value } from '../../device/storage.ts'
import { withHelpers } from '../../glsl/helpers.ts'
import { fragmentsOf, groupsOf, tiled, type Tiling } from './gather.ts'
import { padded } from './padded.ts'
import { alignedRows, letGo } from './rows.ts'
import { sampling, sides } from './sampling.ts'
import { forwardSpace, Taps } from './space.ts'
import { partsFor, rowTileFor } from './tiles.ts'

/** The tiled transpose of convolution by its weights; for floats, and sizes above 0. */
export const tiledConvWeight = (device: Device): Kernel<Value, ConvWeightParams> => ([x, y], p, out) => {
  const space = forwardSpace(x!.shape, out.shape, y!.shape, p)
  const { last, lead, leadTaps, leadOuts } = space
  const [n, summed, channels] = [x!.shape[0]!, out.shape[1]!, out.shape[0]! / p.groups]
  // of a kernel of one tap the lanes are input channels
  const crossed = last.kernel === 1 && leadTaps === 1
  const columnTile = crossed ? 1 : Math.ceil(last.kernel / 4)
  const rowTile = rowTileFor(channels, Math.floor(device.mostTargets / columnTile), false)
  const whole: Tiling = { outer: p.groups, rows: channels, mid: crossed ? 1 : summed * leadTaps, columns: crossed ? summed : last.kernel, rowTile, columnTile, parts: 1 }
  const outTexels = Math.ceil(last.out / 4)
  const rowsSummed = n * leadOuts
  const chunk = Math.ceil(rowsSummed / partsFor(fragmentsOf(whole), rowsSummed * outTexels))
  const tiling = { ...whole, parts: Math.ceil(rowsSummed / chunk) }
  const [rowGroups, columnGroups] = groupsOf(tiling)
  const left = padded(device, x!.storage, n * x!.shape[1]!, space, outTexels, last.out % 4 === 0)
  const right = alignedRows(device, y!.storage, last.out)
  const taps = new Taps(last, 1)
  const pass = device.pass(`convWeight ${lead.length} ${rowTile} ${crossed} ${taps.key}`, () => ({
    inputs: 2, outputs: rowTile * columnTile, ints: first + 4 * lead.length, floats: 0, code: withHelpers(code(lead.length, rowTile, columnTile, crossed, taps)),
  }))
  const value = tiled(device, tiling, out, targets => {
    device.launch(pass, targets, [left.source.texture, right.texture], [
      rowGroups, columnGroups, leadTaps, summed, p.groups, left.phaseTexels, left.rows * left.rowTexels, channels, leadOuts, outTexels, chunk, rowsSummed,
      ...lead.flatMap(({ out: size, kernel, stride, dilation }, i) => [size, kernel, stride * left.rowSteps[i]! * left.rowTexels, dilation * left.rowSteps[i]! * left.rowTexels]),
    ])
  })
  letGo(device, [left.source, right])
  return value
}

/** Where the numbers of leading axes begin. */
const first = 13

function code(lead: number, rowTile: number, columnTile: number, crossed: boolean, taps: Taps): string {
  const of = (axis: number, field: number): string => `p[${first + 4 * axis + field}]`
  const axes = Array.from({ length: lead }, (_, i) => lead - 1 - i)
  const list = (count: number, f: (i: number) => string): string => Array.from({ length: count }, (_, i) => f(i)).join(' ')
  const walk = (e: string, size: number, step: number): string => axes.map(i => `{ int rest = quotient(${e}, ${of(i, size)}); at += (${e} - rest * ${of(i, size)}) * ${of(i, step)}; ${e} = rest; }`).join(' ')
  const targets = rowTile * columnTile
  const planes = crossed ? list(4, c => `vec4 c${c} = load0(at${c > 0 ? ` + ${c} * p[7]` : ''} + q);`) : taps.declare('at + q', 'p[6]')
  const sums = list(targets, k => {
    const [r, u] = [Math.floor(k / columnTile), k % columnTile]
    const lanes = [0, 1, 2, 3].map(lane => {
      const tap = 4 * u + lane
      return crossed ? `dot(g${r}, c${lane})` : tap < taps.kernel ? `dot(g${r}, t${tap})` : '0.0'
    })
    return `y${k} += vec4(${lanes.join(', ')});\n`
  })
  return `${sampling(2)}vec4 compute() {
  ${sides(2)}
  int f = texel(), a = quotient(f, p[2]), j = f - a * p[2];
  ${crossed ? 'int m = 0, c = j * 4;' : 'int b = quotient(a, p[3] * p[4]), m = a - b * p[3] * p[4], c = quotient(m, p[3]); m -= c * p[3]; a = b;'}
  int d = quotient(a, p[1]), i = a - d * p[1], part = quotient(d, p[5]), s = d - part * p[5];
  int at = 0;
  ${walk('m', 1, 3)}
  int x = at + c * p[7];
  ${list(targets, k => `vec4 y${k} = vec4(0.0);`)}
  int end = min((part + 1) * p[11], p[12]);
  for (int row = part * p[11]; row < end; row++) {
    int n = quotient(row, p[9]), o = row - n * p[9], z = n * p[5] + s;
    int y = ((z * p[8] + i * ${rowTile}) * p[9] + o) * p[10];
    at = x + z * p[4] * p[7];
    ${walk('o', 0, 2)}
    for (int q = 0; q < p[10]; q++) {
      ${planes}
      ${crossed ? '' : list(taps.kernel, tap => `vec4 t${tap} = ${taps.texel(tap, 0)};`)}
      ${list(rowTile, r => `vec4 g${r} = load1(y + q${r > 0 ? ` + ${r} * p[9] * p[10]` : ''});`)}
      ${sums}
    }
  }
  ${list(targets - 1, k => `r${k + 1} = y${k + 1};`)}
  return y0;
}`
}
