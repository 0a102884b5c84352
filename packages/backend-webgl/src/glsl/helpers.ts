// GLSL functions that passes share, with what each of them needs; only what a pass uses is written into it.

import { bits } from './bits.ts'
import { half } from './half.ts'
import { angle } from './math/angle.ts'
import { error } from './math/error.ts'
import { exponential } from './math/exponential.ts'
import { inverse } from './math/inverse.ts'
import { logarithm } from './math/logarithm.ts'
import { power } from './math/power.ts'
import { trigonometric } from './math/trigonometric.ts'
import type { Helper } from './polynomial.ts'
import { whole } from './whole.ts'

/** Helpers by name. Those on `vec4` work lane by lane. */
const helpers: Readonly<Record<string, Helper>> = {
  ...bits, ...whole, ...half, ...exponential, ...logarithm, ...power, ...error, ...angle, ...trigonometric, ...inverse,
  // the flat texel that is computed
  texel: { source: 'int texel() { ivec2 at = ivec2(gl_FragCoord.xy); return (at.y << p[0]) + at.x; }' },
}

/** The sources of the helpers that a text calls, each after what it needs, and the text. */
export function withHelpers(code: string): string {
  const written = new Set<string>()
  const out: string[] = []
  const add = (name: string): void => {
    if (written.has(name)) return
    written.add(name)
    const { source } = helpers[name]!
    called(source).forEach(add)
    out.push(source)
  }
  called(code).forEach(add)
  return [...out, code].join('\n')
}

const called = (code: string): string[] => [...new Set(code.match(/\b[A-Za-z_]\w*(?=\()/g) ?? [])].filter(name => Object.hasOwn(helpers, name))
