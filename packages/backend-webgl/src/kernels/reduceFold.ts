// Folding one axis by an associative operation, in stages: each fragment folds some elements, and later stages what they left.

import type { DType } from '@bp/core'
import type { Device } from '../device/device.ts'
import { mostTurns } from '../device/gpu.ts'
import { Value } from '../device/storage.ts'
import { decode, encode, lanesOf } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { eachLane, lanes, leastOf, overRow, partPlace } from './lanes.ts'

/** An associative operation: `a` and `b` in GLSL are four numbers of a dtype. */
export interface Fold {
  readonly name: string
  /** What changes nothing. */
  readonly neutral: (dtype: DType) => string
  readonly join: (dtype: DType) => string
}

export const sums: Fold = { name: 'sum', neutral: dtype => `${lanesOf(dtype)}(0)`, join: () => 'a + b' }

/** The largest, NaN above all. */
export const maxima: Fold = { name: 'max', neutral: leastOf, join: dtype => lanesOf(dtype) === 'ivec4' ? 'max(a, b)' : 'pick(isNan(b), b, pick(lessThan(a, b), b, a))' }

/** An axis with what stands before and after it. */
export interface Span {
  readonly outer: number
  readonly size: number
  readonly inner: number
}

/** Fragments that keep a GPU busy, and leave the next stage little to do. */
const enough = 512

/** Fetches that a fragment makes at most, for each of four lanes and twice. */
const mostFetches = mostTurns / 8

/** Fetches one after the other that a fragment makes without being split, at first and in later stages. */
const alone = { first: 128, later: 1024 }

/** How many parts an axis is folded in, where so many fragments would each make so many fetches. */
export function partsOf(fragments: number, fetches: number, most = alone.first): number {
  const needed = Math.ceil(fetches / mostFetches)
  if (fetches <= most || fragments >= enough) return needed
  return Math.max(needed, Math.min(Math.ceil(fetches / 32), Math.ceil(enough / fragments)))
}

/** What stages pass on: float16 in full precision. */
export const wide = (dtype: DType): DType => dtype === 'float16' ? 'float32' : dtype

type Form = 'rows' | 'texels' | 'lanes'

/** Folds the axis of `x`, by eights so that rounding grows slowly; its shape is outer × size × inner, and `size` at least 1. */
export function foldAxis(device: Device, fold: Fold, x: Value, { outer, size, inner }: Span, dtype: DType, most = alone.first): Value {
  // so many entries of the axis make whole texels
  const together = inner % 4 === 0 ? 1 : inner % 2 === 0 ? 2 : 4
  const split = partsOf(Math.ceil(outer / 4), Math.ceil(size / 4), most)
  const blocks = together > 1 && size % together === 0 && (inner === 1 ? split > 1 : size >= 4 * together)
  const form: Form = inner % 4 === 0 || blocks ? 'texels' : inner === 1 ? 'rows' : 'lanes'
  const length = blocks ? size / together : size
  const width = blocks ? inner * together : inner
  const parts = form === 'rows' ? split : partsOf(Math.ceil(outer * width / 4), length, most)
  const left = blocks ? parts * together : parts
  const next = left === 1 ? dtype : wide(x.dtype)
  const y = new Value(outer * left * inner, next)
  device.compute(`fold ${fold.name} ${form} ${form === 'rows' && size % 4 === 0} ${x.dtype} ${next}`, () => ({
    inputs: 1, outputs: 1, ints: 4, floats: 0, code: withHelpers(`${joinOf(fold, x.dtype)}\n${bodies[form](fold, x.dtype, next, size % 4 === 0)}`),
  }), [y], [x], [length, parts, width])
  if (left === 1) return y
  const z = foldAxis(device, fold, y, { outer, size: left, inner }, dtype, alone.later)
  device.discard(y)
  return z
}

const joinOf = (fold: Fold, dtype: DType): string => `${lanesOf(dtype)} join(${lanesOf(dtype)} a, ${lanesOf(dtype)} b) { return ${fold.join(dtype)}; }`

/* p: the axis's length, the parts it is folded in, the elements after it. Part k folds the entries k, k + parts, … */
const bodies: Readonly<Record<Form, (fold: Fold, from: DType, to: DType, aligned: boolean) => string>> = {
  rows: (fold, from, to, aligned) => {
    const type = lanesOf(from)
    return `vec4 compute() {
  ${type} all;
  ${eachLane({ all: [type, 'y.x'] }, `int parts = p[2], r = quotient(e, parts), k = e - r * parts, begin = r * p[1], end = begin + p[1];
  ${type} y = ${fold.neutral(from)}, z = y;
  ${overRow({ dtype: from, aligned, outside: fold.neutral(from), unroll: 8, after: `y = join(y, z); z = ${fold.neutral(from)};` }, 'z = join(z, x);')}
  y = join(y, y.zwxy);
  y = join(y, y.yxwz);`)}
  return ${encode('all', to)};
}`
  },
  texels: (fold, from, to) => {
    const type = lanesOf(from)
    const read = decode('fetch0(at)', from)
    const tree = (first: number, n: number): string => n === 1 ? `x${first}` : `join(${tree(first, n / 2)}, ${tree(first + n / 2, n / 2)})`
    const eight = Array.from({ length: 8 }, (_, i) => `${type} x${i} = ${read}; at += step;`).join(' ')
    return `vec4 compute() {
  int t = texel(), width = p[3] >> 2, step = p[2] * width;
  int o = quotient(t, step), c = t - o * step, k = quotient(c, width);
  int at = o * p[1] * width + c, n = quotient(p[1] - k + p[2] - 1, p[2]), i = 0;
  ${type} y = ${fold.neutral(from)};
  for (; i + 7 < n; i += 8) { ${eight} y = join(y, ${tree(0, 8)}); }
  for (; i < n; i++) { y = join(y, ${read}); at += step; }
  return ${encode('y', to)};
}`
  },
  lanes: (fold, from, to) => {
    const type = lanesOf(from)
    return `${partPlace}
vec4 compute() {
  int e = texel() * 4, step = p[2] * p[3];
  ivec4 at, n;
  place(e, at.x, n.x); place(e + 1, at.y, n.y); place(e + 2, at.z, n.z); place(e + 3, at.w, n.w);
  int most = max(max(n.x, n.y), max(n.z, n.w));
  ${type} y = ${fold.neutral(from)};
  for (int i = 0; i < most; i++) {
    y = join(y, pick(lessThan(ivec4(i), n), ${lanes(from, 'at')}, ${fold.neutral(from)}));
    at += step;
  }
  return ${encode('y', to)};
}`
  },
}
