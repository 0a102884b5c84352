// The arena: what is alive at once never overlaps, and little is lost between pieces.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { pack } from './arena.ts'
import { bytesInUse, type Life } from './lifetimes.ts'

const moments = 30
const life = fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.nat(moments - 1), fc.nat(moments - 1)).map(([bytes, a, b]): Life => ({ bytes, from: Math.min(a, b), to: Math.max(a, b) }))

it('pieces that are alive at once do not overlap, and lie within its bytes', () => {
  fc.assert(fc.property(fc.array(life, { maxLength: 60 }), pieces => {
    const { offsets, bytes } = pack(pieces)
    expect(bytes).toBeGreaterThanOrEqual(Math.max(...bytesInUse(pieces, moments)))
    pieces.forEach((a, i) => {
      expect(offsets[i]! % 64).toBe(0)
      expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes)
      pieces.slice(0, i).forEach((b, k) => {
        if (a.from <= b.to && b.from <= a.to) expect(offsets[i]! + a.bytes <= offsets[k]! || offsets[k]! + b.bytes <= offsets[i]!, `pieces ${i} and ${k}`).toBe(true)
      })
    })
  }))
})

it('large pieces do not suffer from small ones that come first', () => {
  // in the order of birth the second large piece would lie above the small one that parts the space of the first
  const pieces: Life[] = [{ bytes: 64, from: 0, to: 1 }, { bytes: 64, from: 0, to: 5 }, { bytes: 1024, from: 2, to: 3 }, { bytes: 1088, from: 4, to: 5 }]
  expect(pack(pieces).bytes).toBe(1088 + 64)
})
