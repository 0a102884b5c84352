// The emitter of random bits: Philox in float64, of which no product or sum reaches 2⁵³, so that every runtime has the same and none divides whole numbers.

import type { Shape } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { Builder } from './builder.ts'
import { type Emission, type Emitters, everyParams } from './emit.ts'
import { zip } from './sizes.ts'

const word = 2 ** 32
const half = 2 ** 16

/* Multipliers of the first and third word, and Weyl constants of the keys (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3", §3.3) */
const multipliers = [0xd2511f53, 0xcd9e8d57]
const weyl = [0x9e3779b9, 0xbb67ae85]
const rounds = 10

/**
 * The top 24 bits of the first word of Philox-4×32-10 with counter (i, 0, 0, 0). Both halves of a round lie beside each other, words
 * 0 and 2 in one tensor [2, n], 1 and 3 in another: with the products h·2³² + l of words 0 and 2, a round makes of words (0, 2) the
 * exchanged h ⊕ words (1, 3) ⊕ keys, and of words (1, 3) the exchanged l.
 */
function randomBits(b: Builder, e: Emission): string {
  if (b.opset < 18) fail('value', 'exportOnnx', `${e.where} draws random numbers, which operator set 18 is needed for. Export with { opset: 18 }, or without dropout`)
  const sizes = zip(everyParams<{ readonly shape: Shape }>(e).map(({ shape }) => shape))
  const whole = (value: number): string => b.scalar(value, 'int64')
  const column = (values: readonly number[]): string => b.constant('float64', [2, 1], Float64Array.from(values))
  const times = (x: string, factor: number): string => b.add('Mul', [x, b.scalar(factor, 'float64')])
  const upperHalf = (x: string): string => b.add('Floor', [times(x, 1 / half)])
  const exchanged = (x: string): string => b.add('Gather', [x, b.list([1, 0])], { axis: 0 })
  const low = column(multipliers.map(m => m % half))
  const high = column(multipliers.map(m => Math.floor(m / half)))
  const key = b.add('Reshape', [b.cast(e.inputs[0]!, 'int32', 'int64'), b.list([2, 1])])
  const count = b.add('ReduceProd', [b.dims.list(sizes, e.where)], { keepdims: 0 })
  const counter = b.add('Unsqueeze', [b.add('Range', [whole(0), count, whole(1)]), b.list([0])])
  const zeros = b.add('Mul', [counter, whole(0)])
  let even = b.add('Concat', [counter, zeros], { axis: 0 })
  let odd = b.add('Concat', [zeros, zeros], { axis: 0 })
  for (let round = 0; round < rounds; round++) {
    // x·m = 2¹⁶·upper + lower mod 2¹⁶ with lower = x·(m mod 2¹⁶), upper = x·⌊m/2¹⁶⌋ + ⌊lower/2¹⁶⌋
    const x = b.cast(even, 'int64', 'float64')
    const lower = b.add('Mul', [x, low])
    const carried = upperHalf(lower)
    const upper = b.add('Add', [b.add('Mul', [x, high]), carried])
    const h = upperHalf(upper)
    const l = b.add('Add', [times(b.add('Sub', [upper, times(h, half)]), half), b.add('Sub', [lower, times(carried, half)])])
    const keys = b.add('Mod', [b.add('Add', [key, b.constant('int64', [2, 1], BigInt64Array.from(weyl, w => BigInt(round * w % word)))]), whole(word)])
    even = b.add('BitwiseXor', [exchanged(b.cast(h, 'float64', 'int64')), b.add('BitwiseXor', [odd, keys])])
    odd = exchanged(b.cast(l, 'float64', 'int64'))
  }
  const first = b.add('Slice', [even, b.list([0]), b.list([1]), b.list([0])])
  return b.cast(b.add('Reshape', [b.add('Floor', [times(b.cast(first, 'int64', 'float64'), 2 ** -8)]), b.dims.list(sizes, e.where)]), 'float64', 'int32')
}

/** Random numbers. */
export const randomEmitters: Emitters = { randomBits }
