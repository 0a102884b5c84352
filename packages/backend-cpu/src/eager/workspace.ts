// Memory for the values of programs that run one at a time: all of them use the same.

import type { Heap } from '../heap.ts'

interface Region {
  readonly address: number
  readonly bytes: number
  users: number
}

/** The most bytes that are set aside; what needs more runs without WebAssembly. */
const most = 2 ** 28

/** One region, as large as the largest program needs; a smaller one stays only while programs made for it are kept. */
export class Workspace {
  private readonly heap: Heap
  private readonly regions = new Map<number, Region>()
  private largest: Region | null = null

  constructor(heap: Heap) {
    this.heap = heap
  }

  /** The address of at least so many bytes, which others use too; `null` where there are not so many. */
  allocate(bytes: number): number | null {
    if (this.largest === null || this.largest.bytes < bytes) {
      const grown = this.reserve(2 ** Math.ceil(Math.log2(Math.max(bytes, 2 ** 16))))
      if (!grown) return null
      this.largest = grown
    }
    this.largest.users++
    return this.largest.address
  }

  /** Ends one use. */
  free(address: number): void {
    const region = this.regions.get(address)!
    if (--region.users > 0) return
    this.regions.delete(address)
    this.heap.free(address)
    if (region === this.largest) this.largest = [...this.regions.values()].reduce<Region | null>((a, b) => a && a.bytes > b.bytes ? a : b, null)
  }

  private reserve(bytes: number): Region | null {
    if (bytes > most) return null
    const address = this.heap.tryAllocate(bytes)
    if (address === null) return null
    const region = { address, bytes, users: 0 }
    this.regions.set(address, region)
    return region
  }
}
