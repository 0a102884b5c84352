// Seeded random numbers: every run of a law sees the same values, and an error can be repeated.

/** A stream of numbers in [0, 1) from a whole-number seed: the mulberry32 generator (Ettinger 2017, public domain). */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** The next number in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.next()
  }

  /** A whole number in [low, high). */
  whole(low: number, high: number): number {
    return Math.floor(this.between(low, high))
  }
}

/** A seed from a text: FNV-1a (Fowler, Noll, Vo 1991). */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
