// The second half of a reduction over rows: the parts that units have left are brought together, always in the same order.

import type { DType } from '@bp/core'
import { i32 } from '../wasm/instructions.ts'
import type { Callee } from '../wasm/module.ts'
import type { Emit } from './emit.ts'
import { bytesOf, combine, loadOne, loadVector, storeLane, storeVector } from './vector.ts'

/** Parts of `count` elements, `bytes` apart, and where their total goes. */
export interface Parts {
  readonly how: 'sum' | 'max'
  readonly dtype: DType
  readonly address: number
  readonly bytes: number
  readonly units: number
  readonly count: number
  readonly to: number
}

/** Columns that one unit brings together. */
export const columnsPerUnit = 2048

/** Emits a function (unit, thread) that totals its columns over all parts. */
export function emitReduceUnits(emit: Emit, { how, dtype, address, bytes, units, count, to }: Parts): Callee {
  const func = emit.module.func(['i32', 'i32'])
  const width = bytesOf(dtype)
  const bits = width === 8 ? 64 : 32
  const at = func.let(i32.mul(func.params[0], columnsPerUnit * width))
  const end = func.let(i32.minS(i32.add(at, columnsPerUnit * width), count * width))
  const sum = func.local('v128')
  const line = (vector: boolean): void => {
    const read = (from: typeof at): ReturnType<typeof loadOne> => vector ? loadVector(dtype, bits, from, 0) : loadOne(dtype, bits, from)
    const part = func.let(i32.add(at, address))
    func.set(sum, read(part))
    func.for(1, units, 1, () => {
      func.add(part, bytes)
      func.set(sum, combine(how, dtype, bits, sum, read(part)))
    })
    func.do(vector ? storeVector(dtype, bits, i32.add(at, to), sum, 0) : storeLane(dtype, bits, i32.add(at, to), sum, 0))
  }
  func.while(i32.leS(i32.add(at, 16), end), () => {
    line(true)
    func.add(at, 16)
  })
  func.while(i32.ltS(at, end), () => {
    line(false)
    func.add(at, width)
  })
  return func
}
