// The threads that run programs together: the caller, and workers where memory may be shared.

import type { Heap } from '../heap.ts'
import { engine, type WasmModule } from '../wasm/engine.ts'
import { ModuleBuilder } from '../wasm/module.ts'
import { control, defineIdle } from './control.ts'
import type { Mail } from './worker.ts'

/** What Node and browsers both have of a worker. */
interface AnyWorker {
  postMessage(mail: Mail): void
  unref?(): void
}

interface NodeLike {
  getBuiltinModule?(name: string): { Worker: new (url: URL) => AnyWorker; availableParallelism(): number }
}

const node = (): NodeLike | undefined => (globalThis as { process?: NodeLike }).process

/** A program that has been sent to all threads: what `run` starts. */
export interface Loaded {
  readonly id: number
  readonly run: (thread: number, segment: number) => void
}

/** The caller and its workers. */
export class Pool {
  /** How many threads there are when all have started. */
  readonly threads: number
  private readonly words: Int32Array
  private readonly workers: AnyWorker[] = []
  private readonly heap: Heap
  private mail = 0
  private nextId = 1

  constructor(heap: Heap, threads: number) {
    this.heap = heap
    this.words = new Int32Array(heap.memory.buffer, 0, 1024)
    this.threads = this.start(threads)
    // browsers forbid their main thread to sleep
    this.words[control.mayWait / 4] = heap.shared && typeof (globalThis as { document?: unknown }).document === 'undefined' ? 1 : 0
    this.words[control.participants / 4] = 1
  }

  /** Hands a program to all threads. */
  load(library: WasmModule, program: WasmModule, run: Loaded['run']): Loaded {
    const id = this.nextId++
    this.post({ id, library, program })
    return { id, run }
  }

  /** Lets workers forget a program. */
  unload({ id }: Loaded): void {
    this.post({ id, program: null })
  }

  /** Runs a part of a program on all threads that are ready; by itself where it is not worth sharing. */
  run(program: Loaded, segment: number, share: boolean): void {
    const { words } = this
    const together = share && this.workers.length > 0 && this.ready()
    words[control.participants / 4] = together ? this.workers.length + 1 : 1
    if (together) {
      words[control.program / 4] = program.id
      words[control.segment / 4] = segment
      Atomics.add(words, control.job / 4, 1)
      this.wake()
    }
    program.run(0, segment)
  }

  /** Whether every worker has read all its mail. */
  ready(): boolean {
    for (let i = 0; i < this.workers.length; i++) if (Atomics.load(this.words, control.read / 4 + i) !== this.mail) return false
    return true
  }

  private start(threads: number): number {
    const Worker = threads > 1 && this.heap.shared ? workerClass() : undefined
    if (!Worker) return 1
    const idle = new ModuleBuilder({ pages: 1, maxPages: this.heap.maxPages, shared: true })
    defineIdle(idle)
    const mail = { memory: this.heap.memory, idle: new (engine().Module)(idle.encode()) }
    try {
      for (let thread = 1; thread < threads; thread++) {
        const worker = Worker()
        worker.unref?.()
        worker.postMessage({ ...mail, thread })
        this.workers.push(worker)
      }
    } catch {
      // workers that started wait for programs, and take part; those that could not are not counted
    }
    this.mail = 1
    Atomics.store(this.words, control.mail / 4, 1)
    return this.workers.length + 1
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

/** Makes a worker, where there are any. */
function workerClass(): (() => AnyWorker) | undefined {
  const threads = node()?.getBuiltinModule?.('node:worker_threads')
  // sources run as they are in tests and editors; what is published, and what bundlers look for, is JavaScript
  if (threads) return () => new threads.Worker(import.meta.url.endsWith('.ts') ? new URL('./worker.ts', import.meta.url) : new URL('./worker.js', import.meta.url))
  const Web = (globalThis as { Worker?: new (url: URL, options: { type: 'module' }) => AnyWorker }).Worker
  return Web && (() => new Web(new URL('./worker.js', import.meta.url), { type: 'module' }))
}

/** How many threads the machine runs at once, at most 8. */
export function machineThreads(): number {
  const count = node()?.getBuiltinModule?.('node:os').availableParallelism() ?? (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator?.hardwareConcurrency ?? 1
  return Math.max(1, Math.min(8, count))
}
