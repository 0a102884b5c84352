// Matrix products by tiles: a fragment computes up to 8 rows by 4 columns, a row in each render target.

import type { Kernel } from '@bp/core/extend'
import { sizeOf } from '@bp/core/extend'
import type { DotParams } from '@bp/ops/extend'
import type { Device } from '../../device/device.ts'
import type { Value } from '../../device/storage.ts'
import { withHelpers } from '../../glsl/helpers.ts'
import { fragmentsOf, groupsOf, tiled, type Tiling } from './gather.ts'
import { alignedRows, letGo } from './rows.ts'
import { sampling, sides } from './sampling.ts'
import { partsFor, rowTileFor } from './tiles.ts'

/** The tiled product; for floats, and sizes above 0. */
export const tiledDot = (device: Device): Kernel<Value, DotParams> => ([a, b], { ta, tb }, out) => {
  const [m, n] = out.shape.slice(-2) as [number, number]
  const k = a!.shape.at(ta ? -2 : -1)!
  const rowTile = rowTileFor(m, device.mostTargets, ta)
  const whole: Tiling = { outer: sizeOf(out.shape.slice(0, -2)), rows: m, mid: 1, columns: n, rowTile, columnTile: 1, parts: 1 }
  const steps = Math.floor(k / 4)
  const chunk = Math.max(1, Math.ceil(steps / partsFor(fragmentsOf(whole), steps)))
  const tiling = { ...whole, parts: Math.max(1, Math.ceil(steps / chunk)) }
  const [rowGroups, columnGroups] = groupsOf(tiling)
  const left = alignedRows(device, a!.storage, ta ? m : k)
  const right = alignedRows(device, b!.storage, tb ? k : n)
  const [leftRow, rightRow] = [Math.ceil((ta ? m : k) / 4), Math.ceil((tb ? k : n) / 4)]
  const pass = device.pass(`dot ${rowTile} ${ta} ${tb} ${k % 4} ${tiling.parts > 1}`, () => ({
    inputs: 2, outputs: rowTile, ints: 10, floats: 0, code: withHelpers(code(rowTile, ta, tb, k % 4, tiling.parts > 1)),
  }))
  const value = tiled(device, tiling, out, targets => {
    device.launch(pass, targets, [left.texture, right.texture], [rowGroups, columnGroups, steps, leftRow, rightRow, leftRow * (ta ? k : m), rightRow * (tb ? n : k), chunk, tiling.outer])
  })
  letGo(device, [left, right])
  return value
}

const lanes = 'xyzw'

/** GLSL of the pass; `rest` is how many of k are left after steps of four. */
function code(rowTile: number, ta: boolean, tb: boolean, rest: number, summed: boolean): string {
  const list = (count: number, f: (i: number) => string): string => Array.from({ length: count }, (_, i) => f(i)).join(' ')
  const rows = (f: (r: number) => string): string => list(rowTile, f)
  const step = (width: number): string => {
    const loadLeft = ta
      ? list(width, l => list(Math.ceil(rowTile / 4), u => `vec4 a${l}_${u} = load0(a + (4 * k + ${l}) * p[4] + ${u});`))
      : rows(r => `vec4 a${r} = load0(a + ${r} * p[4] + k);`)
    const loadRight = tb
      ? `${list(4, c => `vec4 t${c} = load1(b + ${c} * p[5] + k);`)} ${list(width, l => `vec4 b${l} = vec4(t0.${lanes[l]!}, t1.${lanes[l]!}, t2.${lanes[l]!}, t3.${lanes[l]!});`)}`
      : list(width, l => `vec4 b${l} = load1(b + (4 * k + ${l}) * p[5]);`)
    const left = (r: number, l: number): string => ta ? `a${l}_${r >> 2}.${lanes[r & 3]!}` : `a${r}.${lanes[l]!}`
    return `${loadLeft}\n${loadRight}\n${rows(r => `y${r} += ${Array.from({ length: width }, (_, l) => `${left(r, l)} * b${l}`).join(' + ')};`)}`
  }
  return `${sampling(2)}vec4 compute() {
  ${sides(2)}
  int f = texel(), g = quotient(f, p[2]), j = f - g * p[2], s = quotient(g, p[1]), i = g - s * p[1];
  ${summed ? 'int part = quotient(s, p[9]); s -= part * p[9];' : ''}
  int a = s * p[6] + i * ${ta ? rowTile >> 2 : `${rowTile} * p[4]`}, b = s * p[7] + j${tb ? ' * 4 * p[5]' : ''};
  ${rows(r => `vec4 y${r} = vec4(0.0);`)}
  int end = ${summed ? 'min(p[3], (part + 1) * p[8])' : 'p[3]'};
  for (int k = ${summed ? 'part * p[8]' : '0'}; k < end; k++) {
    ${step(4)}
  }
  ${rest === 0 ? '' : `${summed ? 'if (end == p[3])' : ''} { int k = p[3]; ${step(rest)} }`}
  ${list(rowTile - 1, r => `r${r + 1} = y${r + 1};`)}
  return y0;
}`
}
