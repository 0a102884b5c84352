// The words of memory through which threads talk, and the waiting that they do there.

import { choose, i32, type I32, type Int, memory } from '../wasm/instructions.ts'
import type { Callee, Func, ModuleBuilder } from '../wasm/module.ts'

/** Addresses of the words, each in a cache line of its own where threads spin on it. */
export const control = {
  /** Counts up whenever a worker shall look up: a program to run, or mail. */
  signal: 64,
  /** The run that workers are called to: odd while it is being written down. */
  job: 128,
  /** Its program, which part of that, and its epoch. */
  program: 132,
  segment: 136,
  epoch: 140,
  /** How many messages the workers have been sent. */
  mail: 144,
  /** Set by kernels that meet an index out of range. */
  error: 148,
  /** The units of the present run that are done, and its epoch; see {@link packed}. */
  done: 192,
  /** How many sleep on `done`, and on `signal`. */
  sleepers: 256,
  idle: 260,
  /** Whether the calling thread may sleep. */
  mayWait: 264,
  /** From here, a word a worker: messages it has read. */
  read: 320,
  /** From here, a word a worker: whether it is in a run. */
  busy: 384,
} as const

/**
 * Counts of units carry the epoch of their run in their upper bits, so that a thread that was not scheduled for a while and
 * comes back to a run long over takes no unit of another. Nobody ever waits for a thread, only for units.
 */
const unitBits = 20
/** Units that the tasks of one run may have together. */
export const mostUnits = 2 ** unitBits - 1
/** After this many runs epochs begin anew. */
export const epochs = 2 ** (32 - unitBits)
/** The word of a count of 0 in an epoch. */
export const packed = (epoch: number): number => epoch << unitBits

const countOf = (word: I32): I32 => i32.and(word, mostUnits)
const isOf = (word: I32, epoch: I32): I32 => i32.eq(i32.shrU(word, unitBits), epoch)

/** Rounds of looking before a thread goes to sleep: some tens of microseconds. */
const patience = 20000

/** While `waits` of the word: looks, and after a while sleeps where that is allowed. */
function whileWord(func: Func, word: number, waits: (value: I32) => I32, sleepers: number, mayWait: Int, shared: boolean): void {
  const rounds = func.int(0)
  const value = func.let(i32.atomicLoad(word))
  func.while(waits(value), () => {
    func.add(rounds, 1)
    if (shared) {
      func.if(i32.and(i32.gtU(rounds, patience), i32.const(mayWait)), () => {
        func.do([i32.atomicAdd(sleepers, 1).code, 0x1a])
        func.do(memory.wait(word, value, -1))
        func.do([i32.atomicAdd(sleepers, -1).code, 0x1a])
      })
    }
    func.set(value, i32.atomicLoad(word))
  })
}

/** What the tasks of a program are shared by. */
export interface Sharing {
  /** (counter, units, epoch) → the next unit of a task, or −1 where there is none left or the run is over. */
  readonly take: Callee
  /** (units): counts units that are done. */
  readonly finish: Callee
  /** (thread, units, epoch): returns when so many units of the run are done, or it is over. */
  readonly wait: Callee
}

/** Defines {@link Sharing} in a module. */
export function defineSharing(module: ModuleBuilder, shared: boolean): Sharing {
  const take = module.func(['i32', 'i32', 'i32'], ['i32'])
  const [counter, units, takeEpoch] = take.params
  const word = take.let(i32.atomicLoad(counter))
  take.while(i32.and(isOf(word, takeEpoch), i32.ltS(countOf(word), units)), () => {
    const seen = take.let(i32.atomicCompareExchange(counter, word, i32.add(word, 1)))
    take.if(i32.eq(seen, word), () => { take.return(countOf(word)) })
    take.set(word, seen)
  })
  take.return(i32.const(-1))

  const finish = module.func(['i32'])
  finish.do([i32.atomicAdd(control.done, finish.params[0]).code, 0x1a])
  if (shared) finish.if(i32.atomicLoad(control.sleepers), () => { finish.do(memory.notify(control.done)) })

  const wait = module.func(['i32', 'i32', 'i32'])
  const [thread, needed, epoch] = wait.params
  const mayWait = wait.let(choose(thread, i32.const(1), i32.load(control.mayWait)))
  whileWord(wait, control.done, value => i32.and(isOf(value, epoch), i32.ltS(countOf(value), needed)), control.sleepers, mayWait, shared)
  return { take, finish, wait }
}

/** A function (signal seen) of a worker's own, which returns when there is a new signal. */
export function defineIdle(module: ModuleBuilder): void {
  const func = module.func(['i32'], [], 'idle')
  whileWord(func, control.signal, value => i32.eq(value, func.params[0]), control.idle, 1, true)
}
