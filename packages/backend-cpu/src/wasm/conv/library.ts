// Convolution's inner kernels: padded copies, packed weights, and dot products of runs.

import type { LibraryEntry } from '../../program/library.ts'
import { i32, type I32, memory, v128 } from '../instructions.ts'
import type { Func, Local, ModuleBuilder } from '../module.ts'
import type { Simd } from '../simd.ts'
import { defineAnyRows, tallest } from './rows.ts'

type Ints<N extends number, R extends Local<'i32'>[] = []> = R['length'] extends N ? R : Ints<N, [...R, Local<'i32'>]>
const paramsOf = <N extends number>(func: Func): Ints<N> => func.params as unknown as Ints<N>
const ints = (n: number): 'i32'[] => new Array<'i32'>(n).fill('i32')

/*
 * pad(from, to, h, w, lowH, lowW, stepH, stepW, paddedH, paddedW, stride, rowBytes): one plane with zeros around and between.
 * Element (i, j) comes to row lowH + i·stepH and column lowW + j·stepW, where they are inside. For windows that move by
 * `stride`, columns lie apart by their remainder, so that the columns that neighbouring windows see are neighbours. `copy` leaves zeros to the caller.
 */
function definePad(func: Func, simd: Simd, clears: boolean): void {
  const [from, to, h, w, lowH, lowW, stepH, stepW, paddedH, paddedW, stride, rowBytes] = paramsOf<12>(func)
  const { bytes } = simd
  if (clears) func.do(memory.fill(to, 0, i32.mul(paddedH, rowBytes)))
  const run = func.let(i32.divU(rowBytes, i32.mul(stride, bytes)))
  // of stride and step one at least is 1
  const first = func.let(i32.divS(i32.add(i32.maxS(0, i32.sub(0, lowW)), i32.sub(stepW, 1)), stepW))
  const end = func.let(i32.minS(w, i32.divS(i32.sub(i32.add(paddedW, i32.sub(stepW, 1)), lowW), stepW)))
  const start = func.let(i32.add(lowW, i32.mul(first, stepW)))
  func.for(0, h, 1, i => {
    const row = func.let(i32.add(lowH, i32.mul(i, stepH)))
    func.if(i32.ltU(row, paddedH), () => {
      const line = func.let(i32.add(to, i32.mul(row, rowBytes)))
      const source = func.let(i32.add(i32.add(from, i32.mul(i32.mul(i, w), bytes)), i32.mul(first, bytes)))
      func.if(i32.and(i32.eq(stride, 1), i32.eq(stepW, 1)), () => {
        copyElements(func, simd, source, i32.add(line, i32.mul(start, bytes)), i32.mul(i32.sub(end, first), bytes))
      }, () => {
        // columns of each remainder by the stride in turn
        func.for(0, stride, 1, r => {
          const column = func.let(i32.add(start, r))
          const place = func.let(i32.add(line, i32.mul(i32.add(i32.mul(i32.remU(column, stride), run), i32.divU(column, stride)), bytes)))
          const at = func.let(i32.add(source, i32.mul(r, bytes)))
          const left = func.let(i32.sub(i32.sub(end, first), r))
          func.while(i32.gtS(left, 0), () => {
            func.do(simd.storeOne(place, simd.loadOne(at)))
            func.add(place, i32.mul(stepW, bytes))
            func.add(at, i32.mul(stride, bytes))
            func.add(left, i32.sub(0, stride))
          })
        })
      })
    })
  })
}

/** Emits the copying of neighbouring elements, few as a rule: a call of `memory.copy` takes as long as dozens of them. */
function copyElements(func: Func, simd: Simd, from: I32, to: I32, size: I32): void {
  const source = func.let(from), target = func.let(to), left = func.let(size)
  func.if(i32.geS(left, 16), () => {
    func.while(i32.gtS(left, 16), () => {
      func.do(v128.store(target, v128.load(source)))
      func.add(source, 16)
      func.add(target, 16)
      func.add(left, -16)
    })
    // the last vector ends with the last element, and may share some with the one before
    func.do(v128.store(i32.add(target, i32.sub(left, 16)), v128.load(i32.add(source, i32.sub(left, 16)))))
  }, () => {
    func.while(i32.gtS(left, 0), () => {
      func.do(simd.storeOne(target, simd.loadOne(source)))
      func.add(source, simd.bytes)
      func.add(target, simd.bytes)
      func.add(left, -simd.bytes)
    })
  })
}

