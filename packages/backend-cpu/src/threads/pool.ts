// The threads that run programs together: the caller, and workers where memory may be shared.

import type { Heap } from '../heap.ts'
import { engine, type WasmModule } from '../wasm/engine.ts'
import { ModuleBuilder } from '../wasm/module.ts'
import { control, defineIdle, epochs, packed } from './control.ts'
import type { Mail } from './worker.ts'

/** What Node and browsers both have of a worker. */
interface AnyWorker {
  postMessage(mail: Mail): void
  terminate(): unknown
  unref?(): void
}

interface NodeWorker extends AnyWorker {
  on(event: 'error', listener: () => void): void
}

interface WebWorker extends AnyWorker {
  addEventListener(event: 'error', listener: () => void): void
}

interface NodeLike {
  getBuiltinModule?(name: string): { Worker: new (url: URL) => NodeWorker; availableParallelism(): number }
}

/** A browser's; bundlers look for this name beside the address of what runs there. */
declare const Worker: (new (url: URL, options: { type: 'module' }) => WebWorker) | undefined

const node = (): NodeLike | undefined => (globalThis as { process?: NodeLike }).process

/** A program that has been sent to all threads: what `run` starts. */
export interface Loaded {
  /** `null` where no worker has it. */
  readonly id: number | null
  readonly run: (thread: number, segment: number, epoch: number) => void
}

/** The caller and its workers. */
export class Pool {
  /** How many threads there are when all have started. */
  readonly threads: number
  private words: Int32Array
  private readonly workers: AnyWorker[] = []
  private readonly heap: Heap
  private unloaded: { readonly mail: number; readonly then: () => void }[] = []
  private epoch = 0
  private mail = 0
  private nextId = 1

  constructor(heap: Heap, threads: number) {
    this.heap = heap
    this.words = new Int32Array(heap.memory.buffer, 0, 1024)
    this.threads = this.start(threads)
    // browsers forbid their main thread to sleep
    this.words[control.mayWait / 4] = heap.shared && typeof (globalThis as { document?: unknown }).document === 'undefined' ? 1 : 0
  }

  /** Hands a program to all threads, unless it is to run on the calling one alone. */
  load(library: WasmModule, program: WasmModule, run: Loaded['run'], alone: boolean): Loaded {
    if (alone) return { id: null, run }
    const id = this.nextId++
    this.post({ id, library, program })
    return { id, run }
  }

  /** Lets workers forget a program; `then`, when none can be in it any longer, its memory may be given back. */
  unload({ id }: Loaded, then: () => void): void {
    if (id === null) {
      then()
      return
    }
    this.post({ id, program: null })
    this.unloaded.push({ mail: this.mail, then })
    this.forget()
  }

  /**
   * Runs a part of a program, on all threads where it is worth sharing. The counters of its tasks are `count` words from
   * address `counters` on. Returns when all units are done; a worker that is not scheduled meanwhile is not waited for.
   */
  run(program: Loaded, segment: number, share: boolean, counters: number, count: number): void {
    if (this.unloaded.length > 0) this.forget()
    const words = this.words
    const together = share && program.id !== null && this.workers.length > 0
    this.epoch = (this.epoch + 1) % epochs
    if (together) Atomics.add(words, control.job / 4, 1)
    if (this.epoch === 0) this.quiet()
    const zero = packed(this.epoch)
    // the memory may have grown beyond the words that were there at first
    const all = counters + 4 * count <= words.byteLength ? words : this.words = new Int32Array(this.heap.memory.buffer)
    all.fill(zero, counters / 4, counters / 4 + count)
    Atomics.store(all, control.done / 4, zero)
    if (Atomics.load(all, control.sleepers / 4) > 0) Atomics.notify(all, control.done / 4)
    if (together) {
      all[control.program / 4] = program.id!
      all[control.segment / 4] = segment
      all[control.epoch / 4] = this.epoch
      Atomics.add(all, control.job / 4, 1)
      this.wake()
    }
    program.run(0, segment, this.epoch)
  }

