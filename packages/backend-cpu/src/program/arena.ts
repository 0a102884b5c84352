// The arena: where in one piece of memory everything lies whose lifetime is known beforehand.

import type { Life } from './lifetimes.ts'

/** Offsets of pieces in the order given, 64-byte aligned, and how many bytes they take together. */
export interface Packing {
  readonly offsets: readonly number[]
  readonly bytes: number
  /** Bytes behind these for what lasts from run to run. */
  readonly lasting: number
}

const aligned = (bytes: number): number => Math.max(64, Math.ceil(bytes / 64) * 64)

/**
 * Packs pieces so that those alive at once do not overlap: each at the lowest offset that is free, the largest first (greedy by
 * size: Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020), or in the order in which they
 * come to life, whichever takes less. What lasts lies behind, one piece after the other.
 */
export function pack(pieces: readonly Life[]): Packing {
  const [passing, lasting] = [false, true].map(kept => pieces.flatMap((piece, i) => (piece.lasting === true) === kept ? i : [])) as [number[], number[]]
  const { offsets: inner, bytes } = packPassing(passing.map(i => pieces[i]!))
  const offsets = new Array<number>(pieces.length)
  passing.forEach((i, k) => { offsets[i] = inner[k]! })
  let end = aligned(bytes)
  for (const i of lasting) {
    offsets[i] = end
    end += aligned(pieces[i]!.bytes)
  }
  return { offsets, bytes, lasting: lasting.length > 0 ? end - bytes : 0 }
}

type Places = Omit<Packing, 'lasting'>

function packPassing(pieces: readonly Life[]): Places {
  const order = pieces.map((_, i) => i)
  const byBirth = (a: number, b: number): number => pieces[a]!.from - pieces[b]!.from || a - b
  const bySize = (a: number, b: number): number => pieces[b]!.bytes - pieces[a]!.bytes || byBirth(a, b)
  const [birth, size] = [byBirth, bySize].map(compare => place(pieces, [...order].sort(compare))) as [Places, Places]
  return size.bytes <= birth.bytes ? size : birth
}

function place(pieces: readonly Life[], order: readonly number[]): Places {
  const offsets = new Array<number>(pieces.length).fill(0)
  /** Pieces that have a place, by offset. */
  const placed: number[] = []
  let bytes = 0
  for (const i of order) {
    const { from, to } = pieces[i]!
    const size = aligned(pieces[i]!.bytes)
    let start = 0
    for (const other of placed) {
      const piece = pieces[other]!
      if (piece.to < from || to < piece.from) continue
      if (offsets[other]! - start >= size) break
      start = Math.max(start, offsets[other]! + aligned(piece.bytes))
    }
    offsets[i] = start
    bytes = Math.max(bytes, start + size)
    let at = placed.length
    while (at > 0 && offsets[placed[at - 1]!]! > start) at--
    placed.splice(at, 0, i)
  }
  return { offsets, bytes }
}
