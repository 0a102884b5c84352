// Results from the render targets of a tiled pass: rows interleaved, padding cropped, parts of sums added.

import type { Aval } from '@bp/core/extend'
import type { Device } from '../../device/device.ts'
import { texelsOf } from '../../device/layout.ts'
import type { Value } from '../../device/storage.ts'
import type { Texture } from '../../device/texture.ts'
import { encode } from '../../glsl/body.ts'
import { withHelpers } from '../../glsl/helpers.ts'

/**
 * How a tiled pass cut a result of shape [outer, rows, mid, columns]. A fragment has `rowTile` rows and `columnTile` texels of columns,
 * one in each render target, rows first; fragments are counted by [part, outer, group of rows, mid, group of columns].
 */
export interface Tiling {
  readonly outer: number
  readonly rows: number
  readonly mid: number
  readonly columns: number
  readonly rowTile: number
  readonly columnTile: number
  /** Sums were cut into so many parts. */
  readonly parts: number
}

/** Groups of rows, and groups of texels of columns. */
export const groupsOf = ({ rows, columns, rowTile, columnTile }: Tiling): readonly [rows: number, columns: number] => [Math.ceil(rows / rowTile), Math.ceil(columns / 4 / columnTile)]

/** Fragments of a tiled pass. */
export function fragmentsOf(tiling: Tiling): number {
  const [rows, columns] = groupsOf(tiling)
  return tiling.parts * tiling.outer * rows * tiling.mid * columns
}

/** Runs a tiled pass: `run` launches it into as many targets as a fragment has texels. */
export function tiled(device: Device, tiling: Tiling, out: Aval, run: (targets: readonly Texture[]) => void): Value {
  const value = device.empty(out)
  const count = tiling.rowTile * tiling.columnTile
  // one target in the order of the result is the result
  if (count === 1 && tiling.parts === 1 && tiling.columns % 4 === 0 && out.dtype === 'float32') {
    value.texture = device.scratch(texelsOf(value.length))
    run([value.texture])
    return value
  }
  const targets = Array.from({ length: count }, () => device.scratch(fragmentsOf(tiling)))
  run(targets)
  const [rowGroups, columnGroups] = groupsOf(tiling)
  const { outer, rows, mid, columns, rowTile, columnTile, parts } = tiling
  const whole = columns % 4 === 0
  // neighbours that lie in one texel wherever a row begins
  const together = whole ? 4 : columns % 2 === 0 ? 2 : 1
  const pass = device.pass(`gather ${rowTile} ${columnTile} ${together} ${parts > 1} ${out.dtype}`, () => ({
    inputs: count, outputs: 1, ints: 8, floats: 0, code: withHelpers(code(rowTile, columnTile, together, parts > 1, out)),
  }))
  value.texture = device.scratch(texelsOf(value.length))
  device.launch(pass, [value.texture], targets, [rows, mid, whole ? columns / 4 : columns, rowGroups, columnGroups, parts, outer * rowGroups * mid * columnGroups])
  for (const target of targets) device.giveBack(target)
  return value
}

/** GLSL that picks one of `n` targets. */
function pick(n: number): string {
  const choose = (low: number, high: number): string => high - low === 1 ? `return fetch${low}(t);`
    : `if (k < ${low + high >> 1}) { ${choose(low, low + high >> 1)} } else { ${choose(low + high >> 1, high)} }`
  return `vec4 target(int k, int t) { ${choose(0, n)} }`
}

function code(rowTile: number, columnTile: number, together: 1 | 2 | 4, summed: boolean, out: Aval): string {
  const read = summed ? 'vec4 y = target(k, t); for (int part = 1; part < p[6]; part++) { t += p[7]; y += target(k, t); } return y;' : 'return target(k, t);'
  const result = (y: string): string => `return ${encode(y, out.dtype)};`
  return `${pick(rowTile * columnTile)}
vec4 read(int k, int t) { ${read} }
vec4 texelAt(int column, int rest) {
  int row = quotient(rest, p[2]), m = rest - row * p[2], o = quotient(row, p[1]);
  row -= o * p[1];
  int group = row / ${rowTile}, c = column / ${columnTile};
  return read((row - group * ${rowTile}) * ${columnTile} + column - c * ${columnTile}, ((o * p[4] + group) * p[2] + m) * p[5] + c);
}
${together === 4
    ? 'vec4 value(int t) { int rest = quotient(t, p[3]); return texelAt(t - rest * p[3], rest); }'
    : `vec4 texelOf(int e, out int lane) { int rest = quotient(e, p[3]), c = e - rest * p[3]; lane = c & 3; return texelAt(c >> 2, rest); }
${together === 2
      ? 'vec2 at(int e) { int lane; vec4 y = texelOf(e, lane); return lane == 0 ? y.xy : y.zw; }'
      : 'float at(int e) { int lane; vec4 y = texelOf(e, lane); return y[lane]; }'}
vec4 value(int t) { int e = t * 4; return vec4(${together === 2 ? 'at(e), at(e + 2)' : 'at(e), at(e + 1), at(e + 2), at(e + 3)'}); }`}
vec4 compute() { vec4 y = value(texel()); ${result('y')} }`
}
