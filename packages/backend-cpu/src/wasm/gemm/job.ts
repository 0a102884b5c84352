// A matrix product to be done: where its operands and its result lie.

import type { Region } from '../../program/region.ts'
import type { Epilogue } from '../../program/task.ts'
import { i32, type I32 } from '../instructions.ts'
import type { Func } from '../module.ts'

/** Where a matrix lies: the address of its first element, and distances in elements between rows and between columns. */
export interface MatrixAt {
  readonly address: number
  readonly row: number
  readonly column: number
}

/** An axis of a stack of matrices: its size, and how far apart its entries lie, in elements. */
export interface StackAxis {
  readonly size: number
  readonly a: number
  readonly b: number
  readonly c: number
}

/** Panels that several products read. */
export interface Kept {
  readonly address: number
  /** Whether an earlier product has packed them. */
  readonly packed: boolean
  /** Whether they are kept from run to run. */
  readonly once: boolean
}

/** One of several products that are summed: A and B. */
export type Term = readonly [a: MatrixAt, b: MatrixAt]

/** C = A·B for each entry of a stack. C's rows lie dense along its columns. */
export interface GemmJob {
  readonly name: string
  readonly bits: 32 | 64
  readonly m: number
  readonly n: number
  readonly k: number
  readonly a: MatrixAt
  readonly b: MatrixAt
  /** Where C is a sum: the terms, of equal parts of k each, instead of a and b. There is no stack then. */
  readonly terms?: readonly Term[]
  readonly c: { readonly address: number; readonly row: number }
  readonly stack: readonly StackAxis[]
  /** The bytes of a, b and c; those of the epilogue too. */
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
  /** Where an operand's panels, of so many bytes, are kept for several products or for the next run, and whether they are there already. */
  readonly keepsA?: ((bytes: number) => Kept) | undefined
  readonly keepsB?: ((bytes: number) => Kept) | undefined
  /** What happens to each finished block; rows are counted through the stack. */
  readonly epilogue?: Epilogue | undefined
}

/** How many matrices a stack holds. */
export const stackSize = (stack: readonly StackAxis[]): number => stack.reduce((n, { size }) => n * size, 1)

/** Where an entry of the stack begins: an address plus the entry's distances. */
export function entryAt(func: Func, job: GemmJob, address: number, side: 'a' | 'b' | 'c', entry: I32): I32 {
  const bytes = job.bits / 8
  const live = job.stack.filter(({ size }) => size > 1)
  let after = 1
  let at: I32 = i32.const(address)
  for (let i = live.length - 1; i >= 0; i--) {
    const axis = live[i]!
    const index = i === 0 ? i32.divU(entry, after) : i32.remU(i32.divU(entry, after), axis.size)
    if (axis[side] !== 0) at = i32.add(at, i32.mul(index, axis[side] * bytes))
    after *= axis.size
  }
  return func.let(at)
}
