// The command line: options, their defaults, and what is said of a wrong one.

import { parseArgs } from 'node:util'

/** What a run is made of. */
export interface Options {
  readonly epochs: number
  readonly batch: number
  readonly lr: number
  readonly seed: number
  readonly backend: string
  readonly out: string
  readonly resume: boolean
  /** Op by op instead of compiled. */
  readonly eager: boolean
  /** Times steps both ways instead of training. */
  readonly compare: boolean
}

/** A command line that cannot be run; the message says what to write instead. */
export class UsageError extends Error {}

const defaults: Options = { epochs: 4, batch: 32, lr: 0.003, seed: 1, backend: 'cpu', out: 'out/digits', resume: false, eager: false, compare: false }

/** What `--help` prints. */
export const help = `Trains a convolutional network on 10,000 handwritten digits, exports it to ONNX, and reads it back.

  npm start -- [options]

  --epochs N     passes over the 8,500 training images      (${defaults.epochs})
  --batch N      images a step                              (${defaults.batch})
  --lr X         Adam's first rate; it falls to 0           (${defaults.lr})
  --seed N       of the first weights and the data order    (${defaults.seed})
  --backend B    where to compute: cpu                      (${defaults.backend})
  --out DIR      where to write the model                   (${defaults.out})
  --resume       go on from the checkpoint in DIR
  --eager        train op by op instead of by a compiled step
  --compare      only time steps, compiled and op by op in turns
  --help         this text

Ctrl-C stops after the present step and leaves a checkpoint; --resume goes on exactly from there.
`

/** Reads the command line; `null` where it asks for help. Throws a {@link UsageError} on anything it cannot mean. */
export function parseOptions(argv: readonly string[]): Options | null {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values } = asUsage(() => parseArgs({ args: [...argv], options: { epochs: text, batch: text, lr: text, seed: text, backend: text, out: text, resume: flag, eager: flag, compare: flag, help: { ...flag, short: 'h' } } }))
  if (values.help) return null
  const backend = values.backend ?? defaults.backend
  if (backend !== 'cpu') throw new UsageError(`--backend ${backend} is not available; use cpu`)
  return {
    epochs: whole('epochs', values.epochs, defaults.epochs, 1),
    batch: whole('batch', values.batch, defaults.batch, 1),
    lr: positive('lr', values.lr, defaults.lr),
    seed: whole('seed', values.seed, defaults.seed, 0),
    backend,
    out: values.out ?? defaults.out,
    resume: values.resume ?? false,
    eager: values.eager ?? false,
    compare: values.compare ?? false,
  }
}

function asUsage<R>(f: () => R): R {
  try {
    return f()
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error })
  }
}

function whole(name: string, text: string | undefined, fallback: number, least: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!Number.isInteger(value) || value < least || value >= 2 ** 31) throw new UsageError(`--${name} must be a whole number ≥ ${least}, got '${text}'`)
  return value
}

function positive(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!(value > 0 && value < Infinity)) throw new UsageError(`--${name} must be a number > 0, got '${text}'`)
  return value
}
