// The functions that threads run: tasks one after the other, units taken by counting, barriers only where tasks depend on each other.

import { defineBarrier } from '../threads/control.ts'
import { i32 } from '../wasm/instructions.ts'
import type { ModuleBuilder } from '../wasm/module.ts'
import { overlap, type Region } from './region.ts'
import type { Task } from './task.ts'

const meet = (a: readonly Region[], b: readonly Region[]): boolean => a.some(x => b.some(y => overlap(x, y)))

/** Before which tasks all threads must have finished what came before. */
export function barriersOf(tasks: readonly Task[]): boolean[] {
  let since: Task[] = []
  return tasks.map(task => {
    const waits = since.some(({ reads, writes }) => meet(task.reads, writes) || meet(task.writes, writes) || meet(task.writes, reads))
    if (waits) since = []
    since.push(task)
    return waits
  })
}

/**
 * Defines `run(thread, segment)`. Each segment is a list of tasks; `counters` is the address of a word for each task, all 0
 * when a run begins.
 */
export function defineRun(module: ModuleBuilder, segments: readonly (readonly Task[])[], counters: number, shared: boolean): void {
  const barrier = defineBarrier(module, shared)
  let counter = counters
  const parts = segments.map(tasks => {
    const waits = barriersOf(tasks)
    const loops = tasks.map(task => {
      const loop = module.func(['i32'])
      const unit = loop.int(i32.atomicAdd(counter, 1))
      const word = counter
      loop.while(i32.ltS(unit, task.units), () => {
        loop.call(task.run, unit, loop.params[0])
        loop.set(unit, i32.atomicAdd(word, 1))
      })
      counter += 4
      return loop
    })
    const part = module.func(['i32'])
    loops.forEach((loop, i) => {
      if (waits[i]) part.call(barrier, part.params[0])
      part.call(loop, part.params[0])
    })
    part.call(barrier, part.params[0])
    return part
  })
  const run = module.func(['i32', 'i32'], [], 'run')
  parts.forEach((part, i) => {
    run.if(i32.eq(run.params[1], i), () => {
      run.call(part, run.params[0])
      run.return()
    })
  })
}
