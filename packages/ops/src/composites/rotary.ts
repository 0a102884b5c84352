// Rotary positions: pairs of features turned by an angle that grows with the place in the sequence.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { sub } from '../rows/arithmetic.ts'
import { cast } from '../rows/compare.ts'
import { exp } from '../rows/exponential.ts'
import { iota } from '../rows/source.ts'
import { cos, sin } from '../rows/trigonometric.ts'
import { concat, narrow, reshape } from '../rows/view.ts'
import { stack } from './arrange.ts'

/** Options of {@link rotaryEmbedding}. */
export interface RotaryOptions {
  /** The slowest pair turns by about 1/base from one place to the next; 10,000 unless given. */
  readonly base?: number | undefined
  /** The place of each row: whole numbers [length], or [..., length] that broadcast; 0, 1, … unless given. */
  readonly positions?: Tensor | undefined
  /** Pairs are features 2i and 2i + 1, as published; with false they are i and i + d/2, as in GPT-NeoX and Llama's files. */
  readonly interleaved?: boolean | undefined
}

/**
 * (x₁, x₂) turned by m·base^(−2i/d) for pair i at place m, over the last two axes [..., length, d], so that the product of two rows depends
 * on how far apart they are (Su et al. 2021, "RoFormer", eq. 34). Throws where d is odd.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { rotaryEmbedding } from '@bp/ops'
 * rotaryEmbedding(tensor([[1, 0], [1, 0]])) // => tensor([[1, 0], [0.540302, 0.841471]], float32)
 * ```
 */
export function rotaryEmbedding(x: Tensor, { base = 10_000, positions, interleaved = true }: RotaryOptions = {}): Tensor {
  const [length, d] = x.shape.slice(-2) as [number, number]
  if (x.rank < 2 || d % 2 !== 0) fail('shape', 'rotaryEmbedding', `needs [..., length, d] with an even d, got ${describe(x)}`)
  const half = d / 2
  const place = positions ? cast(positions, x.dtype) : iota(length, x.dtype, x.backend)
  const rates = exp(mul(iota(half, x.dtype, x.backend), -Math.log(base) / half))
  const angle = mul(reshape(place, [...place.shape, 1]), rates)
  return turned(x, cos(angle), sin(angle), interleaved)
}

/** (a, b) → (a·cos − b·sin, a·sin + b·cos) for the pairs of the last axis: features 2i and 2i + 1 where interleaved, else i and i + d/2. */
export function turned(x: Tensor, cosine: Tensor, sine: Tensor, interleaved: boolean): Tensor {
  const [a, b] = pairs(x, interleaved)
  const parts = [sub(mul(a, cosine), mul(b, sine)), add(mul(a, sine), mul(b, cosine))]
  return interleaved ? reshape(stack(parts, -1), x.shape) : concat(parts, -1)
}

function pairs(x: Tensor, interleaved: boolean): [Tensor, Tensor] {
  const half = x.shape.at(-1)! / 2
  if (!interleaved) return [narrow(x, -1, 0, half), narrow(x, -1, half, half)]
  const paired = reshape(x, [...x.shape.slice(0, -1), half, 2])
  const part = (i: number): Tensor => reshape(narrow(paired, -1, i, 1), [...x.shape.slice(0, -1), half])
  return [part(0), part(1)]
}
