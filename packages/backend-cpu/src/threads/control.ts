// The words of memory through which threads talk, and the waiting that they do there.

import { i32, type Int, memory } from '../wasm/instructions.ts'
import type { Callee, Func, ModuleBuilder } from '../wasm/module.ts'

/** Addresses of the words, each in a cache line of its own where threads spin on it. */
export const control = {
  /** Counts up whenever a worker shall look up: a program to run, or mail. */
  signal: 64,
  /** How many threads take part in the present run. */
  participants: 128,
  /** Which program, and which part of it. */
  program: 132,
  segment: 136,
  /** Counts the runs that workers were called to. */
  job: 148,
  /** How many messages the workers have been sent. */
  mail: 140,
  /** Set by kernels that meet an index out of range. */
  error: 144,
  /** The barrier: how many have arrived, and how often it has opened. */
  arrived: 192,
  opened: 256,
  /** How many sleep on `opened`, and on `signal`. */
  sleepers: 320,
  idle: 324,
  /** Whether the calling thread may sleep. */
  mayWait: 328,
  /** From here, a word a worker: messages it has read. */
  read: 384,
} as const

/** Rounds of looking before a thread goes to sleep: some tens of microseconds. */
const patience = 20000

/** Until the word differs from `old`: looks, and after a while sleeps where that is allowed. */
function untilChanged(func: Func, word: number, old: Int, sleepers: number, mayWait: Int, shared: boolean): void {
  const rounds = func.int(0)
  func.while(i32.eq(i32.atomicLoad(word), old), () => {
    func.add(rounds, 1)
    if (!shared) return
    func.if(i32.and(i32.gtU(rounds, patience), i32.const(mayWait)), () => {
      func.do([i32.atomicAdd(sleepers, 1).code, 0x1a])
      func.do(memory.wait(word, old, -1))
      func.do([i32.atomicAdd(sleepers, -1).code, 0x1a])
    })
  })
}

/** A function (thread) that returns when all participants have called it. */
export function defineBarrier(module: ModuleBuilder, shared: boolean): Callee {
  const func = module.func(['i32'])
  const [thread] = func.params
  const all = func.let(i32.load(control.participants))
  func.if(i32.leS(all, 1), () => { func.return() })
  const before = func.let(i32.atomicLoad(control.opened))
  func.if(i32.eq(i32.atomicAdd(control.arrived, 1), i32.sub(all, 1)), () => {
    func.do(i32.atomicStore(control.arrived, 0), [i32.atomicAdd(control.opened, 1).code, 0x1a])
    if (shared) func.if(i32.atomicLoad(control.sleepers), () => { func.do(memory.notify(control.opened)) })
  }, () => {
    untilChanged(func, control.opened, before, control.sleepers, i32.or(i32.ne(thread, 0), i32.load(control.mayWait)), shared)
  })
  return func
}

/** A function (signal seen) of a worker's own, which returns when there is a new signal. */
export function defineIdle(module: ModuleBuilder): void {
  const func = module.func(['i32'], [], 'idle')
  untilChanged(func, control.signal, func.params[0], control.idle, 1, true)
}
