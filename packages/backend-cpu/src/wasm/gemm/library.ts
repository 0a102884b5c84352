// The matrix product's inner kernels: packing panels, and multiplying a block of them by tiles of a few rows × 2 vectors.

import type { LibraryEntry } from '../../program/library.ts'
import { i32, type I32, type Int, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'

/**
 * Rows of a tile; a panel of A holds this many, element by element along k. As many sums as stay in registers, of which V8
 * has 15: with fused multiply-adds 6 rows reach 99 % of the machine's peak (5: 94 %, 4: 86 %, 8 in one column: 83 %); without
 * them a product needs a register of its own, and 4 rows reach 93 %.
 */
export const tileRows = ({ relaxed }: Simd): number => relaxed ? 6 : 4
/** Columns of a tile: two vectors. A panel of B holds this many. */
export const tileColumns = (simd: Simd): number => 2 * simd.lanes
/** Rows of a lower tile, for the last rows where they are no more: the tile takes its time whether its rows are in use or not. */
const lowRows = (simd: Simd): number => tileRows(simd) - 2
/** How much of k is multiplied at a time, so that a slice of a panel of B stays in the nearest cache. */
const kBlock = 256

/* pack(from, step along k, step along the panel, k, lanes in use, panel): bytes in steps. What is not in use becomes 0. */
const packParams = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const

/** Packs panels of `width` lanes: whole vectors, and half a one where that is left. */
export function definePack(func: Func, simd: Simd, width: number): void {
  const [from, kStep, laneStep, k, used, to] = func.params as unknown as Local<'i32'>[] as [Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>]
  const vectors = Math.floor(width / simd.lanes)
  const half = width % simd.lanes !== 0
  const row = width * simd.bytes
  const rest = func.int(k)
  func.if(i32.eq(used, width), () => {
    func.if(i32.eq(laneStep, simd.bytes), () => {
      // neighbours in the panel are neighbours in memory
      func.while(rest, () => {
        for (let v = 0; v < vectors; v++) func.do(v128.store(to, v128.load(from, 16 * v), 16 * v))
        if (half) func.do(v128.storeLane64(to, v128.load64Zero(from, 16 * vectors), 0, 16 * vectors))
        func.add(from, kStep)
        func.add(to, row)
        func.add(rest, -1)
      })
      func.return()
    })
    func.if(i32.eq(kStep, simd.bytes), () => {
      // neighbours along k are neighbours in memory: squares are transposed
      const lines = (first: number, count: number): V128[] => {
        const base = func.let(i32.add(from, i32.mul(laneStep, first)))
        return Array.from({ length: count }, () => {
          const line = func.let(v128.load(base))
          func.add(base, laneStep)
          return line
        })
      }
      func.while(i32.geS(rest, simd.lanes), () => {
        for (let v = 0; v < vectors; v++) {
          transposed(func, simd, lines(v * simd.lanes, simd.lanes)).forEach((column, j) => { func.do(v128.store(to, column, j * row + 16 * v)) })
        }
        if (half) {
          const [a, b] = lines(vectors * simd.lanes, 2) as [V128, V128]
          const low = func.let(pick(simd, a, b, [0, 4, 1, 5])), high = func.let(pick(simd, a, b, [2, 6, 3, 7]))
          for (let j = 0; j < 4; j++) func.do(v128.storeLane64(to, j < 2 ? low : high, j % 2, j * row + 16 * vectors))
        }
        func.add(from, 16)
        func.add(to, row * simd.lanes)
        func.add(rest, -simd.lanes)
      })
    })
  })
  func.while(rest, () => {
    const at = func.int(from)
    const place = func.int(to)
    func.for(0, width, 1, lane => {
      func.if(i32.ltS(lane, used), () => { func.do(simd.storeOne(place, simd.loadOne(at))) }, () => { func.do(simd.storeOne(place, simd.op.const(0))) })
      func.add(at, laneStep)
      func.add(place, simd.bytes)
    })
    func.add(from, kStep)
    func.add(to, row)
    func.add(rest, -1)
  })
}

/** Lanes picked from two vectors seen as one. */
const pick = ({ bytes }: Simd, a: V128, b: V128, lanes: readonly number[]): V128 =>
  v128.shuffle(a, b, lanes.flatMap(lane => Array.from({ length: bytes }, (_, i) => lane * bytes + i)))

/** A square of vectors with rows and columns exchanged. */
function transposed(func: Func, simd: Simd, lines: readonly V128[]): V128[] {
  const [a, b, c, d] = lines as [V128, V128, V128, V128]
  if (simd.bits === 64) return [pick(simd, a, b, [0, 2]), pick(simd, a, b, [1, 3])]
  const ab = func.let(pick(simd, a, b, [0, 4, 1, 5])), cd = func.let(pick(simd, c, d, [0, 4, 1, 5]))
  const abHigh = func.let(pick(simd, a, b, [2, 6, 3, 7])), cdHigh = func.let(pick(simd, c, d, [2, 6, 3, 7]))
  return [pick(simd, ab, cd, [0, 1, 4, 5]), pick(simd, ab, cd, [2, 3, 6, 7]), pick(simd, abHigh, cdHigh, [0, 1, 4, 5]), pick(simd, abHigh, cdHigh, [2, 3, 6, 7])]
}

/*
 * tile(a, b, bytes from one row of b to the next, k, c, bytes between rows of c, whether to add to c, rows in use, bytes between rows
 * of a): a tile of rows × 2 vectors. A is a panel, or lies row by row: then the last parameter counts.
 */
const tileParams = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const

function defineTile(func: Func, simd: Simd, packed: boolean, rows = tileRows(simd)): void {
  type P = Local<'i32'>
  const [a, b, bStep, k, c, row, more, used, aRow] = func.params as unknown as [P, P, P, P, P, P, P, P, P]
  const high = tileRows(simd)
  // rows that are not in use are the first one
  const lines = packed ? [] : Array.from({ length: rows }, (_, i) => i === 0 ? a : func.let(i32.add(a, i32.mul(i32.mul(aRow, i), i32.gtS(used, i)))))
  const sums = Array.from({ length: rows }, () => [func.local('v128'), func.local('v128')] as const)
  const line = func.local('i32')
  const each = (f: (sum: readonly [Local<'v128'>, Local<'v128'>]) => void): void => {
    func.set(line, c)
    sums.forEach((sum, i) => {
      if (i === 0) f(sum)
      else func.if(i32.gtS(used, i), () => { f(sum) })
      func.add(line, row)
    })
  }
  func.if(more, () => {
    each(([left, right]) => {
      func.set(left, v128.load(line))
      func.set(right, v128.load(line, 16))
    })
  })
  const b0 = func.local('v128'), b1 = func.local('v128'), x = func.local('v128')
  const step = (n: number): void => {
    func.set(b0, v128.load(b))
    func.set(b1, v128.load(b, 16))
    func.add(b, bStep)
    sums.forEach(([left, right], i) => {
      func.set(x, packed ? simd.loadSplat(a, (n * high + i) * simd.bytes) : simd.loadSplat(lines[i]!, n * simd.bytes))
      func.set(left, simd.madd(x, b0, left))
      func.set(right, simd.madd(x, b1, right))
    })
  }
  const advance = (n: number): void => {
    if (packed) func.add(a, n * high * simd.bytes)
    for (const line of lines) func.add(line, n * simd.bytes)
    func.add(k, -n)
  }
  func.while(i32.geS(k, 4), () => {
    for (let n = 0; n < 4; n++) step(n)
    advance(4)
  })
  func.while(k, () => {
    step(0)
    advance(1)
  })
  each(([left, right]) => { func.do(v128.store(line, left), v128.store(line, right, 16)) })
}

/*
 * block(a, b, bytes between panels of b, bytes between rows of a panel, k, c, bytes between rows of c, rows, columns, scratch for one
 * tile, bytes between rows of a): a block of c. A is panels, or lies row by row: then the last parameter counts.
 */
const blockParams = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const

function defineBlock(func: Func, tiles: { readonly high: Func; readonly low: Func }, simd: Simd, packed: boolean): void {
  type P = Local<'i32'>
  const [a, b, panelB, bStep, k, c, row, rows, columns, spare, aRow] = func.params as unknown as [P, P, P, P, P, P, P, P, P, P, P]
  const width = tileColumns(simd)
  const high = tileRows(simd)
  const done = func.int(0)
  const tile = (used: I32, at: I32, row: Int, more: Int): void => {
    const call = (tile: Func): void => { func.call(tile, pa, pb, bStep, depth, at, row, more, used, aRow) }
    func.if(i32.gtS(used, lowRows(simd)), () => { call(tiles.high) }, () => { call(tiles.low) })
  }
  const [pa, pb, depth] = [func.local('i32'), func.local('i32'), func.local('i32')]
  const panelA = func.let(packed ? i32.mul(k, high * simd.bytes) : i32.mul(aRow, high))
  func.while(i32.or(i32.ltS(done, k), i32.and(i32.eqz(k), i32.eqz(done))), () => {
    func.set(depth, i32.minS(kBlock, i32.sub(k, done)))
    func.set(pb, i32.add(b, i32.mul(done, bStep)))
    func.for(0, columns, width, j => {
      func.set(pa, i32.add(a, i32.mul(done, packed ? high * simd.bytes : simd.bytes)))
      const at = func.let(i32.add(c, i32.mul(j, simd.bytes)))
      const wide = func.let(i32.sub(columns, j))
      func.for(0, rows, high, i => {
        const used = func.let(i32.minS(high, i32.sub(rows, i)))
        func.if(i32.geS(wide, width), () => {
          tile(used, at, row, done)
        }, () => {
          // at the last columns the tile is made apart, and what belongs to c is copied
          tile(used, spare, width * simd.bytes, 0)
          func.for(0, used, 1, r => {
            const from = func.let(i32.add(spare, i32.mul(r, width * simd.bytes)))
            const to = func.let(i32.add(at, i32.mul(r, row)))
            func.for(0, wide, 1, () => {
              const value = func.let(simd.loadOne(from))
              func.if(done, () => { func.set(value, simd.op.add(value, simd.loadOne(to))) })
              func.do(simd.storeOne(to, value))
              func.add(from, simd.bytes)
              func.add(to, simd.bytes)
            })
          })
        })
        func.add(pa, panelA)
        func.add(at, i32.mul(row, high))
      })
      func.add(pb, panelB)
    })
    func.add(done, i32.maxS(depth, 1))
  })
}

/** The matrix product's part of the library. */
export const gemmLibrary = {
  gemmPackA32: { params: packParams, define: (func, _own, simd) => { definePack(func, simd, tileRows(simd)) } },
  gemmPackA64: { params: packParams, define: (func, _own, _floats, simd) => { definePack(func, simd, tileRows(simd)) } },
  gemmPackB32: { params: packParams, define: (func, _own, simd) => { definePack(func, simd, tileColumns(simd)) } },
  gemmPackB64: { params: packParams, define: (func, _own, _floats, simd) => { definePack(func, simd, tileColumns(simd)) } },
  gemmTile32: { params: tileParams, define: (func, _own, simd) => { defineTile(func, simd, true) } },
  gemmLowTile32: { params: tileParams, define: (func, _own, simd) => { defineTile(func, simd, true, lowRows(simd)) } },
  gemmTile64: { params: tileParams, define: (func, _own, _floats, simd) => { defineTile(func, simd, true) } },
  gemmLowTile64: { params: tileParams, define: (func, _own, _floats, simd) => { defineTile(func, simd, true, lowRows(simd)) } },
  gemmBlock32: { params: blockParams, define: (func, own, simd) => { defineBlock(func, { high: own.gemmTile32!, low: own.gemmLowTile32! }, simd, true) } },
  gemmBlock64: { params: blockParams, define: (func, own, _floats, simd) => { defineBlock(func, { high: own.gemmTile64!, low: own.gemmLowTile64! }, simd, true) } },
  gemmRowsTile32: { params: tileParams, define: (func, _own, simd) => { defineTile(func, simd, false) } },
  gemmRowsLowTile32: { params: tileParams, define: (func, _own, simd) => { defineTile(func, simd, false, lowRows(simd)) } },
  gemmRowsTile64: { params: tileParams, define: (func, _own, _floats, simd) => { defineTile(func, simd, false) } },
  gemmRowsLowTile64: { params: tileParams, define: (func, _own, _floats, simd) => { defineTile(func, simd, false, lowRows(simd)) } },
  gemmRows32: { params: blockParams, define: (func, own, simd) => { defineBlock(func, { high: own.gemmRowsTile32!, low: own.gemmRowsLowTile32! }, simd, false) } },
  gemmRows64: { params: blockParams, define: (func, own, _floats, simd) => { defineBlock(func, { high: own.gemmRowsTile64!, low: own.gemmRowsLowTile64! }, simd, false) } },
} satisfies Record<string, LibraryEntry>
