// Joining operands one after the other along an axis: each output finds the piece that it lies in.

import { type Kernel, sizeOf } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { byElement } from './lanes.ts'

/** The most operands that one pass joins. */
const mostJoined = 8

interface Piece {
  readonly value: Value
  readonly size: number
  /** Made on the way, so that nobody else holds it. */
  readonly made: boolean
}

/** The kernel. */
export const concat = (device: Device): Kernel<Value, { readonly axis: number }> => (xs, { axis }, out) => {
  const inner = sizeOf(out.shape.slice(axis + 1))
  const join = (pieces: readonly Piece[]): Piece => {
    const whole = pieces.reduce((sum, { size }) => sum + size, 0)
    const value = device.empty({ shape: out.shape.map((size, i) => i === axis ? whole : size), dtype: out.dtype })
    const n = pieces.length
    const texels = pieces.every(({ size }) => inner * size % 4 === 0)
    // lengths of a row up to and with each piece
    const ends = pieces.map((_, i) => inner * pieces.slice(0, i + 1).reduce((sum, { size }) => sum + size, 0) / (texels ? 4 : 1))
    const row = (i: number): string => i === 0 ? 'p[2]' : `(p[${i + 2}] - p[${i + 1}])`
    const reads = pieces.map((_, i) => `if (c < p[${i + 2}]) return ${texels ? 'fetch' : 'elem'}${i}(o * ${row(i)} + c${i === 0 ? '' : ` - p[${i + 1}]`});`)
    const find = `int o = quotient(e, p[1]); int c = e - o * p[1]; ${reads.join(' ')}`
    device.compute(`concat ${n} ${texels}`, () => ({
      inputs: n, outputs: 1, ints: n + 2, floats: 0,
      code: texels ? withHelpers(`vec4 compute() { int e = texel(); ${find} return vec4(0.0); }`) : byElement(`float at(int e) { ${find} return 0.0; }`),
    }), [value], pieces.map(piece => piece.value), [ends.at(-1)!, ...ends])
    return { value, size: whole, made: true }
  }
  let pieces: Piece[] = xs.map(({ storage, shape }) => ({ value: storage, size: shape[axis]!, made: false })).filter(({ size }) => size > 0)
  if (pieces.length === 0) return device.empty(out)
  while (pieces.length > 1) {
    const next: Piece[] = []
    for (let i = 0; i < pieces.length; i += mostJoined) {
      const group = pieces.slice(i, i + mostJoined)
      next.push(group.length === 1 ? group[0]! : join(group))
      if (group.length > 1) for (const { value, made } of group) if (made) device.discard(value)
    }
    pieces = next
  }
  return pieces[0]!.value
}
