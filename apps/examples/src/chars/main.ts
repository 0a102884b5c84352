// npm run chars: a transformer or an LSTM learns to foretell Moby-Dick character by character.

import { join } from 'node:path'
import { cpu } from '@bp/backend-cpu'
import { noGrad, tensor, use } from '@bp/core'
import { choice, flag, type OptionValues, positive, readOptions, table, text, UsageError, whole } from '@bp/kit'
import { encodeSafetensors } from '@bp/nn'
import { exportOnnx, importOnnx } from '@bp/onnx'
import { fit, type FormatLog, ProgressBar } from '@bp/train'
import { CheckpointFiles, writeWhole } from '@bp/train/node'
import { judge, write } from './evaluate.ts'
import { type CharModel, modelKinds } from './models.ts'
import { ngramBits } from './ngram.ts'
import { type Corpus, corpusOf, decode, readNovel } from './text.ts'
import { type CharOptions, type CharRun, charRun, optionsIn } from './train.ts'

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
const sizes = { transformer: { dim: 128, layers: 2 }, lstm: { dim: 256, layers: 1 } } as const

/** Runs the command line. */
export async function chars(argv: readonly string[], say: (text: string) => void): Promise<number> {
  const options = readOptions(argv, specs, 'Trains a network to foretell Moby-Dick character by character, and lets it write.', 'npm run chars')
  if (typeof options === 'string') {
    say(options)
    return 0
  }
  const store = new CheckpointFiles(options.out)
  const saved = options.resume ? store.load() : null
  if (options.resume && !saved) throw new UsageError(`there is nothing to resume: ${options.out} holds no checkpoint. Start without --resume`)
  const chosen = saved ? optionsIn(saved) : charOptions(options)
  if (chosen.dim % chosen.heads !== 0) throw new UsageError(`--dim ${chosen.dim} must be a multiple of --heads ${chosen.heads}`)
  use(cpu())
  const corpus = corpusOf(readNovel())
  if (!saved) store.clear()
  const run = charRun(chosen, corpus)
  say(introduction(run, chosen, corpus))
  const stop = new AbortController()
  // the first Ctrl-C ends the run after the present step, the second at once
  const onSignal = (): void => { if (stop.signal.aborted) process.exit(130); else stop.abort() }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  const { ended, step } = await fit(run.model, { ...run.training, checkpoint: { store }, resume: saved ?? false, signal: stop.signal, callbacks: [new ProgressBar(process.stdout, { format })] })
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  if (ended.by === 'signal') {
    say(`Stopped after step ${step}. Go on exactly from here with --resume${options.out === specs.out.fallback ? '' : ` --out ${options.out}`}`)
    return 130
  }
  const same = finish(run.model, chosen, corpus, options, say)
  store.clear()
  return same ? 0 : 1
}

/** What a run is made of, with the sizes that suit it where none are given. */
const charOptions = ({ model, steps, batch, context, dim, layers, heads, lr, seed }: Options): CharOptions =>
  ({ model, steps, batch, context, dim: dim || sizes[model].dim, layers: layers || sizes[model].layers, heads, lr, seed })

/** A loss in bits a character. */
const format: FormatLog = (name, value) => `${name === 'loss' ? 'train' : 'validation'} ${(value / Math.LN2).toFixed(3)}`

const count = (n: number): string => n.toLocaleString('en')

function introduction({ model }: CharRun, { model: kind, dim, layers, context, batch, lr, seed, steps }: CharOptions, { alphabet, train, validation }: Corpus): string {
  const parameters = model.parameters().reduce((n, { size }) => n + size, 0)
  return [
    `Moby-Dick: ${count(train.length)} characters to learn from, the last ${count(validation.length)} to be judged on, ${alphabet.length} different ones.`,
    `${kind}: ${layers} ${layers === 1 ? 'layer' : 'layers'} of ${dim}, ${count(parameters)} parameters, windows of ${context}; batch ${batch}, rate ${lr}, seed ${seed}, ${count(steps)} steps.`,
    'Losses in bits a character, speed in characters a second:',
  ].join('\n')
}

/** Judges the network, lets it write, and writes its files; returns whether it is read back as it was. */
function finish(model: CharModel, { model: kind, context, seed }: CharOptions, { alphabet, train, validation }: Corpus, { out, sample, temperature }: Options, say: (text: string) => void): boolean {
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
