// The arena: where the values of a program lie, given out as they come to life and reused when they have died.

interface Piece {
  readonly start: number
  readonly size: number
}

const aligned = (bytes: number): number => Math.max(64, Math.ceil(bytes / 64) * 64)

/** Gives out places from `base` on, the lowest that fits. */
export class Arena {
  /** The most bytes that were in use at once, gaps included. */
  peak = 0
  private readonly base: number
  private readonly used: Piece[] = []

  constructor(base: number) {
    this.base = base
  }

  /** The address of a free place. */
  take(bytes: number): number {
    const size = aligned(bytes)
    let start = 0
    let i = 0
    for (; i < this.used.length; i++) {
      const piece = this.used[i]!
      if (piece.start - start >= size) break
      start = piece.start + piece.size
    }
    this.used.splice(i, 0, { start, size })
    this.peak = Math.max(this.peak, start + size)
    return this.base + start
  }

  /** Lets a place be used again. */
  give(address: number): void {
    const i = this.used.findIndex(({ start }) => start === address - this.base)
    if (i >= 0) this.used.splice(i, 1)
  }
}
