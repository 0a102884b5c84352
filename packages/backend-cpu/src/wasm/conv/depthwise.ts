// Convolutions of each channel by a kernel of its own: blocks of places with every tap written out, weights where they lie.

import type { Emit } from '../../program/emit.ts'
import { fewUnits, type Task } from '../../program/task.ts'
import { i32, v128, memory } from '../instructions.ts'
import type { Simd } from '../simd.ts'
import type { ConvAt } from './conv.ts'
import { type ConvJob, padded, planeOf, tapOffsets, volume } from './geometry.ts'

/** Taps that are written out at most. */
const mostTaps = 64
/** Sums that are held at once at most: beside them a weight and an element of the input need registers, of which V8 has 15. */
const mostSums = 12
/** Multiplications that make a unit. */
const unitWork = 1 << 16

/** Whether every channel stands alone in planes of at least a vector's width. */
export const isDepthwise = ({ inputs, outputs, size: [depth], kernel, places: [deep, , width] }: ConvJob, simd: Simd): boolean =>
  inputs === 1 && outputs === 1 && depth === 1 && deep === 1 && kernel[0] === 1 && volume(kernel) <= mostTaps && width >= simd.lanes

/** Rows and vectors of a block. */
interface BlockSize {
  readonly rows: number
  readonly vectors: number
}

/**
 * The block in which planes are made in the least time. A tap takes a multiply-add and a load a sum, two in a cycle, and no less than the
 * four cycles in which a sum can take the next; blocks at the ends overlap the ones before.
 */
function blockOf(height: number, width: number, lanes: number, taps: number): BlockSize {
  let best = { rows: 1, vectors: 1, time: Infinity }
  for (let rows = 1; rows <= Math.min(height, mostSums); rows++) {
    for (let vectors = 1; vectors * lanes <= width && rows * vectors <= mostSums; vectors++) {
      const time = Math.ceil(height / rows) * Math.ceil(width / (lanes * vectors)) * (taps * Math.max(4, (rows * vectors + 1) / 2) + 10)
      if (time < best.time) best = { rows, vectors, time }
    }
  }
  return best
}

/** y = x ∗ w, channel by channel. Each unit copies its channels between zeros, one after the other into the same place. */
export function depthwise(emit: Emit, { name, bits, job, x, w, y, reads, writes, epilogue }: ConvAt): Task[] {
  const simd = bits === 64 ? emit.doubles : emit.floats
  const bytes = bits / 8
  const { images, groups, size, kernel, places, stride, low, dilation } = job
  const copy = padded(places, kernel, dilation, low, stride, [1, 1, 1])
  const taps = volume(kernel)
  const offsets = tapOffsets(copy, kernel, dilation, false)
  const [, height, width] = places
  const { rows, vectors } = blockOf(height, width, simd.lanes, taps)
  const rowBytes = copy.stride[2] * copy.run * bytes
  const room = Math.ceil((planeOf(copy) * bytes + 64) / 64) * 64
  const own = emit.scratch(room * emit.threads)
  const planes = images * groups
  const each = Math.max(1, Math.min(Math.ceil(planes / fewUnits), Math.floor(unitWork / (taps * height * width))))
  const units = Math.ceil(planes / each)

  const run = emit.module.func(['i32', 'i32'])
  const [unit, thread] = run.params
  const first = run.let(i32.mul(unit, each))
  const end = run.let(i32.minS(i32.add(first, each), planes))
  const zeros = run.let(i32.add(i32.mul(thread, room), own))
  const sums = Array.from({ length: rows }, () => Array.from({ length: vectors }, () => run.local('v128')))
  const weight = run.local('v128')
  // margins stay as they are from channel to channel
  run.do(memory.fill(zeros, 0, room))
  run.for(first, end, 1, plane => {
    run.call(emit.library[`convCopy${bits}`], i32.add(i32.mul(plane, volume(size) * bytes), x), zeros, size[1], size[2], copy.low[1], copy.low[2], 1, 1, copy.size[1], copy.size[2], copy.stride[2], rowBytes)
    const weights = run.let(i32.add(i32.mul(i32.remU(plane, groups), taps * bytes), w))
    const to = run.let(i32.add(i32.mul(plane, height * width * bytes), y))
    run.for(0, height, rows, i => {
      const row = run.let(i32.minS(i, height - rows))
      run.for(0, width, vectors * simd.lanes, j => {
        const column = run.let(i32.minS(j, width - vectors * simd.lanes))
        const at = run.let(i32.add(i32.add(zeros, i32.mul(row, copy.stride[1] * rowBytes)), i32.mul(column, bytes)))
        offsets.forEach((offset, t) => {
          run.set(weight, simd.loadSplat(weights, t * bytes))
          sums.forEach((list, r) => {
            list.forEach((sum, v) => {
              const element = v128.load(at, offset * bytes + r * copy.stride[1] * rowBytes + 16 * v)
              run.set(sum, t === 0 ? simd.op.mul(weight, element) : simd.madd(weight, element, sum))
            })
          })
        })
        const place = run.let(i32.add(to, i32.mul(i32.add(i32.mul(row, width), column), bytes)))
        sums.forEach((list, r) => { list.forEach((sum, v) => { run.do(v128.store(place, sum, r * width * bytes + 16 * v)) }) })
      })
    })
  })
  epilogue?.emit(run, { row0: first, row1: end, column0: 0, column1: height * width }, unit, thread, units)
  return [{ name, units, reads, writes: [...writes, { start: own, end: own + room * emit.threads }], run }]
}
