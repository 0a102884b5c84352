// The input of a convolution laid out for its taps: zeros around and between, rows in whole texels, a row for each phase of a stride.

import type { Device } from '../../device/device.ts'
import type { Value } from '../../device/storage.ts'
import { withHelpers } from '../../glsl/helpers.ts'
import { asItLies, type Source } from './rows.ts'
import type { Space } from './space.ts'

/**
 * An input as taps read it. Each plane has `rows` rows of `rowTexels` texels; a row is cut into phases of `phaseTexels` each: phase f holds the
 * places f, f + stride, f + 2·stride, … of the last axis, so that a tap of neighbouring outputs reads neighbours.
 */
export interface Padded {
  readonly source: Source
  readonly phaseTexels: number
  readonly rowTexels: number
  /** Rows between neighbours of each leading axis, and rows of a plane. */
  readonly rowSteps: readonly number[]
  readonly rows: number
}

/** Lays out `planes` planes of `x`, for outputs whose last axis is read in so many texels; `mayLie` lets what lies so already be read with what follows its rows. */
export function padded(device: Device, x: Value, planes: number, space: Space, outTexels: number, mayLie = true): Padded {
  const { axes, last } = space
  const lead = axes.slice(0, -1)
  const plain = mayLie && last.stride === 1 && last.size % 4 === 0 && axes.every(({ low, gap, size, padded }) => low === 0 && gap === 1 && padded <= size)
  const sizes = lead.map(axis => plain ? axis.size : axis.padded)
  const rowSteps = sizes.map((_, i) => sizes.slice(i + 1).reduce((product, size) => product * size, 1))
  const rows = sizes.reduce((product, size) => product * size, 1)
  if (plain) return { source: asItLies(device, x), phaseTexels: last.size / 4, rowTexels: last.size / 4, rowSteps, rows }
  const { stride } = last
  // the furthest tap of the last output, in elements of its phase
  const phaseTexels = outTexels + Math.floor((Math.floor((last.kernel - 1) * last.dilation / stride) + 3) / 4)
  const rowTexels = stride * phaseTexels
  const spread = axes.some(({ gap }) => gap > 1)
  // lanes by which whole texels are moved, where rows begin with texels
  const shift = stride === 1 && !spread && last.size % 4 === 0 ? ((-last.low % 4) + 4) % 4 : -1
  const from = device.textureOf(x)
  const texture = device.scratch(planes * rows * rowTexels)
  const pass = device.pass(`padded ${axes.length} ${stride} ${spread} ${shift}`, () => ({
    inputs: 1, outputs: 1, ints: 2 + 4 * axes.length, floats: 0, code: withHelpers(code(lead.length, stride, spread, shift)),
  }))
  device.launch(pass, [texture], [from], [phaseTexels, ...axes.flatMap(({ size, low, gap, padded }) => [size, low, gap, padded])])
  return { source: { texture, passing: true }, phaseTexels, rowTexels, rowSteps, rows }
}

function code(lead: number, stride: number, spread: boolean, shift: number): string {
  const of = (axis: number, field: number): string => `p[${2 + 4 * axis + field}]`
  const undo = (axis: number): string => spread ? `{ int d = quotient(max(c, 0), ${of(axis, 2)}); there = there && d * ${of(axis, 2)} == c; c = d; }` : ''
  const coordinates = Array.from({ length: lead }, (_, i) => lead - 1 - i).map(axis => `{
    int rest = quotient(row, ${of(axis, 3)}), c = row - rest * ${of(axis, 3)} - ${of(axis, 1)};
    ${undo(axis)}
    there = there && c >= 0 && c < ${of(axis, 0)};
    base += c * step; step *= ${of(axis, 0)}; row = rest;
  }`)
  const fours = ['t0', 't0.yzw, t1.x', 't0.zw, t1.xy', 't0.w, t1.xyz']
  return `${shift >= 0 ? '' : `float at(bool there, int base, int c) {
  c -= ${of(lead, 1)};
  ${undo(lead)}
  return there && c >= 0 && c < ${of(lead, 0)} ? elem0(base + c) : 0.0;
}`}
vec4 compute() {
  int t = texel(), row = quotient(t, p[1]), first = (t - row * p[1]) * ${4 * stride}, base = 0, step = ${of(lead, 0)};
  ${stride > 1 ? `{ int rest = quotient(row, ${stride}); first += row - rest * ${stride}; row = rest; }` : ''}
  bool there = true;
  ${coordinates.join('\n')}
  base += row * step;
  ${shift < 0
    ? `return vec4(${[0, 1, 2, 3].map(i => `at(there, base, first + ${i * stride})`).join(', ')});`
    : `first -= ${of(lead, 1)};
  int from = (base + first - ${shift}) >> 2;
  vec4 t0 = fetch0(from)${shift === 0 ? '' : ', t1 = fetch0(from + 1)'};
  ivec4 c = first + ivec4(0, 1, 2, 3);
  uvec4 inside = uvec4(greaterThanEqual(c, ivec4(0))) & uvec4(lessThan(c, ivec4(${of(lead, 0)}))) & uvec4(there);
  return mix(vec4(0.0), vec4(${fours[shift]!}), notEqual(inside, uvec4(0u)));`}
}`
}
