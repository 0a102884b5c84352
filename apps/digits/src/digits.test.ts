// The digits app: its data, its options, and resuming exactly.

import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { UsageError } from '@bp/kit'
import { encodeCheckpoint, encodeSafetensors } from '@bp/nn'
import { exportOnnx } from '@bp/onnx'
import type { CheckpointStore } from '@bp/train'
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { compare } from './compare.ts'
import { type Images, pick, pixelsPerImage, split } from './data.ts'
import { readDigits } from './files.ts'
import { parseOptions } from './options.ts'
import { accuracy, begin, optionsIn, predict, type Surroundings, train, type TrainOptions } from './train.ts'

use(cpu())
const digits = readDigits()

describe('data', () => {
  test('holds 10,000 images of all ten digits, in [0, 1]', () => {
    expect(digits.labels).toHaveLength(10_000)
    expect(digits.pixels).toHaveLength(10_000 * pixelsPerImage)
    expect(new Set(digits.labels).size).toBe(10)
    expect(digits.pixels.every(p => p >= 0 && p <= 1)).toBe(true)
  })

  test('is split the same way each time, into images that are in one part only', () => {
    const numbered: Images = { pixels: new Float32Array(100 * pixelsPerImage), labels: Int32Array.from({ length: 100 }, (_, i) => i) }
    const { train, test } = split(numbered, 80)
    expect(split(numbered, 80)).toEqual({ train, test })
    expect(new Set([...train.labels, ...test.labels]).size).toBe(100)
    expect([train.labels.length, test.labels.length]).toEqual([80, 20])
  })
})

/** Keeps the newest checkpoint in memory. */
class Memory implements CheckpointStore {
  saved: Uint8Array | null = null
  save(checkpoint: Uint8Array): void { this.saved = checkpoint }
  saveBest(): void { throw new Error('nothing is monitored') }
  load(): Uint8Array | null { return this.saved }
}

describe('a run', () => {
  const { train: images } = split(digits, 130)
  const options = { epochs: 2, batch: 50, lr: 0.01, seed: 5 }
  const finish = async (more: Partial<TrainOptions> = {}, surroundings: Partial<Surroundings> = {}): Promise<Uint8Array> => {
    const { model, optimiser } = await train({ ...options, ...more }, { train: images, ...surroundings })
    return encodeCheckpoint({ model, optimiser })
  }

  test('that is stopped after any step and resumed ends bit by bit as the unbroken one', async () => {
    const whole = await finish()
    for (const stopAfter of [1, 3, 4]) {
      const store = new Memory()
      const stop = new AbortController()
      const { ended, step } = await train(options, { train: images, store, signal: stop.signal, callbacks: [{ onStepEnd: run => { if (run.step === stopAfter) stop.abort() } }] })
      expect([ended.by, step]).toEqual(['signal', stopAfter])
      expect(optionsIn(store.saved!)).toEqual(options)
      expect(await finish({}, { store, resume: true })).toEqual(whole)
    }
  }, 120_000)

  test('with another seed ends elsewhere', async () => {
    expect(await finish({ epochs: 1, seed: 6 })).not.toEqual(await finish({ epochs: 1 }))
  }, 120_000)

  test('op by op ends within rounding of the compiled one', async () => {
    const runs = [await train({ ...options, epochs: 1 }, { train: images }), await train({ ...options, epochs: 1 }, { train: images, eager: true })]
    const [a, b] = runs.map(({ model }) => predict(x => model.forward(x), images)) as [Float32Array, Float32Array]
    a.forEach((value, i) => { expect(Math.abs(value - b[i]!)).toBeLessThan(1e-4) })
    expect(a).not.toEqual(b)
  }, 120_000)

  test('learns, and is judged on other images', async () => {
    const few = pick(images, Array.from({ length: 50 }, (_, i) => i))
    const { model, history } = await train({ epochs: 12, batch: 50, lr: 0.01, seed: 1 }, { train: few, test: images })
    expect(accuracy(predict(x => model.forward(x), few), few.labels)).toBeGreaterThan(0.8)
    expect(history.at(-1)!.logs.val_accuracy).toBeCloseTo(accuracy(predict(x => model.forward(x), images), images.labels), 6)
    expect(history.at(-1)!.logs.lr).toBeLessThan(0.001)
  }, 120_000)

  test('is not resumed from a file that holds none', () => {
    expect(() => optionsIn(encodeSafetensors({}))).toThrow(/holds tensors but no run/)
    expect(() => optionsIn(new Uint8Array(20))).toThrow(/safetensors/)
  })
})

