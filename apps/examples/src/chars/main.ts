// npm run chars: a transformer or an LSTM learns to foretell Moby-Dick character by character.

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { cpu } from '@bp/backend-cpu'
import { noGrad, tensor, use } from '@bp/core'
import { choice, flag, type OptionValues, positive, readOptions, table, text, UsageError, whole, writeWhole } from '@bp/kit'
import { encodeSafetensors } from '@bp/nn'
import { exportOnnx, importOnnx } from '@bp/onnx'
import { judge, write } from './evaluate.ts'
import { modelKinds } from './models.ts'
import { ngramBits } from './ngram.ts'
import { type Corpus, corpusOf, decode, readNovel } from './text.ts'
import { CharRun } from './train.ts'

const specs = {
  model: choice(modelKinds, modelKinds.join(' or '), 'M'),
  steps: whole(2000, 'steps of training'),
  batch: whole(32, 'windows of text a step'),
  context: whole(64, 'characters in a window', 2),
  dim: whole(0, 'width of the network; 0 is as wide as suits it', 0),
  layers: whole(0, 'layers; 0 is as many as suit it', 0),
  heads: whole(4, "heads of the transformer's attention"),
  lr: positive(0.003, "AdamW's highest learning rate"),
  seed: whole(1, 'of the first weights, the windows and the sample', 0),
  sample: whole(400, 'characters to write in the end', 0),
  temperature: positive(0.8, 'below 1 it writes the likelier, above 1 the rarer'),
  out: text('out/chars', 'where to write the model', 'DIR'),
  resume: flag('go on from the checkpoint in DIR'),
}
type Options = OptionValues<typeof specs>

/** Sizes that take much the same time a step. */
const sizes = { transformer: { dim: 128, layers: 2 } } as const

/** Steps between two lines of progress, and two checkpoints. */
const interval = 100
/** Characters of the validation text that are judged on the way; in the end all are. */
const glimpse = 16_384

/** Aborted by the first Ctrl-C; the second ends the process at once. */
const stop = new AbortController()
function stopOnSignal(): void {
  if (stop.signal.aborted) process.exit(130)
  stop.abort()
}

/** Runs the command line. */
export async function chars(argv: readonly string[], say: (text: string) => void): Promise<number> {
  const options = readOptions(argv, specs, 'Trains a network to foretell Moby-Dick character by character, and lets it write.', 'npm run chars')
  if (typeof options === 'string') {
    say(options)
    return 0
  }
  const dim = options.dim || sizes[options.model].dim
  const layers = options.layers || sizes[options.model].layers
  if (dim % options.heads !== 0) throw new UsageError(`--dim ${dim} must be a multiple of --heads ${options.heads}`)
  use(cpu())
  const corpus = corpusOf(readNovel())
  const checkpoint = join(resolve(options.out), 'checkpoint.safetensors')
  if (options.resume && !existsSync(checkpoint)) throw new UsageError(`there is nothing to resume: ${relative('.', checkpoint)} does not exist. Start without --resume`)
  const run = options.resume ? CharRun.from(readFileSync(checkpoint), corpus) : new CharRun({ ...trainOptions(options), dim, layers }, corpus)
  say(introduction(run, corpus))
  process.on('SIGINT', stopOnSignal).on('SIGTERM', stopOnSignal)
  const whole = await train(run, corpus, checkpoint, say)
  process.off('SIGINT', stopOnSignal).off('SIGTERM', stopOnSignal)
  if (!whole) {
    say(`Stopped after step ${run.taken}. Go on exactly from here with --resume${options.out === specs.out.fallback ? '' : ` --out ${options.out}`}`)
    return 130
  }
  const same = finish(run, corpus, options, say)
  rmSync(checkpoint, { force: true })
  return same ? 0 : 1
}

const trainOptions = ({ model, steps, batch, context, dim, layers, heads, lr, seed }: Options): CharRun['options'] => ({ model, steps, batch, context, dim, layers, heads, lr, seed })

