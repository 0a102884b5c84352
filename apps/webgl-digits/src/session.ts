// A session: one run at a time, begun, run, paused and asked by commands, in a worker or in the page.

/// <reference lib="dom" />

import { cpu } from '@bp/backend-cpu'
import { webgl, type WebglBackend } from '@bp/backend-webgl'
import { type Backend, use } from '@bp/core'
import { type Images, pick, type Split, split } from '@bp/digits/data'
import { unpack } from './packed.ts'
import type { Command, Report, Tell } from './protocol.ts'
import { Trainer } from './trainer.ts'

/** Those of apps/digits; the epochs are given. */
const options = { batch: 32, lr: 0.003, seed: 1 }
const judgeEvery = 50
/** How many test digits are shown with their predictions. */
const shownCount = 40

interface Run {
  readonly number: number
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
  /** The run that was asked for last; what is begun for another is given up. */
  private newest = 0
  private images: Promise<Images> | null = null
  private parts: Split | null = null
  private gpu: Promise<WebglBackend> | null = null

  constructor(tell: Tell) {
    this.tell = tell
  }

  /** Does what is asked; never rejects. */
  async handle(command: Command): Promise<void> {
    const number = this.newest = command.kind === 'begin' ? command.run : this.newest
    try {
      if (command.kind === 'begin') await this.begin(command)
      else if (this.run) await this.obey(this.run, command)
    } catch (error) {
      if (number !== this.newest) return
      const lost = this.run !== null && 'lost' in this.run.backend && this.run.backend.lost
      const reason = lost ? 'lost' : command.kind === 'begin' && command.backend === 'webgl' && this.gpu === null ? 'no-webgl' : 'other'
      this.end()
      this.report(number, { kind: 'failed', reason, message: error instanceof Error ? error.message : String(error) })
    }
  }

  private report(number: number, report: Report, transfer: Transferable[] = []): void {
    if (number === this.newest) this.tell({ run: number, report }, transfer)
  }

  private async obey(run: Run, command: Exclude<Command, { kind: 'begin' }>): Promise<void> {
    switch (command.kind) {
      case 'run': return this.go(run)
      case 'pause':
        run.wanted = false
        return
      case 'predict': {
        const chances = await run.trainer.predict({ pixels: command.pixels, labels: new Int32Array(1) })
        this.report(run.number, { kind: 'predicted', chances: [...chances] })
        return
      }
      case 'save': {
        const bytes = new Uint8Array(run.trainer.save(command.format))
        this.report(run.number, { kind: 'saved', format: command.format, bytes }, [bytes.buffer])
      }
    }
  }

  /** Lets the present run go: nothing of it is computed any more. */
  private end(): void {
    if (!this.run) return
    this.run.wanted = false
    this.run.trainer.abandoned = true
    this.run = null
  }

  private async begin({ run: number, backend: name, epochs }: Command & { kind: 'begin' }): Promise<void> {
    this.end()
    const [backend, images] = await Promise.all([name === 'cpu' ? cpu() : this.openGpu(), this.load()])
    if (number !== this.newest) return
    use(backend)
    const { train, test } = this.parts ??= split(images)
    const trainer = new Trainer({ ...options, epochs }, { train, test })
    const run: Run = this.run = { number, trainer, backend, wanted: false, going: false, ready: Promise.resolve() }
    const shown = pick(test, Array.from({ length: shownCount }, (_, i) => i))
    this.report(number, { kind: 'begun', device: 'adapter' in backend ? backend.adapter : 'CPU, WebAssembly', steps: trainer.steps, tests: test.labels.length, shown })
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
    const { number, trainer, backend } = run
    const goesOn = (): boolean => run.wanted && trainer.taken < trainer.steps
    run.wanted = true
    if (run.going) return
    run.going = true
    await run.ready
    while (goesOn()) {
      const loss = await trainer.step()
      this.report(number, { kind: 'step', step: trainer.taken, loss, at: performance.now(), held: 'memory' in backend ? backend.memory() : null })
      if (trainer.taken % judgeEvery === 0 || trainer.taken === trainer.steps) await this.judge(run)
      await breathe()
    }
    run.going = false
    this.report(number, { kind: trainer.taken < trainer.steps ? 'paused' : 'ended' })
  }

  private async judge({ number, trainer }: Run): Promise<void> {
    const { accuracy, labels } = await trainer.judge(shownCount)
    if (!trainer.abandoned) this.report(number, { kind: 'judged', step: trainer.taken, accuracy, labels })
  }
}
