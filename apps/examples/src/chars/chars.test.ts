// Networks of characters: the text, the counts they are compared with, exact resuming, fair judging, and what they write.

import { cpu } from '@bp/backend-cpu'
import { noGrad, tensor, use } from '@bp/core'
import { encodeSafetensors } from '@bp/nn'
import { exportOnnx } from '@bp/onnx'
import { Generator, logSoftmax, softmax } from '@bp/ops'
import { fit } from '@bp/train'
import { beforeAll, describe, expect, test } from 'vitest'
import { judge, write } from './evaluate.ts'
import { charModel, modelKinds } from './models.ts'
import { ngramBits } from './ngram.ts'
import { corpusOf, decode, encode, readNovel } from './text.ts'
import { type CharOptions, type CharRun, charRun, optionsIn } from './train.ts'

use(cpu())

const novel = readNovel()
const corpus = corpusOf(novel.slice(0, 30_000))

describe('the text', () => {
  test('is Moby-Dick, and nothing is lost in numbers', () => {
    expect(novel.slice(0, 43)).toBe('CHAPTER 1. Loomings.\n\nCall me Ishmael. Some')
    expect(novel.length).toBeGreaterThan(1e6)
    expect(decode([...corpus.train, ...corpus.validation], corpus.alphabet)).toBe(novel.slice(0, 30_000))
    expect(corpus.validation).toHaveLength(3000)
  })

  test('has no characters but its own', () => {
    expect(() => encode('ab\u{1f433}', ['a', 'b'])).toThrow('the text has no \'\u{1f433}\'; its alphabet is "ab"')
  })
})

describe('counted runs', () => {
  const text = (word: string): Int32Array => encode(word, ['a', 'b', 'c'])

  test('give the bits of their shares, each count 1 higher', () => {
    // a 2, b 1, c 0 of 3: (2 + 1)/6, (1 + 1)/6, (0 + 1)/6
    expect(ngramBits(1, text('aab'), text('abc'), 3)).toBeCloseTo(-(Math.log2(3 / 6) + Math.log2(2 / 6) + Math.log2(1 / 6)) / 3, 12)
    // after a: a 1, b 1 of 2; after b: nothing
    expect(ngramBits(2, text('aab'), text('aba'), 3)).toBeCloseTo(-(Math.log2(2 / 5) + Math.log2(1 / 3)) / 2, 12)
  })

  test('of any order cost log₂ of the alphabet where nothing was counted', () => {
    for (const order of [1, 2, 3]) expect(ngramBits(order, text(''), text('abcabc'), 3)).toBeCloseTo(Math.log2(3), 12)
  })

  test('foretell the novel the better the longer they are', () => {
    const long = corpusOf(novel)
    const bits = [1, 2].map(order => ngramBits(order, long.train, long.validation, long.alphabet.length))
    expect(bits.map(b => b.toFixed(2))).toEqual(['4.50', '3.56'])
  })
})

describe.each(modelKinds)('the %s', model => {
  const options: CharOptions = { model, context: 16, dim: 32, layers: 1, heads: 2, steps: 100, batch: 16, lr: 0.01, seed: 7 }
  const run = charRun(options, corpus)
  const losses: number[] = []
  beforeAll(() => fit(run.model, { ...run.training, callbacks: [{ onStepEnd: ({ loss }) => { losses.push(loss) } }] }))
  const random = new Generator(3)

  test('learns more than the frequencies of characters', () => {
    expect(losses[0]! / Math.LN2).toBeGreaterThan(0.9 * Math.log2(corpus.alphabet.length))
    const bits = judge(run.model, options.context)(corpus.validation)
    expect(bits).toBeLessThan(ngramBits(1, corpus.train, corpus.validation, corpus.alphabet.length) - 0.3)
  })

  test('sees nothing of what comes', () => {
    const net = charModel(5, { ...options, context: 8 }, random)
    const [a, b] = [[0, 1, 2, 3, 4, 0, 1, 2], [0, 1, 2, 3, 0, 4, 4, 4]].map(x => noGrad(() => net.forward(tensor([x], { dtype: 'int32' }))).dataSync() as Float32Array) as [Float32Array, Float32Array]
    expect(a.slice(0, 4 * 5)).toEqual(b.slice(0, 4 * 5))
    expect(a.slice(4 * 5)).not.toEqual(b.slice(4 * 5))
  })

  test('is judged on the second half of each window, every character once', () => {
    const { context } = options
    const net = run.model
    const part = corpus.validation.subarray(0, 500)
    let nats = 0
    let judged = 0
    for (let start = 0; start + context + 1 <= part.length; start += context / 2) {
      const logarithms = noGrad(() => logSoftmax(net.forward(tensor([Array.from(part.subarray(start, start + context))], { dtype: 'int32' })))).dataSync() as Float32Array
      for (let i = context / 2; i < context; i++, judged++) nats -= logarithms[i * corpus.alphabet.length + part[start + i + 1]!]!
    }
    expect(judge(net, context)(part)).toBeCloseTo(nats / judged / Math.LN2, 4)
  })

  test('stopped after any step and resumed, ends bit by bit as the unbroken run', async () => {
    const few = { ...options, context: 8, steps: 6 }
    const finish = async (chosen: CharOptions, more: Partial<CharRun['training']> = {}): Promise<Uint8Array> => {
      const { model, training } = charRun(chosen, corpus)
      await fit(model, { ...training, ...more })
      return encodeSafetensors(model.stateDict())
    }
    const unbroken = await finish(few)
    let kept: Uint8Array | null = null
    const store = { save: (bytes: Uint8Array) => { kept = bytes }, saveBest: () => { /* none is asked for */ }, load: () => kept }
    const stop = new AbortController()
    await finish(few, { checkpoint: { store }, signal: stop.signal, callbacks: [{ onStepEnd: ({ step }) => { if (step === 3) stop.abort() } }] })
    expect(optionsIn(kept!)).toEqual(few)
    expect(await finish(few, { checkpoint: { store }, resume: true })).toEqual(unbroken)
    expect(await finish({ ...few, seed: 8 })).not.toEqual(unbroken)
  })

  test('writes the same for the same seed, by its own shares', () => {
    const prompt = corpus.validation.subarray(0, options.context)
    const text = write(run.model, options.context, prompt, 60, 1, 5)
    expect(write(run.model, options.context, prompt, 60, 1, 5)).toEqual(text)
    expect(write(run.model, options.context, prompt, 60, 1, 6)).not.toEqual(text)
    // nearly at 0 degrees it takes the likeliest
    const shares = noGrad(() => softmax(run.model.forward(tensor([Array.from(prompt)], { dtype: 'int32' })))).dataSync() as Float32Array
    const last = shares.slice(-corpus.alphabet.length)
    expect(write(run.model, options.context, prompt, 1, 1e-4, 5)).toEqual([last.indexOf(Math.max(...last))])
  })

  test('goes into an ONNX file', () => {
    expect(exportOnnx(run.model, [{ name: 'characters', shape: [1, options.context], dtype: 'int32', dynamicBatch: true }]).length).toBeGreaterThan(4 * run.model.parameters().reduce((n, { size }) => n + size, 0))
  })
})
