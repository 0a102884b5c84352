// A thread that helps: it waits for programs in shared memory, and runs its share of each.

import { engine, type WasmInstance, type WasmMemory, type WasmModule } from '../wasm/engine.ts'
import { control } from './control.ts'

/** What a worker is told: the memory and how to idle first, then programs as they are made and dropped. */
export type Mail =
  | { readonly memory: WasmMemory; readonly idle: WasmModule; readonly thread: number }
  | { readonly id: number; readonly library: WasmModule; readonly program: WasmModule }
  | { readonly id: number; readonly program: null }

type Run = (thread: number, segment: number, epoch: number) => void

let memory: WasmMemory
let words: Int32Array
let idle: (seen: number) => void
let thread = 0
let waiting = false
/** The run last taken part in. */
let lastJob = 0
let kernels: WasmInstance['exports'] | undefined
const programs = new Map<number, Run>()

function receive(mail: Mail): void {
  if ('memory' in mail) {
    memory = mail.memory
    thread = mail.thread
    words = new Int32Array(memory.buffer, 0, 1024)
    idle = new (engine().Instance)(mail.idle, { env: { memory } }).exports.idle as typeof idle
  } else if (mail.program) {
    kernels ??= new (engine().Instance)(mail.library, { env: { memory } }).exports
    programs.set(mail.id, new (engine().Instance)(mail.program, { env: { memory, ...kernels } }).exports.run as Run)
  } else {
    programs.delete(mail.id)
  }
  lastJob = Atomics.load(words, control.job / 4)
  Atomics.add(words, control.read / 4 + thread - 1, 1)
  if (waiting) return
  waiting = true
  setTimeout(work)
}

/** Runs programs until there is mail, then goes back to the event loop to read it. */
function work(): void {
  waiting = false
  for (;;) {
    const seen = Atomics.load(words, control.signal / 4)
    if (Atomics.load(words, control.mail / 4) !== Atomics.load(words, control.read / 4 + thread - 1)) return
    const job = Atomics.load(words, control.job / 4)
    if (job !== lastJob && job % 2 === 0) takePart(job)
    else idle(seen)
  }
}

/** Takes part in a run, unless it was over and another was being written down while this thread read which. */
function takePart(job: number): void {
  Atomics.store(words, control.busy / 4 + thread - 1, 1)
  const [program, segment, epoch] = [words[control.program / 4]!, words[control.segment / 4]!, words[control.epoch / 4]!]
  if (Atomics.load(words, control.job / 4) === job) {
    lastJob = job
    programs.get(program)?.(thread, segment, epoch)
  }
  Atomics.store(words, control.busy / 4 + thread - 1, 0)
}

interface Port {
  on(event: 'message', listener: (mail: Mail) => void): void
}

/** A browser's worker. */
interface Scope {
  addEventListener(type: 'message', listener: (event: { readonly data: Mail }) => void): void
}

const port = (globalThis as { process?: { getBuiltinModule?(name: string): { parentPort: Port | null } } }).process?.getBuiltinModule?.('node:worker_threads').parentPort
if (port) port.on('message', receive)
else (globalThis as unknown as Scope).addEventListener('message', ({ data }) => { receive(data) })
