// Random numbers for orders and transforms: streams named by whole numbers, so that none depends on who drew before.

import { fail, philox } from '@bp/core/extend'

/** What streams are for; the number keeps those of one seed apart, and 0, which Generator uses, apart from all. */
export const purposes = { order: 1, split: 2, transform: 3 } as const

/**
 * A stream of random numbers that is a function of a seed and up to three whole numbers, such as epoch and index: the same
 * numbers in any worker and in any order of asking (Philox-4×32-10, Salmon et al. 2011).
 *
 * @example
 * ```ts
 * import { RandomStream } from '@bp/data'
 * const ofSample = (epoch: number, index: number) => new RandomStream(7, epoch, index).int(100)
 * ofSample(0, 3) === ofSample(0, 3) // => true
 * ```
 */
export class RandomStream {
  private readonly seed: number
  private readonly name: readonly [number, number, number]
  private readonly words = new Int32Array(4)
  private block = 0
  private left = 0

  constructor(seed: number, epoch = 0, index = 0, purpose: number = purposes.transform) {
    if (!Number.isInteger(seed) || seed < -(2 ** 31) || seed >= 2 ** 32) fail('value', 'RandomStream', `the seed must be a whole number that fits 32 bits, got ${seed}`)
    this.seed = seed
    this.name = [epoch, index, purpose]
  }

  /** 32 random bits, as a whole number in [0, 2³²). */
  next(): number {
    if (this.left === 0) {
      const { words, name } = this
      words[0] = this.block++
      words[1] = name[0]
      words[2] = name[1]
      words[3] = name[2]
      philox(words, this.seed, 0)
      this.left = 4
    }
    return this.words[4 - this.left--]! >>> 0
  }

  /** Evenly distributed in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.next() * 2 ** -32)
  }

  /** A whole number in [0, n), each as likely as the others; n ≤ 2³². */
  int(n: number): number {
    const fair = 2 ** 32 - 2 ** 32 % n
    let bits = this.next()
    while (bits >= fair) bits = this.next()
    return bits % n
  }

  /** true with probability p. */
  bernoulli(p: number): boolean {
    return this.uniform() < p
  }

  /** Brings items into random order in place (Fisher & Yates 1938, in the form of Durstenfeld 1964). */
  shuffle<A extends Uint32Array | number[]>(items: A): A {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1)
      const item = items[i]!
      items[i] = items[j]!
      items[j] = item
    }
    return items
  }

  /** 0 … n − 1 in random order. */
  permutation(n: number): Uint32Array {
    return this.shuffle(Uint32Array.from({ length: n }, (_, i) => i))
  }
}
