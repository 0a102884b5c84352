// Padding: zeros around and between; each output asks whether an element stands there.

import { type Kernel, sizeOf } from '@bp/core/extend'
import type { PadParams } from '@bp/ops/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { withHelpers } from '../glsl/helpers.ts'

/** An axis and the zeros put before it and between its elements. */
interface PaddedAxis {
  readonly from: number
  readonly to: number
  readonly low: number
  readonly interior: number
}

const untouched = ({ from, to }: PaddedAxis): boolean => from === to

/** Axes with those that nothing is added to joined to the one before them. */
function joined(axes: readonly PaddedAxis[]): PaddedAxis[] {
  const list: PaddedAxis[] = []
  for (const axis of axes) {
    const last = list.at(-1)
    if (last && untouched(axis) && (last.interior === 0 || axis.to === 1)) {
      list[list.length - 1] = { from: last.from * axis.from, to: last.to * axis.to, low: last.low * axis.from, interior: last.interior }
    } else list.push(axis)
  }
  return list
}

/** The kernel. */
export const pad = (device: Device): Kernel<Value, PadParams> => ([x], p, out) => {
  if (x!.storage.length === out.shape.reduce((a, b) => a * b, 1)) return x!.storage
  const axes = joined(out.shape.map((to, i) => ({ from: x!.shape[i]!, to, low: p.low[i]!, interior: p.interior[i]! })))
  const value = device.empty(out)
  const { from, to, low, interior } = axes.at(-1)!
  const texels = interior === 0 && [from, to, low].every(n => n % 4 === 0)
  const rank = axes.length
  const unit = (n: number, axis: number): number => texels && axis === rank - 1 ? n / 4 : n
  const sizes = axes.map(({ from }, i) => unit(from, i))
  const numbers = axes.flatMap(({ to, low, interior }, i) => [unit(to, i), unit(low, i), interior + 1, sizes[i]!, sizeOf(sizes.slice(i + 1))])
  const steps = axes.map(({ interior }, axis) => {
    const at = 1 + 5 * axis
    // the first axis is what is left
    const place = axis === 0 ? `int o = 0, c = e - p[${at + 1}];` : `int o = quotient(e, p[${at}]), c = e - o * p[${at}] - p[${at + 1}];`
    const entry = interior === 0 ? 'int k = c; there = there && c >= 0' : `int k = quotient(max(c, 0), p[${at + 2}]); there = there && c >= 0 && k * p[${at + 2}] == c`
    return `{ ${place} ${entry} && k < p[${at + 3}]; y += k * p[${at + 4}]; e = o; }`
  }).toReversed().join(' ')
  const find = `bool there = true; int y = 0; ${steps}`
  device.compute(`pad ${texels} ${axes.map(({ interior }) => Math.min(1, interior)).join('')}`, () => ({
    inputs: 1, outputs: 1, ints: 1 + numbers.length, floats: 0,
    code: withHelpers(texels ? `vec4 compute() { int e = texel(); ${find} return there ? fetch0(y) : vec4(0.0); }`
      : `float at(int e) { ${find} return there ? elem0(y) : 0.0; }
vec4 compute() { int e = texel() * 4; return vec4(at(e), at(e + 1), at(e + 2), at(e + 3)); }`),
  }), [value], [x!.storage], numbers)
  return value
}
