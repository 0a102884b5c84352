// GLSL that several structural kernels share: four lanes by one function of an element, and walks over axes.

import { withHelpers } from '../glsl/helpers.ts'

/** A pass that computes each element by itself: `code` has `float at(int e)`, which gives the float that is kept. */
export const byElement = (code: string): string => withHelpers(`${code}
vec4 compute() { int e = texel() * 4; return vec4(at(e), at(e + 1), at(e + 2), at(e + 3)); }`)

/**
 * GLSL that adds to the variable `to` the coordinates of the flat variable `e` times strides, for axes whose sizes stand in `p` from
 * `sizes` on and whose strides from `strides` on; leaves 0 in `e`.
 */
export function addWalk(rank: number, e: string, to: string, sizes: number, strides: number): string {
  const steps: string[] = []
  for (let axis = rank - 1; axis >= 1; axis--) steps.push(`{ int o = quotient(${e}, p[${sizes + axis}]); ${to} += (${e} - o * p[${sizes + axis}]) * p[${strides + axis}]; ${e} = o; }`)
  if (rank > 0) steps.push(`${to} += ${e} * p[${strides}];`)
  return steps.join(' ')
}