  /** Until no worker is in a run of an earlier epoch: before epochs begin anew. */
  private quiet(): void {
    for (let i = 0; i < this.workers.length; i++) while (Atomics.load(this.words, control.busy / 4 + i) !== 0);
  }

  /** Does what waited for workers to have forgotten a program. */
  private forget(): void {
    const read = Math.min(this.mail, ...this.workers.map((_, i) => Atomics.load(this.words, control.read / 4 + i)))
    const kept = this.unloaded.filter(({ mail }) => mail > read)
    const gone = this.unloaded.filter(({ mail }) => mail <= read)
    this.unloaded = kept
    for (const { then } of gone) then()
  }

  /** Whether every worker has read all its mail. */
  ready(): boolean {
    for (let i = 0; i < this.workers.length; i++) if (Atomics.load(this.words, control.read / 4 + i) !== this.mail) return false
    return true
  }

  /** How many threads take part in a run now. */
  get active(): number {
    return this.ready() ? this.workers.length + 1 : 1
  }

  private start(threads: number): number {
    const make = threads > 1 && this.heap.shared ? workerMaker() : undefined
    if (!make) return 1
    const idle = new ModuleBuilder({ pages: 1, maxPages: this.heap.maxPages, shared: true })
    defineIdle(idle)
    const mail = { memory: this.heap.memory, idle: new (engine().Module)(idle.encode()) }
    try {
      for (let thread = 1; thread < threads; thread++) {
        const worker = make(() => { this.goOnAlone() })
        worker.unref?.()
        worker.postMessage({ ...mail, thread })
        this.workers.push(worker)
      }
    } catch {
      // workers that started wait for programs, and take part; those that could not are not counted
      if (this.workers.length === 0) alone()
    }
    this.mail = 1
    Atomics.store(this.words, control.mail / 4, 1)
    return this.workers.length + 1
  }

  /** A worker that could not be loaded never reads its mail, and takes part in nothing: the caller does it all. */
  private goOnAlone(): void {
    if (this.workers.length === 0) return
    alone()
    for (const worker of this.workers.splice(0)) worker.terminate()
  }

  private post(mail: Mail): void {
    if (this.workers.length === 0) return
    this.mail++
    Atomics.store(this.words, control.mail / 4, this.mail)
    this.wake()
    for (const worker of this.workers) worker.postMessage(mail)
  }

  private wake(): void {
    Atomics.add(this.words, control.signal / 4, 1)
    if (Atomics.load(this.words, control.idle / 4) > 0) Atomics.notify(this.words, control.signal / 4)
  }
}

const alone = (): void => { console.info('@bp/backend-cpu: a worker did not start, so one thread computes. Serve threads/worker.js beside the code that looks for it; the README of @bp/backend-cpu says how bundlers do') }

/** Makes a worker, and says when it fails, where there are any. */
function workerMaker(): ((failed: () => void) => AnyWorker) | undefined {
  const threads = node()?.getBuiltinModule?.('node:worker_threads')
  if (threads) {
    // sources run as they are in tests and editors, what is published is JavaScript; bundlers for browsers see no file here
    return failed => {
      const here = import.meta.url
      const file = here.endsWith('.ts') ? './worker.ts' : './worker.js'
      const worker = new threads.Worker(new URL(file, here))
      worker.on('error', failed)
      return worker
    }
  }
  if (typeof Worker === 'undefined') return undefined
  return failed => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
    worker.addEventListener('error', failed)
    return worker
  }
}

/** How many threads the machine runs at once, at most 8. */
export function machineThreads(): number {
  const count = node()?.getBuiltinModule?.('node:os').availableParallelism() ?? (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator?.hardwareConcurrency ?? 1
  return Math.max(1, Math.min(8, count))
}
