// The heap: pieces never overlap, and are used again.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Heap } from './heap.ts'

interface Piece {
  readonly start: number
  readonly size: number
}

/** Takes and gives back at random; `true` takes. */
function play(steps: readonly (readonly [boolean, number])[], take: (bytes: number) => number, give: (start: number) => void): Piece[] {
  const used: Piece[] = []
  for (const [takes, n] of steps) {
    if (takes || used.length === 0) {
      const piece = { start: take(n), size: n }
      for (const other of used) expect(piece.start + piece.size <= other.start || other.start + other.size <= piece.start).toBe(true)
      expect(piece.start % 64).toBe(0)
      used.push(piece)
    } else give(used.splice(n % used.length, 1)[0]!.start)
  }
  return used
}

const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 5000 })), { maxLength: 80 })

describe.each([false, true])('a heap in memory that threads share: %s', shared => {
  it('gives out pieces that do not overlap', () => {
    fc.assert(fc.property(steps, list => {
      const heap = new Heap({ relaxed: false, shared })
      play(list, bytes => heap.allocate(bytes), start => { heap.free(start) })
    }), { numRuns: 30 })
  })

  it('uses again what came back, neighbours as one piece', () => {
    const heap = new Heap({ relaxed: false, shared })
    const [a, b] = [heap.allocate(1000), heap.allocate(1000)]
    heap.allocate(64)
    heap.free(a)
    heap.free(b)
    expect(heap.allocate(2000)).toBe(a)
  })

  it('says what to do where memory cannot grow', () => {
    const heap = new Heap({ relaxed: false, shared })
    expect(() => heap.allocate(2 ** 33)).toThrow(/more bytes do not fit: .* Use smaller batches, compile with { maxBytes }/)
    expect(heap.allocate(64)).toBeGreaterThan(0)
  })
})
