// The functions that threads run: tasks one after the other, units taken by counting, waiting only where tasks depend on each other.

import { defineSharing } from '../threads/control.ts'
import { i32 } from '../wasm/instructions.ts'
import { callFor, type ModuleBuilder } from '../wasm/module.ts'
import { overlap, type Region } from './region.ts'
import type { Task } from './task.ts'

const meet = (a: readonly Region[], b: readonly Region[]): boolean => a.some(x => b.some(y => overlap(x, y)))

/** Before which tasks all that came before must be done. */
export function barriersOf(tasks: readonly Task[]): boolean[] {
  let since: Task[] = []
  return tasks.map(task => {
    const waits = since.some(({ reads, writes }) => meet(task.reads, writes) || meet(task.writes, writes) || meet(task.writes, reads))
    if (waits) since = []
    since.push(task)
    return waits
  })
}

/** Units of one task; tasks of more have several of theirs taken at a time. */
export const mostTaken = 2 ** 15

/** A task of no more units than threads can count, which does the same. */
export function bounded(module: ModuleBuilder, task: Task): Task {
  if (task.units <= mostTaken) return task
  const each = Math.ceil(task.units / mostTaken)
  const run = module.func(['i32', 'i32'])
  const first = run.let(i32.mul(run.params[0], each))
  run.for(first, i32.minS(i32.add(first, each), task.units), 1, unit => { run.call(task.run, unit, run.params[1]) })
  return { ...task, units: Math.ceil(task.units / each), run }
}

/** The units of some tasks together, which are to stay below what threads can count (`mostUnits`). */
export const unitsOf = (tasks: readonly Task[]): number => tasks.reduce((n, { units }) => n + units, 0)

/**
 * Defines `run(thread, segment, epoch)`. Each segment is a list of tasks; `counters` is the address of a word for each task,
 * which counts the units that were taken.
 */
export function defineRun(module: ModuleBuilder, segments: readonly (readonly Task[])[], counters: number, shared: boolean): void {
  const { take, finish, wait } = defineSharing(module, shared)
  let counter = counters
  const parts = segments.map(tasks => {
    const waits = barriersOf(tasks)
    const loops = tasks.map(task => {
      const loop = module.func(['i32', 'i32'])
      const [thread, epoch] = loop.params
      const next = callFor('i32', take, counter, task.units, epoch)
      const unit = loop.let(next)
      const count = loop.int(0)
      loop.while(i32.geS(unit, 0), () => {
        loop.call(task.run, unit, thread)
        loop.add(count, 1)
        loop.set(unit, next)
      })
      loop.if(count, () => { loop.call(finish, count) })
      counter += 4
      return loop
    })
    const part = module.func(['i32', 'i32'])
    const [thread, epoch] = part.params
    let before = 0
    loops.forEach((loop, i) => {
      if (waits[i]) part.call(wait, thread, before, epoch)
      part.call(loop, thread, epoch)
      before += tasks[i]!.units
    })
    // a worker may go: what others are still doing concerns only the caller
    part.if(i32.eqz(thread), () => { part.call(wait, thread, before, epoch) })
    return part
  })
  const run = module.func(['i32', 'i32', 'i32'], [], 'run')
  const [thread, segment, epoch] = run.params
  parts.forEach((part, i) => {
    run.if(i32.eq(segment, i), () => {
      run.call(part, thread, epoch)
      run.return()
    })
  })
}