test('compiled and op by op are compared on the same steps', () => {
  const text = compare({ epochs: 1, batch: 4, lr: 0.01, seed: 5 }, pick(digits, Array.from({ length: 40 }, (_, i) => i * 250)))
  expect(text.replace(/ *\d+\.?\d* (?=ms|times)/g, ' # ').replace(/loss \d+\.\d{4}/g, 'loss #')).toMatchInlineSnapshot(`
    "Batches of 4, medians of 60 steps in turns:
      compiled # ms   first call # ms   mean loss #
      op by op # ms   first call # ms   mean loss #
      compiled is # times faster."
  `)
  const [compiled, eager] = [...text.matchAll(/loss (\S+)/g)].map(([, loss]) => Number(loss)) as [number, number]
  expect(compiled).toBeCloseTo(eager, 2)
}, 120_000)

describe('options', () => {
  test('have defaults and are read', () => {
    expect(parseOptions([])).toMatchObject({ batch: 32, seed: 1, backend: 'cpu', resume: false })
    expect(parseOptions(['--epochs', '3', '--lr', '1e-3', '--resume'])).toMatchObject({ epochs: 3, lr: 0.001, resume: true, eager: false, compare: false })
    expect(parseOptions(['--eager', '--compare'])).toMatchObject({ eager: true, compare: true })
    expect(parseOptions(['--help'])).toMatchInlineSnapshot(`
      "Trains a convolutional network on 10,000 handwritten digits, exports it to ONNX, and reads it back.

        npm start -- [options]

        --epochs N   passes over the 8,500 training images            (4)
        --batch N    images a step                                    (32)
        --lr X       Adam's first rate; it falls to 0                 (0.003)
        --seed N     of the first weights and the data order          (1)
        --backend B  where to compute: cpu                            (cpu)
        --out DIR    where to write the model                         (out/digits)
        --resume     go on from the checkpoint in DIR
        --eager      train op by op instead of by a compiled step
        --compare    only time steps, compiled and op by op in turns
        --help       this text

      Ctrl-C stops after the present step and leaves a checkpoint; --resume goes on exactly from there.
      "
    `)
  })

  test.each([['--epochs', '0'], ['--batch', '1.5'], ['--lr', 'fast'], ['--seed', '-1'], ['--backend', 'abacus'], ['--colour', 'red'], ['--epochs']])('refuse %s %s', (...argv) => {
    expect(() => parseOptions(argv)).toThrow(UsageError)
  })
})

test('another runtime computes the same from the exported file', async () => {
  const { model } = begin({ epochs: 1, batch: 50, lr: 0.01, seed: 3 })
  const images = pick(digits, [0, 2500, 5000, 7500, 9999])
  const session = await InferenceSession.create(exportOnnx(model, [{ name: 'image', shape: [1, 1, 28, 28], dynamicBatch: true }], { outputs: ['logits'] }))
  const { logits } = await session.run({ image: new OrtTensor('float32', images.pixels, [5, 1, 28, 28]) })
  const ours = predict(x => model.forward(x), images)
  expect(logits!.dims).toEqual([5, 10]);
  (logits!.data as Float32Array).forEach((value, i) => { expect(Math.abs(value - ours[i]!)).toBeLessThan(1e-5) })
})
