// The matrix product's inner kernels: packing panels, and multiplying a block of them by tiles of 4 rows × 2 vectors.

import type { LibraryEntry } from '../../program/library.ts'
import { i32, type I32, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'

/** Rows of a tile; a panel of A holds this many, element by element along k. */
export const tileRows = 4
/** Columns of a tile: two vectors. A panel of B holds this many. */
export const tileColumns = (simd: Simd): number => 2 * simd.lanes
/** How much of k is multiplied at a time, so that a slice of a panel of B stays in the nearest cache. */
const kBlock = 256

/* pack(from, step along k, step along the panel, k, lanes in use, panel): bytes in steps. What is not in use becomes 0. */
const packParams = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const

function definePack(func: Func, simd: Simd, width: number): void {
  const [from, kStep, laneStep, k, used, to] = func.params as unknown as Local<'i32'>[] as [Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>]
  const vectors = width / simd.lanes
  const row = width * simd.bytes
  const rest = func.int(k)
  func.if(i32.eq(used, width), () => {
    func.if(i32.eq(laneStep, simd.bytes), () => {
      // neighbours in the panel are neighbours in memory
      func.while(rest, () => {
        for (let v = 0; v < vectors; v++) func.do(v128.store(to, v128.load(from, 16 * v), 16 * v))
        func.add(from, kStep)
        func.add(to, row)
        func.add(rest, -1)
      })
      func.return()
    })
    func.if(i32.eq(kStep, simd.bytes), () => {
      // neighbours along k are neighbours in memory: squares are transposed
      func.while(i32.geS(rest, simd.lanes), () => {
        for (let v = 0; v < vectors; v++) {
          const base = func.let(i32.add(from, i32.mul(laneStep, v * simd.lanes)))
          const lines = Array.from({ length: simd.lanes }, () => {
            const line = func.let(v128.load(base))
            func.add(base, laneStep)
            return line
          })
          transposed(func, simd, lines).forEach((column, j) => { func.do(v128.store(to, column, j * row + 16 * v)) })
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

/** A square of vectors with rows and columns exchanged. */
function transposed(func: Func, { bits }: Simd, lines: readonly V128[]): V128[] {
  const pick = (a: V128, b: V128, lanes: readonly number[]): V128 => v128.shuffle(a, b, lanes.flatMap(lane => Array.from({ length: bits / 8 }, (_, i) => lane * (bits / 8) + i)))
  const [a, b, c, d] = lines as [V128, V128, V128, V128]
  if (bits === 64) return [pick(a, b, [0, 2]), pick(a, b, [1, 3])]
  const ab = func.let(pick(a, b, [0, 4, 1, 5])), cd = func.let(pick(c, d, [0, 4, 1, 5]))
  const abHigh = func.let(pick(a, b, [2, 6, 3, 7])), cdHigh = func.let(pick(c, d, [2, 6, 3, 7]))
  return [pick(ab, cd, [0, 1, 4, 5]), pick(ab, cd, [2, 3, 6, 7]), pick(abHigh, cdHigh, [0, 1, 4, 5]), pick(abHigh, cdHigh, [2, 3, 6, 7])]
}

/* tile(a, b, k, c, bytes between rows of c, whether to add to c): a tile of 4 rows × 2 vectors from packed panels. */
const tileParams = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const

function defineTile(func: Func, simd: Simd): void {
  const [a, b, k, c, row, more] = func.params as unknown as [Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>]
  const sums = Array.from({ length: tileRows * 2 }, () => func.local('v128'))
  const c1 = func.let(i32.add(c, row)), c2 = func.let(i32.add(c1, row)), c3 = func.let(i32.add(c2, row))
  const rows: readonly I32[] = [c, c1, c2, c3]
  func.if(more, () => { sums.forEach((sum, i) => { func.set(sum, v128.load(rows[i >> 1]!, 16 * (i & 1))) }) })
  const b0 = func.local('v128'), b1 = func.local('v128'), x = func.local('v128')
  const step = (n: number): void => {
    func.set(b0, v128.load(b, 32 * n))
    func.set(b1, v128.load(b, 32 * n + 16))
    for (let i = 0; i < tileRows; i++) {
      func.set(x, simd.loadSplat(a, (n * tileRows + i) * simd.bytes))
      func.set(sums[2 * i]!, simd.madd(x, b0, sums[2 * i]!))
      func.set(sums[2 * i + 1]!, simd.madd(x, b1, sums[2 * i + 1]!))
    }
  }
  const advance = (n: number): void => {
    func.add(a, n * tileRows * simd.bytes)
    func.add(b, n * 32)
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
  sums.forEach((sum, i) => { func.do(v128.store(rows[i >> 1]!, sum, 16 * (i & 1))) })
}

/* block(a panels, b panels, k, c, bytes between rows of c, rows, columns, scratch for one tile): a block of c from packed panels. */
const blockParams = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const

function defineBlock(func: Func, tile: Func, simd: Simd): void {
  const [a, b, k, c, row, rows, columns, spare] = func.params as unknown as [Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>]
  const width = tileColumns(simd)
  const done = func.int(0)
  const panelA = func.let(i32.mul(k, tileRows * simd.bytes))
  const panelB = func.let(i32.mul(k, width * simd.bytes))
  func.while(i32.or(i32.ltS(done, k), i32.and(i32.eqz(k), i32.eqz(done))), () => {
    const depth = func.let(i32.minS(kBlock, i32.sub(k, done)))
    func.for(0, columns, width, j => {
      const pb = func.let(i32.add(i32.add(b, i32.mul(i32.divU(j, width), panelB)), i32.mul(done, width * simd.bytes)))
      func.for(0, rows, tileRows, i => {
        const pa = func.let(i32.add(i32.add(a, i32.mul(i32.divU(i, tileRows), panelA)), i32.mul(done, tileRows * simd.bytes)))
        const at = func.let(i32.add(i32.add(c, i32.mul(i, row)), i32.mul(j, simd.bytes)))
        func.if(i32.and(i32.leS(i32.add(i, tileRows), rows), i32.leS(i32.add(j, width), columns)), () => {
          func.call(tile, pa, pb, depth, at, row, done)
        }, () => {
          // at an edge the tile is made apart, and what belongs to c is copied
          func.call(tile, pa, pb, depth, spare, width * simd.bytes, 0)
          const high = func.let(i32.minS(tileRows, i32.sub(rows, i)))
          const wide = func.let(i32.minS(width, i32.sub(columns, j)))
          func.for(0, high, 1, r => {
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
      })
    })
    func.add(done, i32.maxS(depth, 1))
  })
}

const pick = (name: string, bits: 32 | 64): string => `${name}${bits}`

/** The matrix product's part of the library. */
export const gemmLibrary = {
  gemmPackA32: { params: packParams, define: (func, _own, simd) => { definePack(func, simd, tileRows) } },
  gemmPackA64: { params: packParams, define: (func, _own, _floats, simd) => { definePack(func, simd, tileRows) } },
  gemmPackB32: { params: packParams, define: (func, _own, simd) => { definePack(func, simd, tileColumns(simd)) } },
  gemmPackB64: { params: packParams, define: (func, _own, _floats, simd) => { definePack(func, simd, tileColumns(simd)) } },
  gemmTile32: { params: tileParams, define: (func, _own, simd) => { defineTile(func, simd) } },
  gemmTile64: { params: tileParams, define: (func, _own, _floats, simd) => { defineTile(func, simd) } },
  gemmBlock32: { params: blockParams, define: (func, own, simd) => { defineBlock(func, own[pick('gemmTile', 32)]!, simd) } },
  gemmBlock64: { params: blockParams, define: (func, own, _floats, simd) => { defineBlock(func, own[pick('gemmTile', 64)]!, simd) } },
} satisfies Record<string, LibraryEntry>