const count = (n: number): string => n.toLocaleString('en')

function introduction({ options, model, taken }: CharRun, { alphabet, train, validation }: Corpus): string {
  const parameters = model.parameters().reduce((n, { size }) => n + size, 0)
  const { model: kind, dim, layers, context, batch, lr, seed, steps } = options
  return [
    `Moby-Dick: ${count(train.length)} characters to learn from, the last ${count(validation.length)} to be judged on, ${alphabet.length} different ones.`,
    `${kind}: ${layers} layers of ${dim}, ${count(parameters)} parameters, windows of ${context}; batch ${batch}, rate ${lr}, seed ${seed}, ${count(steps)} steps.`,
    ...taken > 0 ? [`Going on after step ${taken}, with the options it was started with.`] : [],
  ].join('\n')
}

/** Trains to the end; `false` where it was stopped. Either way a checkpoint is left. */
async function train(run: CharRun, { validation }: Corpus, checkpoint: string, say: (text: string) => void): Promise<boolean> {
  const bits = judge(run.model, run.options.context)
  const begin = performance.now()
  const first = run.taken
  let nats = 0
  let since = run.taken
  while (!run.finished()) {
    nats += run.step().item()
    if (run.taken % interval === 0 || run.finished()) {
      const trained = (run.taken - first) * run.options.batch * run.options.context
      say(`step ${String(run.taken).padStart(String(run.options.steps).length)}  train ${(nats / (run.taken - since) / Math.LN2).toFixed(3)}  validation ${bits(validation.subarray(0, glimpse)).toFixed(3)} bits a character  ${count(Math.round(1000 * trained / (performance.now() - begin)))} characters/s`)
      nats = 0
      since = run.taken
      writeWhole(checkpoint, run.checkpoint())
    }
    // lets signals in
    await new Promise(done => { setImmediate(done) })
    if (stop.signal.aborted && !run.finished()) {
      writeWhole(checkpoint, run.checkpoint())
      return false
    }
  }
  return true
}

/** Judges the network, lets it write, and writes its files; returns whether it is read back as it was. */
function finish({ model, options: { model: kind, context, seed } }: CharRun, { alphabet, train, validation }: Corpus, { out, sample, temperature }: Options, say: (text: string) => void): boolean {
  model.eval()
  const bits = judge(model, context)(validation)
  const row = (name: string, value: number): string[] => [name, value.toFixed(3), (2 ** value).toFixed(2)]
  say(`\n${table([
    ['on the validation text', 'bits a character', 'perplexity'],
    ...['single characters, counted', 'pairs, counted', 'triples, counted'].map((name, i) => row(name, ngramBits(i + 1, train, validation, alphabet.length))),
    row(kind, bits),
  ], true)}`)
  const prompt = validation.subarray(0, context)
  if (sample > 0) say(`\n${decode(prompt, alphabet)}▸${decode(write(model, context, prompt, sample, temperature, seed), alphabet)}\n`)
  const weights = encodeSafetensors(model.stateDict(), { format: 'bp', network: kind, alphabet: alphabet.join('') })
  writeWhole(join(out, 'model.safetensors'), weights)
  const onnx = exportOnnx(model, [{ name: 'characters', shape: [1, context], dtype: 'int32', dynamicBatch: true }], { outputs: ['logits'], name: kind })
  writeWhole(join(out, 'model.onnx'), onnx)
  const x = tensor([Array.from(prompt)], { dtype: 'int32' })
  const [ours, theirs] = noGrad(() => [model.forward(x), importOnnx(onnx).run({ characters: x }).logits!]).map(y => y.dataSync() as Float32Array) as [Float32Array, Float32Array]
  const difference = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i]!)), 0)
  say(`${join(out, 'model.safetensors')}  ${count(weights.length)} bytes\n${join(out, 'model.onnx')}  ${count(onnx.length)} bytes; read back, its logits differ by at most ${difference.toExponential(1)}`)
  return difference < 1e-3
}