/* pack(from, step along k, step along the channels, k, channels, panel): bytes in steps; a panel holds its channels side by side along k. */
function definePack(func: Func, simd: Simd): void {
  const [from, kStep, channelStep, k, channels, to] = paramsOf<6>(func)
  const row = func.let(i32.mul(channels, simd.bytes))
  func.for(0, channels, 1, () => {
    const at = func.int(from)
    const place = func.int(to)
    func.for(0, k, 1, () => {
      func.do(simd.storeOne(place, simd.loadOne(at)))
      func.add(at, kStep)
      func.add(place, row)
    })
    func.add(from, channelStep)
    func.add(to, simd.bytes)
  })
}

/* dots(x, bytes between its rows, offsets, pairs of taps, y, bytes between its rows, bytes of its plane, rows, vectors, sums): adds to `height` × 2 sums a pair */
function defineDots(func: Func, simd: Simd, height: number): void {
  const [x, xRow, offsets, pairs, y, yRow, plane, rows, vectors, sums] = paramsOf<10>(func)
  const totals = Array.from({ length: height }, () => [func.local('v128'), func.local('v128')] as const)
  const a = func.local('v128'), b = func.local('v128'), g = func.local('v128')
  const lines = Array.from({ length: height }, () => func.local('i32'))
  const xa = func.local('i32'), xb = func.local('i32'), row = func.local('i32'), left = func.local('i32')
  const all = totals.flat()
  const width = func.let(i32.mul(vectors, 16))
  const step = (n: number): void => {
    func.set(a, v128.load(xa, 16 * n))
    func.set(b, v128.load(xb, 16 * n))
    totals.forEach(([first, second], i) => {
      func.set(g, v128.load(lines[i]!, 16 * n))
      func.set(first, simd.madd(g, a, first))
      func.set(second, simd.madd(g, b, second))
    })
  }
  const advance = (n: number): void => {
    for (const pointer of [xa, xb, ...lines]) func.add(pointer, 16 * n)
    func.add(left, -n)
  }
  func.while(pairs, () => {
    all.forEach((total, i) => { func.set(total, v128.load(sums, 16 * i)) })
    func.set(xa, i32.add(x, i32.load(offsets)))
    func.set(xb, i32.add(x, i32.load(offsets, 4)))
    lines.forEach((line, i) => { func.set(line, i === 0 ? y : i32.add(lines[i - 1]!, plane)) })
    func.set(row, rows)
    func.while(row, () => {
      func.set(left, vectors)
      func.while(i32.geS(left, 4), () => {
        for (let n = 0; n < 4; n++) step(n)
        advance(4)
      })
      func.while(left, () => {
        step(0)
        advance(1)
      })
      for (const pointer of [xa, xb]) func.add(pointer, i32.sub(xRow, width))
      for (const line of lines) func.add(line, i32.sub(yRow, width))
      func.add(row, -1)
    })
    all.forEach((total, i) => { func.do(v128.store(sums, total, 16 * i)) })
    func.add(sums, 16 * all.length)
    func.add(offsets, 8)
    func.add(pairs, -1)
  })
}

/* dots as above, with the number of channels in front */
function defineDotsOf(func: Func, kernels: readonly Func[]): void {
  const [height, ...rest] = paramsOf<11>(func)
  kernels.forEach((kernel, i) => {
    func.if(i32.eq(height, i + 1), () => { func.call(kernel, ...rest) })
  })
}

/** The kernels for each number of channels, in a module. */
const dotsOf = (module: ModuleBuilder, simd: Simd): Func[] => Array.from({ length: tallest(simd) }, (_, i) => {
  const kernel = module.func(ints(10)) as unknown as Func
  defineDots(kernel, simd, i + 1)
  return kernel
})

/** Convolution's part of the library. */
export const convLibrary = {
  convPack32: { params: ints(6), define: (func, _own, simd) => { definePack(func, simd) } },
  convPack64: { params: ints(6), define: (func, _own, _floats, simd) => { definePack(func, simd) } },
  convPad32: { params: ints(12), define: (func, _own, simd) => { definePad(func, simd, true) } },
  convPad64: { params: ints(12), define: (func, _own, _floats, simd) => { definePad(func, simd, true) } },
  convCopy32: { params: ints(12), define: (func, _own, simd) => { definePad(func, simd, false) } },
  convCopy64: { params: ints(12), define: (func, _own, _floats, simd) => { definePad(func, simd, false) } },
  convRows32: { params: ints(11), define: (func, _own, simd, _doubles, module) => { defineAnyRows(func, module, simd) } },
  convRows64: { params: ints(11), define: (func, _own, _floats, simd, module) => { defineAnyRows(func, module, simd) } },
  convDots32: { params: ints(11), define: (func, _own, simd, _doubles, module) => { defineDotsOf(func, dotsOf(module, simd)) } },
  convDots64: { params: ints(11), define: (func, _own, _floats, simd, module) => { defineDotsOf(func, dotsOf(module, simd)) } },
} satisfies Record<string, LibraryEntry>
