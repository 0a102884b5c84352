// The heap: pieces never overlap, and are used again.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classOf, Heap } from './heap.ts'

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

  it('uses again what came back, large neighbours as one piece', () => {
    const heap = new Heap({ relaxed: false, shared })
    const [a, b] = [heap.allocate(100_000), heap.allocate(100_000)]
    heap.allocate(64)
    heap.free(a)
    heap.free(b)
    expect(heap.allocate(200_000)).toBe(a)
  })

  it('gives a small piece that came back to the next of its class, and to no other while there is room', () => {
    const heap = new Heap({ relaxed: false, shared })
    const a = heap.allocate(1000)
    heap.allocate(64)
    heap.free(a)
    expect(heap.allocate(300)).not.toBe(a)
    expect(heap.allocate(1024)).toBe(a)
  })

  it('takes no more memory when pieces come and go in any order', () => {
    const heap = new Heap({ relaxed: false, shared })
    const sizes = Array.from({ length: 200 }, (_, i) => 64 + i * 997 % 150_000)
    const round = (): void => {
      for (const start of sizes.map(bytes => heap.allocate(bytes)).sort((a, b) => a * 7919 % 1009 - b * 7919 % 1009)) heap.free(start)
    }
    round()
    const before = heap.memory.buffer.byteLength
    for (let i = 0; i < 20; i++) round()
    expect(heap.memory.buffer.byteLength).toBe(before)
  })

  it('joins small pieces where nothing else is left', () => {
    const heap = new Heap({ relaxed: false, shared })
    const half = heap.maxPages * 32768
    const small = Array.from({ length: 64 }, () => heap.allocate(65536))
    const rest: number[] = []
    for (let bytes = half; bytes > 65536; bytes >>= 1) for (let piece = heap.tryAllocate(bytes); piece !== null; piece = heap.tryAllocate(bytes)) rest.push(piece)
    for (const start of small) heap.free(start)
    expect(heap.allocate(64 * 65536)).toBe(small[0])
  })

  it('says what to do where memory cannot grow', () => {
    const heap = new Heap({ relaxed: false, shared })
    expect(() => heap.allocate(2 ** 33)).toThrow(/more bytes do not fit: .* Use smaller batches, compile with { maxBytes }/)
    expect(heap.allocate(64)).toBeGreaterThan(0)
  })
})

describe('the class of a piece', () => {
  it('holds it, wastes at most a quarter, and is one of four to each doubling', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 200_000 }), bytes => {
      const size = classOf(bytes)
      expect(size).toBeGreaterThanOrEqual(bytes)
      expect(size - bytes).toBeLessThan(64 + bytes / 4)
      expect(classOf(size)).toBe(size)
    }))
    expect(new Set(Array.from({ length: 32768 }, (_, i) => classOf(32769 + i))).size).toBe(4)
  })
})
