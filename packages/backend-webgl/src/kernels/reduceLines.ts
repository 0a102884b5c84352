// Two statistics of each line along an axis in one pass: a first fold, and a sum of terms that need its result.

import type { Device } from '../device/device.ts'
import { Value } from '../device/storage.ts'
import { decode } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { eachLane, lanes, overRow, partPlace } from './lanes.ts'
import { type Fold, partsOf, type Span } from './reduceFold.ts'

/** Statistics a and c of the float numbers x of a line, in GLSL of four lanes. */
export interface Statistic {
  readonly name: string
  readonly first: Fold
  /** What the first fold `a` becomes; `p[1]` is the line's length. */
  readonly settled: string
  /** What each x adds to c, given a. */
  readonly term: string
  /** An x whose term is 0. */
  readonly none: string
  /** The statistics of parts, joined: GLSL of a first run over their (x, y) = (a, c), which folds `a`, and of a second one, which adds up c. */
  readonly merge: { readonly first: string; readonly term: string } | null
}

/** The most parts of a line: one fragment joins them. */
const mostParts = 1024

/** The parts that lines are best taken in. */
export const partsOfLines = ({ outer, size, inner }: Span): number =>
  Math.min(mostParts, inner === 1 ? partsOf(Math.ceil(outer / 4), Math.ceil(size / 4)) : partsOf(Math.ceil(outer * inner / 4), size))

/** The statistics of the lines of `x`, outer × size × inner, each outer × inner in float32. */
export function statisticsOf(device: Device, statistic: Statistic, x: Value, { outer, size, inner }: Span): [a: Value, c: Value] {
  const parts = statistic.merge ? partsOfLines({ outer, size, inner }) : 1
  const form = inner === 1 ? size % 4 === 0 ? 'aligned' : 'rows' : inner % 4 === 0 ? 'texels' : 'lanes'
  const pair = (n: number): [Value, Value] => [new Value(n, 'float32'), new Value(n, 'float32')]
  const y = pair(outer * parts * inner)
  device.compute(`lines ${statistic.name} ${form} ${parts > 1}`, () => ({
    inputs: 1, outputs: 2, ints: 4, floats: 0,
    code: withHelpers(`vec4 join(vec4 a, vec4 b) { return ${statistic.first.join('float32')}; }
vec4 settled(vec4 a) { return ${statistic.settled}; }
vec4 term(vec4 x, vec4 a) { return ${statistic.term}; }
${inner === 1 ? rows(statistic, size % 4 === 0) : columns(statistic, inner % 4 === 0, parts > 1)}`),
  }), y, [x], [size, parts, inner])
  if (parts === 1) return y
  const z = pair(outer * inner)
  device.compute(`lines join ${statistic.name} ${inner % 4 === 0}`, () => ({
    inputs: 2, outputs: 2, ints: 3, floats: 0, code: withHelpers(`vec4 settled(vec4 a) { return ${statistic.settled}; }\n${joined(statistic, inner % 4 === 0)}`),
  }), z, y, [parts, inner])
  for (const value of y) device.discard(value)
  return z
}

/* p: the lines' length, the parts they are taken in, the elements after them */
const rows = ({ first, none }: Statistic, aligned: boolean): string => `vec4 compute() {
  vec4 firsts;
  ${eachLane({ firsts: ['vec4', 'a.x'], r1: ['vec4', '(c.x + c.z) + (c.y + c.w)'] }, `int parts = p[2], r = quotient(e, parts), k = e - r * parts, begin = r * p[1], end = begin + p[1];
  vec4 a = ${first.neutral('float32')}, c = vec4(0.0);
  ${overRow({ dtype: 'float32', aligned, outside: first.neutral('float32'), unroll: 4 }, 'a = join(a, x);')}
  a = join(a, a.zwxy);
  a = settled(join(a, a.yxwz));
  ${overRow({ dtype: 'float32', aligned, outside: none, unroll: 2 }, 'c += term(x, a);')}`)}
  return firsts;
}`

/** GLSL with the places `at` from which four lanes read, `step` apart, and how many entries `n` each has. */
const starts = (whole: boolean): string => whole
  ? `int t = texel(), width = p[3] >> 2, step = p[2] * width, o = quotient(t, step), c = t - o * step, first = o * p[1] * width + c;
  ivec4 n = ivec4(quotient(p[1] - quotient(c, width) + p[2] - 1, p[2]));`
  : `int e = texel() * 4, step = p[2] * p[3];
  ivec4 first, n;
  place(e, first.x, n.x); place(e + 1, first.y, n.y); place(e + 2, first.z, n.z); place(e + 3, first.w, n.w);`

const columns = ({ first, none }: Statistic, whole: boolean, split: boolean): string => {
  const over = (outside: string, visit: string): string => {
    const read = whole ? decode('fetch0(at)', 'float32') : lanes('float32', 'at')
    const masked = whole || !split ? read : `pick(lessThan(ivec4(i), n), ${read}, ${outside})`
    return `{ ${whole ? 'int' : 'ivec4'} at = first; for (int i = 0; i < most; i++) { vec4 x = ${masked}; ${visit} at += step; } }`
  }
  return `${whole ? '' : partPlace}
vec4 compute() {
  ${starts(whole)}
  int most = max(max(n.x, n.y), max(n.z, n.w));
  vec4 a = ${first.neutral('float32')}, sum = vec4(0.0);
  ${over(first.neutral('float32'), 'a = join(a, x);')}
  a = settled(a);
  ${over(none, 'sum += term(x, a);')}
  r1 = sum;
  return a;
}`
}

/* p: parts, the elements after them */
const joined = ({ first, merge }: Statistic, whole: boolean): string => {
  const read = (input: number): string => whole ? `fetch${input}(at.x >> 2)` : lanes('float32', 'at').replaceAll('elem0', `elem${input}`)
  const over = (visit: string): string => `{ ivec4 at = first; for (int i = 0; i < p[1]; i++) { vec4 x = ${read(0)}, y = ${read(1)}; ${visit} at += p[2]; } }`
  return `int place(int e) { int o = quotient(e, p[2]); return o * p[1] * p[2] + e - o * p[2]; }
vec4 compute() {
  int e = texel() * 4;
  ivec4 first = ivec4(place(e), place(e + 1), place(e + 2), place(e + 3));
  vec4 a = ${first.neutral('float32')}, c = vec4(0.0);
  ${over(merge!.first)}
  a = settled(a);
  ${over(merge!.term)}
  r1 = c;
  return a;
}`
}
