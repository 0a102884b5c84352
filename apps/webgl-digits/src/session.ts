// A session: one run at a time, begun, run, paused and asked by commands, in a worker or in the page.

/// <reference lib="dom" />

import { cpu } from '@bp/backend-cpu'
import { webgl, type WebglBackend } from '@bp/backend-webgl'
import { type Backend, use } from '@bp/core'
import { type Images, pick, type Split, split } from '@bp/digits/data'
import { unpack } from './packed.ts'
import type { BackendName, Command, Tell } from './protocol.ts'
import { Trainer } from './trainer.ts'

/** Those of apps/digits; the epochs are given. */
const options = { batch: 32, lr: 0.003, seed: 1 }
const judgeEvery = 50
/** How many test digits are shown with their predictions. */
const shownCount = 40

interface Run {
  readonly trainer: Trainer
  readonly backend: Backend | WebglBackend
  /** Whether it shall go on, and whether it does. */
  wanted: boolean
  going: boolean
  /** The judgement before the first step. */
  ready: Promise<void>
}

/** Lets messages and input in. */
const breathe = (): Promise<void> => new Promise(resolve => {
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    resolve()
  }
  port2.postMessage(0)
})

async function load(): Promise<Images> {
  const response = await fetch(new URL('digits.bin', import.meta.url))
  if (!response.ok) throw new Error(`The digits could not be loaded: the server says ${response.status}.`)
  return unpack(await response.arrayBuffer())
}

/** Serves commands; what becomes of them is told. */
export class Session {
  private readonly tell: Tell
  private run: Run | null = null
  private images: Promise<Images> | null = null
  private parts: Split | null = null
  private gpu: Promise<WebglBackend> | null = null
  private backend: BackendName = 'webgl'

  constructor(tell: Tell) {
    this.tell = tell
  }

  /** Does what is asked; never rejects. */
  async handle(command: Command): Promise<void> {
    try {
      await this.obey(command)
    } catch (error) {
      const lost = this.run !== null && 'lost' in this.run.backend && this.run.backend.lost
      const reason = lost ? 'lost' : this.backend === 'webgl' && this.gpu === null ? 'no-webgl' : 'other'
      this.run = null
      this.tell({ kind: 'failed', reason, message: error instanceof Error ? error.stack! : String(error) })
    }
  }

  private async obey(command: Command): Promise<void> {
    if (command.kind === 'begin') return this.begin(command.backend, command.epochs)
    const { run } = this
    if (!run) return
    switch (command.kind) {
      case 'run': return this.go(run)
      case 'pause':
        run.wanted = false
        return
      case 'predict': {
        const chances = await run.trainer.predict({ pixels: command.pixels, labels: new Int32Array(1) })
        return this.tell({ kind: 'predicted', chances: [...chances] })
      }
      case 'save': {
        const bytes = new Uint8Array(run.trainer.save(command.format))
        return this.tell({ kind: 'saved', format: command.format, bytes }, [bytes.buffer])
      }
    }
  }

  private async begin(name: BackendName, epochs: number): Promise<void> {
    if (this.run) this.run.wanted = false
    this.run = null
    this.backend = name
    const [backend, images] = await Promise.all([name === 'cpu' ? cpu() : this.openGpu(), this.load()])
    use(backend)
    const { train, test } = this.parts ??= split(images)
    const trainer = new Trainer({ ...options, epochs }, { train, test })
    const run: Run = this.run = { trainer, backend, wanted: false, going: false, ready: Promise.resolve() }
    const shown = pick(test, Array.from({ length: shownCount }, (_, i) => i))
    this.tell({ kind: 'begun', device: 'adapter' in backend ? backend.adapter : 'CPU, WebAssembly', steps: trainer.steps, tests: test.labels.length, shown })
    await (run.ready = this.judge(run))
  }

  private async load(): Promise<Images> {
    try {
      return await (this.images ??= load())
    } catch (error) {
      this.images = null
      throw error
    }
  }

  /** One context for the session's life: browsers take contexts away where there are many. */
  private async openGpu(): Promise<WebglBackend> {
    try {
      return await (this.gpu ??= webgl())
    } catch (error) {
      this.gpu = null
      throw error
    }
  }

  private async go(run: Run): Promise<void> {
    run.wanted = true
    if (run.going) return
    run.going = true
    await run.ready
    const { trainer } = run
    while (run.wanted && trainer.taken < trainer.steps) {
      const loss = await trainer.step()
      if (this.run !== run) return
      this.tell({ kind: 'step', step: trainer.taken, loss, at: performance.now(), held: 'memory' in run.backend ? run.backend.memory() : null })
      if (trainer.taken % judgeEvery === 0 || trainer.taken === trainer.steps) await this.judge(run)
      await breathe()
    }
    run.going = false
    this.tell({ kind: trainer.taken < trainer.steps ? 'paused' : 'ended' })
  }

  private async judge(run: Run): Promise<void> {
    const { accuracy, labels } = await run.trainer.judge(shownCount)
    if (this.run === run) this.tell({ kind: 'judged', step: run.trainer.taken, accuracy, labels })
  }
}
