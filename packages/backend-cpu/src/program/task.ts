// A task: a loop whose rounds ("units") are independent, so that threads may share them in any order.

import type { Region } from './region.ts'
import type { I32, Int } from '../wasm/instructions.ts'
import type { Callee, Func } from '../wasm/module.ts'

/** Units of a task that threads can share evenly: where there are fewer, larger ones are cut. */
export const fewUnits = 8

/** A piece of a program. Two units of one task never write the same byte, and none reads what another writes. */
export interface Task {
  /** What a profile calls it: the ops that it computes. */
  readonly name: string
  readonly units: number
  /** The bytes that its units read and write, by address. */
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
  /** Whether it runs in the first run alone, and again where a variable has been assigned: what it writes stays. */
  readonly once?: boolean
  /** A function of the program's module, (unit: i32, thread: i32) → (). */
  readonly run: Callee
}

/** A block of a result seen as a matrix of its leading axes × the rest: rows and columns from one up to another. */
export interface Block {
  readonly row0: Int
  readonly row1: Int
  readonly column0: Int
  readonly column1: Int
}

/** What shall happen to each block of a result as soon as it is written, while it is in the cache. */
export interface Epilogue {
  /** Blocks must be whole rows. */
  readonly wholeRows: boolean
  /** Emits it, once a kernel: for the block that a unit, one of so many, has made. */
  emit(func: Func, block: Block, unit: I32, thread: I32, units: number): void
}
