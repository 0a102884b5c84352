// Numbers from a seed, for tests on random shapes.

/** Numbers by a linear congruence (Knuth & Lewis, in Numerical Recipes, 1992). */
export class Chance {
  private state: number

  constructor(seed: number) {
    this.state = seed
  }

  /** From 0 on, below 1. */
  next(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0
    return this.state / 2 ** 32
  }

  /** Both ends included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  floats(n: number): Float32Array {
    return Float32Array.from({ length: n }, () => this.next() - 0.5)
  }
}
