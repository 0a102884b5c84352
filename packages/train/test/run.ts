// A run that is killed by its test: dropout, shuffled data, a schedule, metrics, a log, checkpoints after each update.
// As a program: node run.ts FOLDER [steps after which it waits to be killed] [where in a checkpoint's writing it kills itself]

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cpu } from '@bp/backend-cpu'
import { type Tensor, tensor, use } from '@bp/core'
import { Adam, crossEntropy, Dropout, encodeCheckpoint, Linear, manualSeed, ReLU, Sequential, type Stateful } from '@bp/nn'
import { Generator } from '@bp/ops'
import { Accuracy, type Callback, EarlyStopping, F1, fit, JSONLog, LearningRateScheduler } from '@bp/train'
import { CheckpointFiles, LogFile, writeWhole } from '@bp/train/node'

type Batch = readonly [x: Tensor, y: Tensor]

/** How many updates the run has. */
export const steps = 150
const perEpoch = 17
const batchSize = 8

/** Where a process can die while it writes a checkpoint. */
export const places = ['half of the file', 'before the sync', 'before the rename', 'before the folder’s sync', 'before an old one is deleted'] as const

/** Points in a new order each pass, with noise from a generator of their own. */
class Shuffled implements Stateful {
  readonly noise = new Generator(11)
  private pass = 0
  private at = 0

  stateDict(): unknown {
    return { pass: this.pass, at: this.at }
  }

  loadStateDict({ pass, at }: { readonly pass: number; readonly at: number }): void {
    this.pass = pass
    this.at = at
  }

  *[Symbol.iterator](): Iterator<Batch> {
    const order = new Generator(100 + this.pass).permutation(perEpoch * batchSize)
    while (this.at < perEpoch) {
      const places = order.slice(this.at * batchSize, (this.at + 1) * batchSize)
      this.at++
      const noise = this.noise.normal([batchSize, 2], { std: 0.4 }).dataSync() as Float32Array
      yield [tensor(noise.map((value, i) => value + places[i >> 1]! % (i % 2 === 0 ? 2 : 3)), { shape: [batchSize, 2] }), tensor(Int32Array.from(places, place => place % 6 % 4))]
    }
    this.pass++
    this.at = 0
  }
}

/** A rate that swings, by a count of steps. */
class Swing implements Stateful {
  private count = 0
  private readonly optimiser: Adam

  constructor(optimiser: Adam) {
    this.optimiser = optimiser
  }

  step(): void {
    this.count++
    this.optimiser.groups[0]!.lr = 0.01 * (1 + Math.sin(this.count / 9) / 2)
  }

  stateDict(): unknown {
    return { count: this.count }
  }

  loadStateDict({ count }: { readonly count: number }): void {
    this.count = count
  }
}

/** Trains from where the folder's newest checkpoint left it, and leaves `final.safetensors`, `history.json` and `log.jsonl`. */
export async function run(folder: string, everySteps: number, callbacks: readonly Callback[] = []): Promise<void> {
  use(cpu())
  manualSeed(1)
  const generator = new Generator(1)
  const model = new Sequential(new Linear(2, 32, { generator }), new ReLU(), new Dropout(0.2, { generator: new Generator(2) }), new Linear(32, 4, { generator }), new Dropout(0.05))
  const optimiser = new Adam(model.parameters(), { lr: 0.01 })
  const data = new Shuffled()
  const log = new LogFile(join(folder, 'log.jsonl'))
  const { history } = await fit(model, {
    data, loss: crossEntropy, optimiser, steps, compile: true, accumulate: 2, clipNorm: 1, resume: true,
    validation: [...new Shuffled()], metrics: { accuracy: new Accuracy(), f1: new F1({ average: 'macro' }) },
    scheduler: new LearningRateScheduler(new Swing(optimiser), { every: 'step' }),
    checkpoint: { store: new CheckpointFiles(folder, { warn: message => { throw new Error(message) } }), everySteps, monitor: 'val_loss' },
    parts: { noise: data.noise },
    callbacks: [new JSONLog(log), new EarlyStopping({ patience: 1000, restoreBest: true }), ...callbacks],
  })
  log.close()
  writeWhole(join(folder, 'history.json'), new TextEncoder().encode(JSON.stringify(history)))
  writeWhole(join(folder, 'final.safetensors'), encodeCheckpoint({ model, optimiser, noise: data.noise, data }))
}

const die = (): void => { process.kill(process.pid, 'SIGKILL') }

/** Kills this process at a place in the writing of the third checkpoint. */
function dieAt(place: typeof places[number]): void {
  const { writeSync, fsyncSync, renameSync, rmSync } = fs
  let written = 0
  let syncs = 0
  const third = (): boolean => written >= 3
  Object.assign(fs, {
    writeSync: (file: number, bytes: Uint8Array | string, at?: number) => {
      if (typeof bytes === 'string') return writeSync(file, bytes)
      written++
      if (third() && place === 'half of the file') {
        writeSync(file, bytes, 0, bytes.length >> 1)
        die()
      }
      return writeSync(file, bytes, at)
    },
    fsyncSync: (file: number) => {
      syncs++
      if (third() && place === (syncs % 2 === 1 ? 'before the sync' : 'before the folder’s sync')) die()
      fsyncSync(file)
    },
    renameSync: (from: string, to: string) => {
      if (third() && place === 'before the rename') die()
      renameSync(from, to)
    },
    rmSync: (path: string, options: fs.RmOptions) => {
      if (third() && place === 'before an old one is deleted') die()
      rmSync(path, options)
    },
  })
  syncBuiltinESMExports()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , folder, wait, place] = process.argv
  if (place !== undefined) dieAt(place as typeof places[number])
  let taken = 0
  await run(folder!, 1, wait === undefined ? [] : [{
    onStepEnd: () => {
      fs.writeSync(1, '.')
      return ++taken < Number(wait) ? undefined : new Promise<void>(() => { setInterval(() => undefined, 1000) })
    },
  }])
}
