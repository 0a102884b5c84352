// The places of the largest elements of windows.

import type { Emit } from '../../program/emit.ts'
import type { Region } from '../../program/region.ts'
import type { Task } from '../../program/task.ts'
import { control } from '../../threads/control.ts'
import type { Triple } from '../conv/geometry.ts'
import { choose, f32, f32x4, f64, i32, type I32, i32x4, type Int, v128 } from '../instructions.ts'
import type { Callee } from '../module.ts'

/** Windows over planes, and where the flat places of their maxima go. */
export interface PoolJob {
  readonly name: string
  readonly bits: 32 | 64
  readonly planes: number
  readonly size: Triple
  readonly kernel: Triple
  readonly places: Triple
  readonly stride: Triple
  readonly low: Triple
  readonly dilation: Triple
  readonly x: number
  readonly to: number
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
}

/** Elements of input that make a unit. */
const unitSize = 1024

/** The first of the largest elements of each window as int32; NaN counts as the largest, and padding never wins. */
export function poolArgMax(emit: Emit, job: PoolJob): Task[] {
  const whole = ([0, 1, 2] as const).every(axis => insideOf(job, axis))
  return whole && job.bits === 32 && job.places[2] >= 4 && job.stride[2] <= 2 ? inVectors(emit, job) : oneByOne(emit, job)
}

/** Whether all windows lie inside along an axis. */
const insideOf = ({ size, kernel, places, stride, low, dilation }: PoolJob, axis: 0 | 1 | 2): boolean =>
  low[axis] === 0 && (places[axis] - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] < size[axis]

const even = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]

/** Four neighbouring windows at a time; the last four of a row overlap with those before. */
function inVectors(emit: Emit, job: PoolJob): Task[] {
  const { size, places, stride } = job
  const plane = size[0] * size[1] * size[2]
  const each = Math.max(1, Math.floor(unitSize / plane))
  const run = emit.module.func(['i32', 'i32'])
  const first = run.let(i32.mul(run.params[0], each))
  const end = run.let(i32.minS(i32.add(first, each), job.planes))
  const line = defineLine(emit, job)
  run.for(first, end, 1, p => {
    run.for(0, places[0], 1, d => { run.for(0, places[1], 1, h => {
      const from = i32.add(i32.mul(p, plane), i32.mul(i32.add(i32.mul(d, stride[0] * size[1]), i32.mul(h, stride[1])), size[2]))
      const to = i32.add(i32.mul(i32.add(i32.mul(i32.add(i32.mul(p, places[0]), d), places[1]), h), places[2] * 4), job.to)
      run.call(line, from, to)
    }) })
  })
  return [{ name: job.name, units: Math.ceil(job.planes / each), reads: job.reads, writes: job.writes, run }]
}

/** A function (index of the first element, address of the results) for one row of windows. */
function defineLine(emit: Emit, { x, size, kernel, places, stride, dilation }: PoolJob): Callee {
  const func = emit.module.func(['i32', 'i32'])
  const [from, to] = func.params
  const best = func.local('v128'), top = func.local('v128'), value = func.local('v128'), places4 = func.local('v128')
  const steps = v128.const([0, 1, 2, 3].flatMap(lane => [...new Uint8Array(Int32Array.of(lane * stride[2]).buffer)]))
  func.for(0, up(places[2], 4), 4, j => {
    const start = func.let(i32.minS(j, places[2] - 4))
    const base = func.let(i32.add(from, i32.mul(start, stride[2])))
    func.set(places4, i32x4.add(i32x4.splat(base), steps))
    const at = func.let(i32.mul(base, 4))
    let isFirst = true
    for (let d = 0; d < kernel[0]; d++) {
      for (let h = 0; h < kernel[1]; h++) {
        for (let w = 0; w < kernel[2]; w++) {
          const tap = (d * dilation[0] * size[1] + h * dilation[1]) * size[2] + w * dilation[2]
          const low = v128.load(at, x + 4 * tap)
          func.set(value, stride[2] === 1 ? low : v128.shuffle(low, v128.load(at, x + 4 * tap + 16), even))
          const index = i32x4.add(places4, i32x4.const(tap))
          if (isFirst) {
            func.set(best, index)
            func.set(top, value)
          } else {
            // larger, or NaN where there was none yet
            const better = func.let(v128.andNot(f32x4.eq(top, top), f32x4.le(value, top)))
            func.set(best, v128.select(index, best, better))
            func.set(top, v128.select(value, top, better))
          }
          isFirst = false
        }
      }
    }
    func.do(v128.store(i32.add(to, i32.mul(start, 4)), best))
  })
  return func
}

const up = (n: number, to: number): number => Math.ceil(n / to) * to

function oneByOne(emit: Emit, job: PoolJob): Task[] {
  const { bits, size, kernel, places, stride, low, dilation } = job
  const float = bits === 64 ? f64 : f32
  const bytes = bits / 8
  const plane = size[0] * size[1] * size[2]
  const each = Math.max(1, Math.floor(unitSize / plane))
  const run = emit.module.func(['i32', 'i32'])
  const first = run.let(i32.mul(run.params[0], each))
  const out = run.let(i32.add(i32.mul(first, 4 * places[0] * places[1] * places[2]), job.to))
  const best = run.local('i32')
  const top = run.local(bits === 64 ? 'f64' : 'f32')
  const value = run.local(bits === 64 ? 'f64' : 'f32')
  /** Goes through the taps of an axis that are inside. */
  const along = (axis: 0 | 1 | 2, start: I32, body: (at: I32) => void): void => {
    run.for(0, kernel[axis], 1, tap => {
      const at = run.let(i32.add(start, dilation[axis] === 1 ? tap : i32.mul(tap, dilation[axis])))
      if (insideOf(job, axis)) body(at)
      else run.if(i32.ltU(at, size[axis]), () => { body(at) })
    })
  }
  const starts = (place: Int, axis: 0 | 1 | 2): I32 => run.let(i32.sub(i32.mul(place, stride[axis]), low[axis]))
  run.for(first, i32.minS(i32.add(first, each), job.planes), 1, p => {
    const base = run.let(i32.mul(p, plane))
    run.for(0, places[0], 1, pd => { run.for(0, places[1], 1, ph => { run.for(0, places[2], 1, pw => {
      const d = starts(pd, 0), h = starts(ph, 1), w = starts(pw, 2)
      run.set(best, i32.const(-1))
      run.set(top, float.const(-Infinity))
      along(0, d, z => { along(1, h, y => {
        const line = run.let(i32.add(base, i32.mul(i32.add(i32.mul(z, size[1]), y), size[2])))
        along(2, w, x => {
          const at = run.let(i32.add(line, x))
          run.set(value, float.load(i32.add(i32.mul(at, bytes), job.x)))
          const isNew = i32.and(float.ne(value as never, value as never), float.eq(top as never, top as never))
          const larger = run.let(i32.or(i32.or(float.gt(value as never, top as never), isNew), i32.ltS(best, 0)))
          run.set(best, choose(larger, at, best))
          run.set(top, choose(larger, value, top))
        })
      }) })
      run.if(i32.ltS(best, 0), () => { run.do(i32.store(control.error, 2)) })
      run.do(i32.store(out, best))
      run.add(out, 4)
    }) }) })
  })
  return [{ name: job.name, units: Math.ceil(job.planes / each), reads: job.reads, writes: job.writes, run }]
}
