// The memory that WebAssembly sees: one block, shared by threads where the engine allows, given out in pieces.

import { fail } from '@bp/core/extend'
import { type DType, type TypedArray } from '@bp/core'
import { engine, type WasmMemory } from './wasm/engine.ts'
import type { Features } from './wasm/features.ts'

const page = 65536
/** Addresses stay below 2³¹, so that they may be compared as signed numbers. */
const maxPages = 32767
/** Bytes at the start that threads talk through; see threads/control.ts. */
const reserved = 4096

/** Bytes kept free at the end: a vector may reach a little beyond the last elements that it is read for. */
const slack = 64

/** Pieces up to this size are pooled by classes, larger ones fitted and joined. */
const largestClass = 65536

/**
 * The size that is set aside for `bytes`: whole cache lines, and of small pieces one of four sizes to each doubling, so that
 * at most a quarter of a piece is waste and pieces of a class serve for one another.
 */
export function classOf(bytes: number): number {
  const size = Math.max(64, Math.ceil(bytes / 64) * 64)
  if (size > largestClass) return size
  const step = Math.max(64, 2 ** Math.floor(Math.log2(size - 1)) / 4)
  return Math.ceil(size / step) * step
}

interface Hole {
  start: number
  size: number
}

/** Gives out and takes back pieces of one WebAssembly memory, each aligned to 64 bytes. */
export class Heap {
  readonly memory: WasmMemory
  readonly maxPages: number
  readonly shared: boolean
  /** Free pieces, in order of address, no two adjacent. */
  private readonly holes: Hole[] = []
  /** Free small pieces by their size. */
  private readonly pools = new Map<number, number[]>()
  private readonly sizes = new Map<number, number>()
  private end = reserved

  constructor({ shared }: Features) {
    this.shared = shared
    const [memory, pages] = reserve(shared)
    this.memory = memory
    this.maxPages = pages
  }

  /** The address of `bytes` new bytes, which hold anything; throws where the memory cannot grow so far. */
  allocate(bytes: number): number {
    return this.tryAllocate(bytes) ?? fail('memory', 'cpu', `${bytes} more bytes do not fit: the ${this.memory.buffer.byteLength} bytes of WebAssembly memory cannot grow beyond ${this.maxPages * page}. Use smaller batches, compile with { maxBytes }, or drop compiled functions that are no longer needed`)
  }

  /** The same, but `null` where the memory cannot grow so far. */
  tryAllocate(bytes: number): number | null {
    const size = classOf(bytes)
    const start = this.pools.get(size)?.pop() ?? this.fit(size) ?? this.append(size) ?? this.merge(size)
    if (start !== null) this.sizes.set(start, size)
    return start
  }

  /** Takes a piece back. */
  free(start: number): void {
    const size = this.sizes.get(start)
    if (size === undefined) return
    this.sizes.delete(start)
    if (size > largestClass) {
      this.leave(start, size)
      return
    }
    const pool = this.pools.get(size)
    if (pool) pool.push(start)
    else this.pools.set(size, [start])
  }

  /** Elements of the memory as a typed array, which later writes to the memory show in. */
  view(dtype: DType, address: number, length: number): TypedArray {
    return new arrays[dtype](this.memory.buffer, address, length)
  }

  /** The beginning of the smallest hole that has room. */
  private fit(size: number): number | null {
    let best = -1
    for (let i = 0; i < this.holes.length; i++) if (this.holes[i]!.size >= size && (best < 0 || this.holes[i]!.size < this.holes[best]!.size)) best = i
    if (best < 0) return null
    const hole = this.holes[best]!
    const { start } = hole
    hole.start += size
    hole.size -= size
    if (hole.size === 0) this.holes.splice(best, 1)
    return start
  }

  /** Makes a hole, one with its neighbours. */
  private leave(start: number, size: number): void {
    const after = this.holes.findIndex(hole => hole.start > start)
    const i = after < 0 ? this.holes.length : after
    this.holes.splice(i, 0, { start, size })
    this.join(i)
    if (i > 0) this.join(i - 1)
  }

  private join(i: number): void {
    const a = this.holes[i]!
    const b = this.holes[i + 1]
    if (b?.start === a.start + a.size) {
      a.size += b.size
      this.holes.splice(i + 1, 1)
    }
  }

  private append(size: number): number | null {
    const start = this.end
    const missing = start + size + slack - this.memory.buffer.byteLength
    if (missing > 0) {
      try {
        this.memory.grow(Math.ceil(missing / page))
      } catch {
        return null
      }
    }
    this.end = start + size
    return start
  }

  /** The last resort: small free pieces become holes too, which may join to one that is large enough. */
  private merge(size: number): number | null {
    for (const [pooled, pool] of this.pools) for (const start of pool.splice(0)) this.leave(start, pooled)
    return this.fit(size)
  }
}

const arrays: Record<DType, new (buffer: ArrayBufferLike, offset: number, length: number) => TypedArray> = {
  float64: Float64Array, float32: Float32Array, float16: Uint16Array, int64: BigInt64Array, int32: Int32Array, uint8: Uint8Array, bool: Uint8Array,
}

/** As much address space as the engine gives: little of it is used at first. */
function reserve(shared: boolean): [WasmMemory, number] {
  for (let pages = maxPages; ; pages = pages >> 1) {
    try {
      return [new (engine().Memory)({ initial: 16, maximum: pages, shared }), pages]
    } catch (error) {
      if (pages < 64) throw error
    }
  }
}
