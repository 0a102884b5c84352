// npm start: train, export, read back, compare.

import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { cpu } from '@bp/backend-cpu'
import { BpError, use } from '@bp/core'
import { UsageError } from '@bp/kit'
import { crossEntropy, encodeSafetensors, memoryBreakdown, summary } from '@bp/nn'
import { exportOnnx, importOnnx } from '@bp/onnx'
import { type Callback, formatLog, ProgressBar } from '@bp/train'
import { CheckpointFiles, writeWhole } from '@bp/train/node'
import { compare } from './compare.ts'
import { type Images, pick, split, toBatch } from './data.ts'
import { readDigits } from './files.ts'
import { type Options, parseOptions } from './options.ts'
import { accuracy, begin, optionsIn, predict, train, type TrainOptions } from './train.ts'

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`
const progress = new ProgressBar(process.stdout, { format: (name, value) => name.endsWith('accuracy') ? `${name === 'accuracy' ? 'train' : 'test'} ${percent(value)}` : formatLog(name, value) })
const say = (text = ''): void => { progress.line(text) }

/** Aborted by the first Ctrl-C; the second ends the process at once. */
const stop = new AbortController()
function stopOnSignal(): void {
  if (stop.signal.aborted) process.exit(130)
  stop.abort()
}

async function main(argv: readonly string[]): Promise<number> {
  const given = parseOptions(argv)
  if (typeof given === 'string') {
    process.stdout.write(given)
    return 0
  }
  use(cpu())
  const out = resolve(given.out)
  const store = new CheckpointFiles(out)
  const options = optionsFor(given, store)
  if (!options) return 1
  const images = split(readDigits())
  if (given.compare) {
    say(compare(options, images.train))
    return 0
  }
  say(`${images.train.labels.length.toLocaleString('en')} training and ${images.test.labels.length.toLocaleString('en')} test images of handwritten digits`)
  say()
  say(summary(begin(options).model, [options.batch, 1, 28, 28]).toString())
  say()
  process.on('SIGINT', stopOnSignal).on('SIGTERM', stopOnSignal)
  const begun = performance.now()
  const run = await train(options, { ...images, eager: given.eager, store, resume: given.resume, signal: stop.signal, callbacks: [firstStep(given.eager), progress] })
  if (run.ended.by === 'signal') {
    say(`Stopped after step ${run.step}. Go on exactly from here with`)
    say(`  npm start -- --resume${given.out === 'out/digits' ? '' : ` --out ${given.out}`}`)
    return 130
  }
  const seconds = (performance.now() - begun) / 1000
  process.off('SIGINT', stopOnSignal).off('SIGTERM', stopOnSignal)
  say()
  say(memoryTable(run, options, images.train))
  say()
  return finish(run, images.test, out, seconds, store)
}

/** Says how long the first step takes, which is compiled in it. */
function firstStep(eager: boolean): Callback {
  let begun: number | null = null
  return {
    onEpochBegin: () => { begun ??= performance.now() },
    onStepEnd: () => {
      if (begun !== null && begun > 0) say(`the first step, ${eager ? 'op by op' : 'with tracing and compiling'}: ${(performance.now() - begun).toFixed(0)} ms`)
      begun = 0
    },
  }
}

/** What to train by: what was given, or what the checkpoint holds; `null`, with the reason said, where there is none. */
function optionsFor({ epochs, batch, lr, seed, resume, out }: Options, store: CheckpointFiles): TrainOptions | null {
  if (!resume) return { epochs, batch, lr, seed }
  const checkpoint = store.load()
  if (!checkpoint) {
    say(`There is nothing to resume: ${relative('.', out)} holds no checkpoint. Start without --resume.`)
    return null
  }
  const saved = optionsIn(checkpoint)
  say(`Going on with the options it was started with: --epochs ${saved.epochs} --batch ${saved.batch} --lr ${saved.lr} --seed ${saved.seed}`)
  return saved
}

type Trained = Awaited<ReturnType<typeof train>>

/** The memory of one step op by op. */
function memoryTable({ model, optimiser }: Trained, { batch }: TrainOptions, train: Images): string {
  const [x, y] = toBatch(pick(train, Array.from({ length: batch }, (_, i) => i)))
  return memoryBreakdown(model, optimiser, x, { loss: logits => crossEntropy(logits, y) }).toString()
}

/** Writes the model, reads it back, and compares the two on all test images. */
function finish(run: Trained, test: Images, out: string, seconds: number, store: CheckpointFiles): number {
  const model = run.model.eval()
  const logits = predict(x => model.forward(x), test)
  const onnx = exportOnnx(model, [{ name: 'image', shape: [1, 1, 28, 28], dynamicBatch: true }], { outputs: ['logits'], name: 'digits' })
  const weights = encodeSafetensors(model.stateDict(), { format: 'bp', network: 'digits' })
  writeWhole(join(out, 'model.onnx'), onnx)
  writeWhole(join(out, 'model.safetensors'), weights)
  store.clear()
  const again = importOnnx(readFileSync(join(out, 'model.onnx')))
  const reread = predict(x => again.run({ image: x }).logits!, test)
  const difference = logits.reduce((most, value, i) => Math.max(most, Math.abs(value - reread[i]!)), 0)
  const tested = accuracy(logits, test.labels)
  const same = difference <= 1e-5 && accuracy(reread, test.labels) === tested
  const name = (file: string): string => relative('.', join(out, file))
  say(`Test accuracy ${percent(tested)} after ${seconds.toFixed(1)} s of training.`)
  say(`Read back from ONNX: ${same ? 'the same predictions' : 'DIFFERENT predictions'}; the logits differ by at most ${difference.toExponential(1)}.`)
  say()
  say(`  ${name('model.onnx')}         ${onnx.length.toLocaleString('en')} bytes, for any ONNX runtime`)
  say(`  ${name('model.safetensors')}  ${weights.length.toLocaleString('en')} bytes, parameters by their PyTorch names`)
  say()
  say('Next: npm start -- --epochs 10, or change the network in apps/digits/src/model.ts; npm start -- --help.')
  return same ? 0 : 1
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\nnpm start -- --help lists the options.\n`)
    process.exitCode = 2
  } else if (error instanceof BpError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  } else throw error
}
