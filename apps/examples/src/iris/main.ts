// npm run iris: tells the species of Fisher's irises, and plots how it learned to.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { plot, positive, readOptions, table, text, whole } from '@bp/kit'
import { species, splitIris } from './data.ts'
import { accuracy, type IrisRun, predict, trainIris } from './train.ts'

const specs = {
  epochs: whole(200, 'passes over the training flowers'),
  batch: whole(15, 'flowers a step'),
  lr: positive(0.005, "Adam's learning rate"),
  hidden: whole(16, 'hidden units'),
  seed: whole(1, 'of the split, the first weights and the order', 0),
  out: text('out/iris/loss.svg', 'where to plot the losses', 'FILE'),
}

/** The losses of a run as a chart. */
export function lossCurve({ epochs, best }: IrisRun): string {
  const line = (name: string, part: 'train' | 'validation') => ({ name, dots: false, points: epochs.map((losses, i) => [i + 1, losses[part]] as const) })
  const kept = { name: `kept: epoch ${best}`, dots: true, points: [[best, epochs[best - 1]!.validation]] as const }
  return plot("Iris: how a network's losses fall", { name: 'epoch' }, { name: 'cross-entropy', log: true }, [line('training', 'train'), line('validation', 'validation'), kept])
}

/** Runs the command line. */
export async function iris(argv: readonly string[], say: (text: string) => void): Promise<number> {
  const options = readOptions(argv, specs, "Trains a small network on Fisher's irises and plots its losses.", 'npm run iris')
  if (typeof options === 'string') {
    say(options)
    return 0
  }
  use(cpu())
  const split = splitIris(options.seed)
  const run = await trainIris(split, options)
  const { model, best } = run
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  const rows = await Promise.all((['train', 'validation', 'test'] as const).map(async part => [part, String(split[part].y.size), percent(await accuracy(model, split[part]))]))
  say(table([['', 'flowers', 'accuracy'], ...rows], true))
  const [told, is] = [predict(model, split.test), split.test.y].map(x => Array.from(x.dataSync(), Number)) as [number[], number[]]
  const wrong = is.flatMap((kind, i) => told[i] === kind ? [] : [`${species[kind]} for ${species[told[i]!]}`])
  say(`\nThe parameters are those of epoch ${best}, whose validation loss is least.${wrong.length > 0 ? ` Test flowers taken for others: ${wrong.join(', ')}.` : ''}`)
  mkdirSync(dirname(options.out), { recursive: true })
  writeFileSync(options.out, lossCurve(run))
  say(`The losses are plotted in ${options.out}`)
  return 0
}
