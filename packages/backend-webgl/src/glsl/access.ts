// How an operand is read for an output of four lanes: at the same place, as one number, or by strides.

import { sizeOf, stridesOf } from '@bp/core/extend'

/**
 * How four neighbouring outputs read an operand. `same`: the texel at their own place. `one`: one number. Where the last axis goes by
 * fours, `row`: a texel that strides lead to; `shifted`: four neighbours in two texels; `repeat`: one element for all four; `even`: an
 * element each, at one stride. Else `bend`: the same, but part of them may stand in the next row; `lanes`: each by itself.
 */
export type Mode = 'same' | 'one' | 'row' | 'shifted' | 'repeat' | 'even' | 'bend' | 'lanes'

/** An operand as a pass reads it: from `offset` on, by strides over the pass's axes. */
export interface Access {
  readonly mode: Mode
  readonly offset: number
  readonly strides: readonly number[]
}

/** How an operand of n elements is best read by strides over `sizes`. */
export function accessOf(n: number, sizes: readonly number[], strides: readonly number[], offset = 0): Access {
  const last = sizes.length - 1
  const dense = stridesOf(sizes)
  const mode = n === 1 ? 'one'
    : offset === 0 && n === sizeOf(sizes) && strides.every((stride, axis) => stride === dense[axis]) ? 'same'
      : sizes.length === 1 ? strides[0] === 0 ? 'repeat' : strides[0] === 1 ? offset % 4 === 0 ? 'row' : 'shifted' : 'even'
        : sizes[last]! % 4 !== 0 ? sizes[last]! < 4 ? 'lanes' : 'bend'
          : strides[last] === 0 ? 'repeat'
            : strides[last] !== 1 ? 'even'
              : offset % 4 === 0 && strides.every((stride, axis) => axis === last || stride % 4 === 0) ? 'row' : 'shifted'
  return { mode, offset, strides }
}

/** Whether an access walks the axes of its pass. */
export const walks = ({ mode }: Access): boolean => mode !== 'same' && mode !== 'one'

/** The whole numbers that a pass of strided accesses takes: the sizes of its axes, then offset and strides of each access that walks. */
export const walkNumbers = (sizes: readonly number[], accesses: readonly Access[]): number[] => {
  const walking = accesses.filter(walks)
  return walking.length === 0 ? [] : [...sizes, ...walking.flatMap(({ offset, strides }) => [offset, ...strides])]
}

/** What of accesses is in the GLSL, for keys: the rest is numbers. */
export const accessKey = (sizes: readonly number[], accesses: readonly Access[]): string => `${accesses.some(walks) ? sizes.length : 0}${accesses.map(({ mode }) => mode[0]! + mode[1]!).join('')}`

/**
 * GLSL functions `vec4 load0()`, `load1()`, … that read the operands' texels for the four lanes of the texel computed; `p` is read from
 * `first` on as {@link walkNumbers} has it.
 */
export function loads(rank: number, accesses: readonly Access[], first = 1): string {
  let next = first + rank
  const bodies = accesses.map((access, k) => {
    if (access.mode === 'same') return `vec4 load${k}() { return same${k}(); }`
    if (access.mode === 'one') return `vec4 load${k}() { return vec4(fetch${k}(0).x); }`
    const base = next
    next += 1 + rank
    const place = `int place${k}(int e) { ${walk(rank, first, base)} }`
    const e = 'int e = texel() * 4;'
    return `${place}\nvec4 load${k}() { ${e} ${reads[access.mode](k, first + rank - 1, base + rank)} }`
  })
  return bodies.join('\n')
}

const each = (k: number): string => `return vec4(elem${k}(i.x), elem${k}(i.y), elem${k}(i.z), elem${k}(i.w));`

/* By mode, of operand k: `size` and `stride` are where those of the last axis stand in p. */
const reads: Readonly<Record<Exclude<Mode, 'same' | 'one'>, (k: number, size: number, stride: number) => string>> = {
  row: k => `return fetch${k}(place${k}(e) >> 2);`,
  shifted: k => `int y = place${k}(e), t = y >> 2, s = y & 3;
  vec4 a = fetch${k}(t);
  if (s == 0) return a;
  vec4 b = fetch${k}(t + 1);
  return s == 1 ? vec4(a.yzw, b.x) : s == 2 ? vec4(a.zw, b.xy) : vec4(a.w, b.xyz);`,
  repeat: k => `return vec4(elem${k}(place${k}(e)));`,
  even: (k, _size, stride) => `ivec4 i = place${k}(e) + ivec4(0, 1, 2, 3) * p[${stride}]; ${each(k)}`,
  bend: (k, size, stride) => `int c = e - quotient(e, p[${size}]) * p[${size}], y = place${k}(e), left = p[${size}] - c;
  int z = left < 4 ? place${k}(e + left) : y;
  ivec4 l = ivec4(0, 1, 2, 3), next = ivec4(greaterThanEqual(l, ivec4(left)));
  ivec4 i = next * (z + (l - left) * p[${stride}]) + (1 - next) * (y + l * p[${stride}]); ${each(k)}`,
  lanes: k => `ivec4 i = ivec4(place${k}(e), place${k}(e + 1), place${k}(e + 2), place${k}(e + 3)); ${each(k)}`,
}

/** GLSL of a function's body, from a flat output e to offset + Σ coordinate · stride: sizes stand in `p` from `sizes` on, the others from `base` on. */
function walk(rank: number, sizes: number, base: number): string {
  const steps: string[] = [`int y = p[${base}];`]
  for (let axis = rank - 1; axis >= 1; axis--) steps.push(`{ int o = quotient(e, p[${sizes + axis}]); y += (e - o * p[${sizes + axis}]) * p[${base + 1 + axis}]; e = o; }`)
  steps.push(`return y + e * p[${base + 1}];`)
  return steps.join(' ')
}
