// Reading slices by index, and adding slices by index.

import type { Emit } from '../../program/emit.ts'
import { zeros } from '../../program/placing.ts'
import type { Region } from '../../program/region.ts'
import { fewUnits, type Task } from '../../program/task.ts'
import { control } from '../../threads/control.ts'
import { f32x4, f64x2, i32, type I32, i32x4, memory, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'

/** Slices of `inner` elements, chosen by `count` indices along an axis of `size`, for each of `outer` blocks. */
export interface IndexJob {
  readonly name: string
  readonly type: 'float32' | 'float64' | 'int32'
  readonly outer: number
  readonly size: number
  readonly inner: number
  readonly count: number
  readonly x: number
  readonly index: number
  readonly to: number
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
}

/** Elements that make a unit. */
const unitSize = 1024
/** The columns that one thread adds to; blocks of them are independent of each other. */
const columns = 32

/** An index made a place ≥ 0; one that is out of range is reported and becomes −1. */
function placeOf(func: Func, at: I32, size: number): Local<'i32'> {
  const raw = func.let(i32.load(at))
  func.if(i32.ltS(raw, 0), () => { func.add(raw, size) })
  func.if(i32.geU(raw, size), () => {
    func.do(i32.store(control.error, 1))
    func.set(raw, i32.const(-1))
  })
  return raw
}

/** y[o, i, …] = x[o, index[i], …] */
export function gather(emit: Emit, { name, type, outer, size, inner, count, x, index, to, reads, writes }: IndexJob): Task[] {
  const slice = inner * (type === 'float64' ? 8 : 4)
  const total = outer * count
  const each = Math.max(1, Math.floor(unitSize / inner))
  const run = emit.module.func(['i32', 'i32'])
  const func = run as unknown as Func
  const first = run.let(i32.mul(run.params[0], each))
  const out = run.let(i32.add(i32.mul(first, slice), to))
  run.for(first, i32.minS(i32.add(first, each), total), 1, i => {
    const place = placeOf(func, i32.add(i32.mul(outer === 1 ? i : i32.remU(i, count), 4), index), size)
    run.if(i32.geS(place, 0), () => {
      const from = run.let(i32.add(i32.mul(outer === 1 ? place : i32.add(i32.mul(i32.divU(i, count), size), place), slice), x))
      if (slice === 4) run.do(i32.store(out, i32.load(from)))
      else run.do(memory.copy(out, from, slice))
    })
    run.add(out, slice)
  })
  return [{ name, units: Math.ceil(total / each), reads, writes, run }]
}

/** y = 0, then y[o, index[i], …] += x[o, i, …] in the order of i */
export function scatterAdd(emit: Emit, { name, type, outer, size, inner, count, x, index, to, reads, writes }: IndexJob): Task[] {
  const bytes = type === 'float64' ? 8 : 4
  const lanes = 16 / bytes
  const add = type === 'int32' ? i32x4.add : type === 'float64' ? f64x2.add : f32x4.add
  const blocks = Math.ceil(inner / columns)
  const run = emit.module.func(['i32', 'i32'])
  const func = run as unknown as Func
  const [unit] = run.params
  const o = run.let(i32.divU(unit, blocks))
  const start = run.let(i32.mul(i32.remU(unit, blocks), columns))
  const width = run.let(i32.minS(columns, i32.sub(inner, start)))
  const target = run.let(i32.add(i32.mul(i32.add(i32.mul(o, size * inner), start), bytes), to))
  const source = run.let(i32.add(i32.mul(i32.add(i32.mul(o, count * inner), start), bytes), x))
  // where one unit would clear much by itself, all threads do so before
  const before = outer * blocks < fewUnits && size * inner >= unitSize ? [zeros(emit, `${name} (zeros)`, to, outer * size * inner, type)] : []
  if (before.length === 0) {
    if (blocks === 1) run.do(memory.fill(target, 0, size * inner * bytes))
    else run.for(0, size, 1, row => { run.do(memory.fill(i32.add(target, i32.mul(row, inner * bytes)), 0, i32.mul(width, bytes))) })
  }
  const one = (at: I32): V128 => bytes === 8 ? v128.load64Zero(at) : v128.load32Zero(at)
  run.for(0, count, 1, i => {
    const place = placeOf(func, i32.add(i32.mul(i, 4), index), size)
    run.if(i32.geS(place, 0), () => {
      const line = run.let(i32.add(target, i32.mul(place, inner * bytes)))
      const addOne = (from: I32): void => {
        const sum = add(one(line), one(from))
        run.do(bytes === 8 ? v128.storeLane64(line, sum, 0) : v128.storeLane32(line, sum, 0))
      }
      if (inner === 1) {
        addOne(source)
        return
      }
      const from = run.int(source)
      const end = run.let(i32.add(from, i32.mul(width, bytes)))
      if (inner >= lanes) {
        run.while(i32.leS(i32.add(from, 16), end), () => {
          run.do(v128.store(line, add(v128.load(line), v128.load(from))))
          run.add(line, 16)
          run.add(from, 16)
        })
      }
      run.while(i32.ltS(from, end), () => {
        addOne(from)
        run.add(line, bytes)
        run.add(from, bytes)
      })
    })
    run.add(source, inner * bytes)
  })
  return [...before, { name, units: outer * blocks, reads, writes, run }]
}
