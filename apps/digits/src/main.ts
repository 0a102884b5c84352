// npm start: train, export, read back, compare.

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { cpu } from '@bp/backend-cpu'
import { BpError, type Tensor, use } from '@bp/core'
import { UsageError, writeWhole } from '@bp/kit'
import { crossEntropy, encodeSafetensors, memoryBreakdown, summary } from '@bp/nn'
import { exportOnnx, importOnnx } from '@bp/onnx'
import { compare } from './compare.ts'
import { type Images, pick, readDigits, split, toBatch } from './data.ts'
import { type Options, parseOptions } from './options.ts'
import { clock, ProgressLine } from './progress.ts'
import { accuracy, predict, Run } from './train.ts'

const line = new ProgressLine(process.stdout)
const say = (text = ''): void => { line.line(text) }
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

/** Aborted by the first Ctrl-C; the second ends the process at once. */
const stop = new AbortController()
function stopOnSignal(): void {
  if (stop.signal.aborted) process.exit(130)
  stop.abort()
}

/** Lets signals in between two steps. */
const breathe = (): Promise<void> => new Promise(done => { setImmediate(done) })

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  if (typeof options === 'string') {
    process.stdout.write(options)
    return 0
  }
  use(cpu())
  const out = resolve(options.out)
  const checkpoint = join(out, 'checkpoint.safetensors')
  const run = start(options, checkpoint)
  if (!run) return 1
  const { train, test } = split(readDigits())
  if (options.compare) {
    say(compare(trainOptions(options), train))
    return 0
  }
  say(`${train.labels.length.toLocaleString('en')} training and ${test.labels.length.toLocaleString('en')} test images of handwritten digits`)
  say()
  say(summary(run.model, [run.progress.options.batch, 1, 28, 28]).toString())
  say()
  process.on('SIGINT', stopOnSignal).on('SIGTERM', stopOnSignal)
  const seconds = await trainAll(run, train, test, checkpoint, options.eager ? 'op by op' : 'with tracing and compiling')
  if (seconds === null) {
    say(`Stopped in epoch ${run.progress.epoch + 1} after step ${run.progress.step}. Go on exactly from here with`)
    say(`  npm start -- --resume${options.out === 'out/digits' ? '' : ` --out ${options.out}`}`)
    return 130
  }
  process.off('SIGINT', stopOnSignal).off('SIGTERM', stopOnSignal)
  say()
  say(memoryTable(run, train))
  say()
  return finish(run, test, out, seconds, checkpoint)
}

/** A new run, or the one that the checkpoint holds; `null`, with the reason said, where that cannot be. */
function start(options: Options, checkpoint: string): Run | null {
  if (!options.resume) return new Run(trainOptions(options), !options.eager)
  if (!existsSync(checkpoint)) {
    say(`There is nothing to resume: ${relative('.', checkpoint)} does not exist. Start without --resume.`)
    return null
  }
  const run = Run.from(readFileSync(checkpoint), !options.eager)
  const { epochs, batch, lr, seed } = run.progress.options
  say(`Going on from epoch ${run.progress.epoch + 1}, step ${run.progress.step}, with the options it was started with: --epochs ${epochs} --batch ${batch} --lr ${lr} --seed ${seed}`)
  return run
}

const trainOptions = ({ epochs, batch, lr, seed }: Options): Run['progress']['options'] => ({ epochs, batch, lr, seed })

/** Trains to the end and returns the seconds it took, or `null` where it was stopped; either way a checkpoint is left. */
async function trainAll(run: Run, train: Images, test: Images, checkpoint: string, how: string): Promise<number | null> {
  const begin = performance.now()
  const { epochs } = run.progress.options
  let trained = 0
  while (!run.finished()) {
    const { progress } = run
    const before = progress.seen
    const stepped = performance.now()
    const last = run.step(train)
    if (trained === 0) say(`the first step, ${how}: ${(performance.now() - stepped).toFixed(0)} ms`)
    trained += progress.seen - before
    const speed = 1000 * trained / (performance.now() - begin)
    const left = (epochs - progress.epoch) * train.labels.length - progress.seen
    const status = { epoch: progress.epoch + 1, epochs, done: progress.seen / train.labels.length, loss: progress.lossSum / progress.seen, accuracy: progress.correct / progress.seen, samplesPerSecond: speed, secondsLeft: left / speed }
    line.update(status)
    if (last) {
      const tested = accuracy(predict(x => run.model.eval().forward(x), test), test.labels)
      run.model.train()
      run.endEpoch(train)
      say(`epoch ${status.epoch}/${epochs}  loss ${status.loss.toFixed(4)}  train ${percent(status.accuracy)}  test ${percent(tested)}  ${Math.round(speed).toLocaleString('en')} images/s  ${clock(status.secondsLeft)} left`)
      writeWhole(checkpoint, run.checkpoint())
    }
    await breathe()
    if (stop.signal.aborted && !run.finished()) {
      writeWhole(checkpoint, run.checkpoint())
      return null
    }
  }
  return (performance.now() - begin) / 1000
}

/** The memory of one more step op by op, measured before its graph is let go. */
function memoryTable(run: Run, train: Images): string {
  const { x, y } = toBatch(pick(train, Array.from({ length: run.progress.options.batch }, (_, i) => i)))
  const forward = (): Tensor => crossEntropy(run.model.forward(x), y)
  forward().backward()
  const table = memoryBreakdown(run.model, run.optimiser, forward(), x).toString()
  run.optimiser.zeroGrad()
  return table
}

/** Writes the model, reads it back, and compares the two on all test images. */
function finish(run: Run, test: Images, out: string, seconds: number, checkpoint: string): number {
  const model = run.model.eval()
  const logits = predict(x => model.forward(x), test)
  const onnx = exportOnnx(model, [{ name: 'image', shape: [1, 1, 28, 28], dynamicBatch: true }], { outputs: ['logits'], name: 'digits' })
  const weights = encodeSafetensors(model.stateDict(), { format: 'bp', network: 'digits' })
  writeWhole(join(out, 'model.onnx'), onnx)
  writeWhole(join(out, 'model.safetensors'), weights)
  rmSync(checkpoint, { force: true })
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
