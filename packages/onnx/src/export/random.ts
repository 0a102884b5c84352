// The emitter of random bits: Philox in 64-bit whole numbers, of which no product or sum exceeds 2⁵³, so that every runtime has the same.

import { fail } from '@bp/core/extend'
import type { Builder } from './builder.ts'
import { bothParams, type Emission, type Emitters } from './emit.ts'
import type { Shape } from '@bp/core'
import { zip } from './twin.ts'

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
  const [{ shape }, other] = bothParams<{ readonly shape: Shape }>(e)
  const column = (values: readonly number[]): string => b.constant('int64', [2, 1], BigInt64Array.from(values, BigInt))
  const whole = (value: number): string => b.scalar(value, 'int64')
  const low = column(multipliers.map(m => m % half))
  const high = column(multipliers.map(m => Math.floor(m / half)))
  const key = b.add('Reshape', [b.cast(e.inputs[0]!, 'int64'), b.list([2, 1])])
  const sizes = zip(shape, other.shape)
  const count = b.add('ReduceProd', [b.shape(sizes, e.where)], { keepdims: 0 })
  const counter = b.add('Unsqueeze', [b.add('Range', [whole(0), count, whole(1)]), b.list([0])])
  const zeros = b.add('Mul', [counter, whole(0)])
  const exchange = (x: string): string => b.add('Gather', [x, b.list([1, 0])], { axis: 0 })
  let even = b.add('Concat', [counter, zeros], { axis: 0 })
  let odd = b.add('Concat', [zeros, zeros], { axis: 0 })
  for (let round = 0; round < rounds; round++) {
    // x·m = x·(2¹⁶·high + low) = 2¹⁶·upper + lower mod 2¹⁶
    const lower = b.add('Mul', [even, low])
    const upper = b.add('Add', [b.add('Mul', [even, high]), b.add('Div', [lower, whole(half)])])
    const h = b.add('Div', [upper, whole(half)])
    const l = b.add('Add', [b.add('Mul', [b.add('Mod', [upper, whole(half)]), whole(half)]), b.add('Mod', [lower, whole(half)])])
    const keys = b.add('Mod', [b.add('Add', [key, column(weyl.map(w => round * w % word))]), whole(word)])
    even = b.add('BitwiseXor', [b.add('BitwiseXor', [exchange(h), odd]), keys])
    odd = exchange(l)
  }
  const first = b.add('Squeeze', [b.add('Slice', [even, b.list([0]), b.list([1]), b.list([0])]), b.list([0])])
  return b.add('Reshape', [b.cast(b.add('Div', [first, whole(2 ** 8)]), 'int32'), b.shape(sizes, e.where)])
}

/** Random numbers. */
export const randomEmitters: Emitters = { randomBits }
