// GLSL that several structural kernels share: four lanes by one function of an element, and a run over part of a row.

import type { DType } from '@bp/core'
import { isWhole } from '../device/storage.ts'
import { decode, lanesOf } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'

/** A pass that computes each element by itself: `code` has `float at(int e)`, which gives the float that is kept. */
export const byElement = (code: string): string => withHelpers(`${code}
vec4 compute() { int e = texel() * 4; return vec4(at(e), at(e + 1), at(e + 2), at(e + 3)); }`)

/** Less than any other number of a dtype, in GLSL. */
export const leastOf = (dtype: DType): string => isWhole(dtype) ? 'ivec4(1 << 31)' : 'vec4(-infinity())'

/** The numbers of four lanes that each read an element of input 0, or of one texel of it. */
export const lanes = (dtype: DType, e: string): string => decode(`vec4(elem0(${e}.x), elem0(${e}.y), elem0(${e}.z), elem0(${e}.w))`, dtype)

/**
 * GLSL that runs `body` for each of the four elements `e` of the texel computed, and leaves in each of `outs` the four results of an
 * expression. It is a loop whose bound compilers do not know: unrolled, passes took seconds to build.
 */
export const eachLane = (outs: Readonly<Record<string, readonly [type: string, result: string]>>, body: string): string => `for (int lane = 0; lane < min(4, p[1] + 3); lane++) {
  int e = texel() * 4 + lane;
  ${body}
  ${Object.entries(outs).map(([name, [type, result]]) => `${name} = ${type}(${name}.yzw, ${result});`).join(' ')}
}`

/**
 * GLSL `place(e, at, n)`: where an output that folds one part of an axis begins to read, and how many entries it reads, each `p[2]·p[3]` from
 * the one before. p: the axis's length, the parts, the elements after the axis.
 */
export const partPlace = `void place(int e, out int at, out int n) {
  int step = p[2] * p[3], o = quotient(e, step), c = e - o * step;
  at = o * p[1] * p[3] + c;
  n = p[2] == 1 ? p[1] : quotient(p[1] - quotient(c, p[3]) + p[2] - 1, p[2]);
}`

/** A row of input 0 as {@link overRow} runs over it. */
export interface RowRun {
  readonly dtype: DType
  /** Whether rows are whole texels. */
  readonly aligned: boolean
  /** What stands for lanes that are not the row's. */
  readonly outside: string
  /** Texels to a turn of the loop. */
  readonly unroll: number
  /** A statement after each turn, and at the end. */
  readonly after?: string
}

/**
 * GLSL that runs over part `k` of `parts` of the row of elements [begin, end): the texels k, k + parts, … of those that are wholly the row's;
 * the first part also takes what is left at both ends. `visit` is a statement that reads `x`, four numbers, and `i`, their texel.
 */
export function overRow({ dtype, aligned, outside, unroll, after = '' }: RowRun, visit: string): string {
  const type = lanesOf(dtype)
  const read = `${type} x = ${decode('fetch0(i)', dtype)};`
  const turn = `{ ${read} ${visit} } i += parts;`
  const ends = `if (k == 0) for (int side = 0; side < 2; side++) {
    if (side == 0 ? begin >= 4 * whole : end <= 4 * stop || stop < whole) continue;
    int i = side == 0 ? begin >> 2 : stop;
    ivec4 places = i * 4 + ivec4(0, 1, 2, 3);
    ${read}
    x = pick(lessThan(places, ivec4(begin)), ${outside}, pick(lessThan(places, ivec4(end)), x, ${outside}));
    ${visit}
  }`
  return `{
  int whole = ${aligned ? 'begin >> 2' : '(begin + 3) >> 2'}, stop = end >> 2, i = whole + k;
  ${unroll > 1 ? `while (i + ${unroll - 1} * parts < stop) { ${turn.repeat(unroll)} ${after} }` : ''}
  while (i < stop) { ${turn} }
  ${aligned ? '' : ends}
  ${after}
}`
}
