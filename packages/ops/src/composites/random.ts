// Randomness: a counter-based generator with an explicit seed, whose numbers are the same on every backend.

import { add, mul, type DType, type Shape, type Tensor, tensor, Variable } from '@bp/core'
import { fail } from '@bp/core/extend'
import { sub } from '../rows/arithmetic.ts'
import { cast, less } from '../rows/compare.ts'
import { log, sqrt } from '../rows/exponential.ts'
import { take } from '../rows/indexing.ts'
import { argSort } from '../rows/reduce.ts'
import { randomBits } from '../rows/source.ts'
import { cos } from '../rows/trigonometric.ts'

/** Options of {@link Generator.uniform}. */
export interface UniformOptions {
  readonly low?: number
  readonly high?: number
  readonly dtype?: DType
}

/** Options of {@link Generator.normal}. */
export interface NormalOptions {
  readonly mean?: number
  readonly std?: number
  readonly dtype?: DType
}

/** What a checkpoint keeps of a {@link Generator}. */
export interface GeneratorState {
  readonly seed: number
  readonly draws: number
}

/**
 * A stream of random tensors. Each draw has the key (seed, number of draws so far), so that the same seed gives the same
 * numbers on every backend, and a stream goes on exactly from its state. (Salmon et al. 2011, "Parallel Random Numbers:
 * As Easy as 1, 2, 3".)
 *
 * @example
 * ```ts
 * import { Generator } from '@bp/ops'
 * const a = new Generator(7).uniform([3])
 * const b = new Generator(7).uniform([3])
 * String(a) === String(b) // => true
 * ```
 */
export class Generator {
  /** i32[2]: the seed and the number of draws. A variable, so that a compiled step can advance it. */
  private readonly key: Variable

  constructor(seed: number) {
    this.key = new Variable(encode({ seed, draws: 0 }))
  }

  /** What to save to go on from here. */
  state(): GeneratorState {
    const [seed, draws] = this.key.dataSync() as Int32Array
    return { seed: seed!, draws: draws! }
  }

  /** Goes on from a saved state. */
  restore(state: GeneratorState): void {
    this.key.assign(encode(state))
  }

  /** Whole numbers in [0, 2²⁴), as int32. */
  bits(shape: Shape): Tensor {
    const bits = randomBits(this.key, shape)
    this.key.assign(add(this.key, tensor([0, 1], { dtype: 'int32', backend: this.key.backend })))
    return bits
  }

  /** Evenly distributed in [low, high), with 24 random bits each (48 in float64). */
  uniform(shape: Shape, { low = 0, high = 1, dtype = 'float32' }: UniformOptions = {}): Tensor {
    const coarse = mul(cast(this.bits(shape), dtype), 2 ** -24)
    const unit = dtype === 'float64' ? add(coarse, mul(cast(this.bits(shape), dtype), 2 ** -48)) : coarse
    return low === 0 && high === 1 ? unit : add(mul(unit, high - low), low)
  }

  /** Normally distributed (Box & Muller 1958). */
  normal(shape: Shape, { mean = 0, std = 1, dtype = 'float32' }: NormalOptions = {}): Tensor {
    const radius = sqrt(mul(-2, log(sub(1, this.uniform(shape, { dtype })))))
    const angle = mul(2 * Math.PI, this.uniform(shape, { dtype }))
    return add(mul(mul(radius, cos(angle)), std), mean)
  }

  /** true with probability p, as bool. */
  bernoulli(p: number, shape: Shape): Tensor {
    if (!(p >= 0 && p <= 1)) fail('value', 'bernoulli', `p must be between 0 and 1, got ${p}`)
    return less(this.uniform(shape), p)
  }

  /** 0 … n − 1 in random order: sorted by random keys, twice, so that equal keys leave no trace. */
  permutation(n: number): number[] {
    const first = argSort(this.bits([n]))
    return Array.from(take(first, argSort(this.bits([n]))).dataSync() as Int32Array)
  }
}

function encode({ seed, draws }: GeneratorState): Tensor {
  if (!Number.isInteger(seed) || seed < -(2 ** 31) || seed >= 2 ** 32) fail('value', 'Generator', `the seed must be a whole number that fits 32 bits, got ${seed}`)
  return tensor([seed | 0, draws], { dtype: 'int32' })
}
