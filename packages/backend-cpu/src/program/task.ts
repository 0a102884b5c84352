// A task: a loop whose rounds ("units") are independent, so that threads may share them in any order.

import type { Region } from './region.ts'
import type { I32 } from '../wasm/instructions.ts'
import type { Callee, Func } from '../wasm/module.ts'

/** A piece of a program. Two units of one task never write the same byte, and none reads what another writes. */
export interface Task {
  /** What a profile calls it: the ops that it computes. */
  readonly name: string
  readonly units: number
  /** The bytes that its units read and write, by address. */
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
  /** A function of the program's module, (unit: i32, thread: i32) → (). */
  readonly run: Callee
}

/**
 * Emits what shall happen to a block of a result as soon as it is written, while it is in the cache: rows [row0, row1) and
 * columns [column0, column1) of the result seen as a matrix of all its leading axes × the rest.
 */
export type Epilogue = (func: Func, row0: I32, row1: I32, column0: I32, column1: I32) => void
