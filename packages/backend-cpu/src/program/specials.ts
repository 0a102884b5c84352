// Ops with kernels of their own: which they are, how their operands may lie, and their tasks.

import type { Task } from './task.ts'
import type { Emit } from './emit.ts'
import type { Addresses } from './loopTasks.ts'
import type { Region } from './region.ts'
import type { Specials, Step } from './steps.ts'

export const specials: Specials = {
  takes: () => false,
  strided: () => false,
}

/** The tasks of a step with a kernel of its own. */
export function specialTasks(_emit: Emit, step: Step, _addresses: Addresses, _reads: readonly Region[], _writes: readonly Region[]): Task[] {
  throw new Error(step.name)
}
