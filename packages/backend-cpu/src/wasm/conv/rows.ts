// Convolution's products: a few channels of a band of places at a time, each tap's weights times vectors of the input.

import { tileRows } from '../gemm/library.ts'
import { i32, v128 } from '../instructions.ts'
import type { Func, Local, ModuleBuilder } from '../module.ts'
import type { Simd } from '../simd.ts'

type P = Local<'i32'>

/** The most output channels that are computed together. */
export const tallest = tileRows

/** Vectors of places that are computed together for so many channels: what has few sums waits for each of them. */
const vectorsOf = (height: number): number => [6, 4, 3][height - 1] ?? 2

/* What part of the peak tiles of so many channels reach (measured on matrix products of the same tiles). */
const reached = [0.8, 0.88, 0.92, 0.86, 0.94, 0.99]

/** How many channels the tiles have that make `channels` in the least time. */
export function tilesOf(simd: Simd, channels: number): number[] {
  const most = tallest(simd)
  const times = [0]
  const last = [0]
  for (let n = 1; n <= channels; n++) {
    times[n] = Infinity
    for (let height = 1; height <= Math.min(n, most); height++) {
      const time = times[n - height]! + height / reached[height - 1]!
      if (time < times[n]!) [times[n], last[n]] = [time, height]
    }
  }
  const out: number[] = []
  for (let n = channels; n > 0; n -= last[n]!) out.push(last[n]!)
  return out.sort((a, b) => b - a)
}

/** The same in as few tiles as can be, all alike. */
export function evenTiles(simd: Simd, channels: number): number[] {
  const count = Math.ceil(channels / tallest(simd))
  return Array.from({ length: count }, (_, t) => Math.floor((t + 1) * channels / count) - Math.floor(t * channels / count))
}

/* tile(x of each vector, y of each vector, offsets, taps, weights, bytes of a plane of y, lanes) */
function defineTile(func: Func, simd: Simd, height: number): void {
  const count = vectorsOf(height)
  const params = func.params as unknown as P[]
  const xs = params.slice(0, count), ys = params.slice(count, 2 * count)
  const [offsets, taps, weights, plane, lanes] = params.slice(2 * count) as [P, P, P, P, P]
  const sums = Array.from({ length: height }, () => xs.map(() => func.local('v128')))
  const vectors = xs.map(() => func.local('v128'))
  const w = func.local('v128'), at = func.local('i32')
  const step = (n: number): void => {
    func.set(at, i32.load(offsets, 4 * n))
    vectors.forEach((vector, v) => { func.set(vector, v128.load(i32.add(xs[v]!, at))) })
    sums.forEach((list, i) => {
      func.set(w, simd.loadSplat(weights, (n * height + i) * simd.bytes))
      list.forEach((sum, v) => { func.set(sum, simd.madd(w, vectors[v]!, sum)) })
    })
  }
  const advance = (n: number): void => {
    func.add(offsets, 4 * n)
    func.add(weights, n * height * simd.bytes)
    func.add(taps, -n)
  }
  func.while(i32.geS(taps, 4), () => {
    for (let n = 0; n < 4; n++) step(n)
    advance(4)
  })
  func.while(taps, () => {
    step(0)
    advance(1)
  })
  const write = (f: (sum: Local<'v128'>, y: P) => void): void => {
    for (const list of sums) {
      list.forEach((sum, v) => { f(sum, ys[v]!) })
      for (const y of ys) func.add(y, plane)
    }
  }
  func.if(i32.eq(lanes, simd.lanes), () => { write((sum, y) => { func.do(v128.store(y, sum)) }) }, () => {
    for (let lane = 0; lane < simd.lanes - 1; lane++) {
      func.if(i32.gtS(lanes, lane), () => {
        write((sum, y) => { func.do(simd.bits === 64 ? v128.storeLane64(y, sum, lane, lane * 8) : v128.storeLane32(y, sum, lane, lane * 4)) })
        for (const y of ys) func.add(y, i32.mul(plane, -height))
      })
    }
  })
}

const rowsParams = 10

/* rows(x, bytes between its rows, offsets, taps, weights, y, bytes between its rows, bytes of its plane, rows, columns): a band of places */
function defineRows(func: Func, tile: Func, simd: Simd, count: number): void {
  const [x, xRow, offsets, taps, weights, y, yRow, plane, rows, columns] = func.params as unknown as [P, P, P, P, P, P, P, P, P, P]
  const vectors = func.let(i32.divU(i32.add(columns, simd.lanes - 1), simd.lanes))
  const lanes = func.let(i32.minS(columns, simd.lanes))
  // the last vector of a row ends with the row, and shares elements with the one before
  const lastStart = func.let(i32.maxS(0, i32.sub(columns, simd.lanes)))
  const left = func.let(i32.mul(rows, vectors))
  const j = func.int(0)
  const column = func.local('i32')
  const xs = Array.from({ length: count }, () => func.local('i32')), ys = xs.map(() => func.local('i32'))
  func.while(i32.gtS(left, 0), () => {
    xs.forEach((to, v) => {
      func.set(column, i32.mul(i32.minS(i32.mul(j, simd.lanes), lastStart), simd.bytes))
      func.set(to, i32.add(x, column))
      func.set(ys[v]!, i32.add(y, column))
      // where no place is left the last one is made again
      func.if(i32.gtS(left, v + 1), () => {
        func.add(j, 1)
        func.if(i32.eq(j, vectors), () => {
          func.set(j, i32.const(0))
          func.add(x, xRow)
          func.add(y, yRow)
        })
      })
    })
    func.call(tile, ...xs, ...ys, offsets, taps, weights, plane, lanes)
    func.add(left, -count)
  })
}

/** Defines rows(channels, x, bytes between its rows, offsets, taps, weights, y, bytes between its rows, bytes of its plane, rows, columns) in a module. */
export function defineAnyRows(func: Func, module: ModuleBuilder, simd: Simd): void {
  const [channels, ...rest] = func.params as unknown as [P, ...P[]]
  const ints = (n: number): 'i32'[] => new Array<'i32'>(n).fill('i32')
  for (let height = 1; height <= tallest(simd); height++) {
    const count = vectorsOf(height)
    const tile = module.func(ints(2 * count + 5)) as unknown as Func
    defineTile(tile, simd, height)
    const rows = module.func(ints(rowsParams)) as unknown as Func
    defineRows(rows, tile, simd, count)
    func.if(i32.eq(channels, height), () => { func.call(rows, ...rest) })
  }
}
