// Published models give what ONNX Runtime gives: networks of pictures at several sizes, of sound over frames with their state.

import { compile, tensor, type Tensor, use, zeros } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { Generator } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { importOnnx } from '../index.ts'
import { expectEqual, expectSamePictures, type Feeds, files, picture, published, theirs } from '../../test/real.ts'

use(cpu())

describe('reading of text', () => {
  test.each([
    ['detection', files.detection, [[1, 64, 96], [2, 96, 64]]],
    ['recognition', files.recognition, [[1, 48, 96], [2, 48, 160]]],
    ['orientation', files.orientation, [[1, 48, 192], [2, 48, 96], [3, 64, 100]]],
  ] as const)('%s', async (_name, file, sizes) => {
    const bytes = published(file)
    await expectSamePictures(importOnnx(bytes), bytes, sizes)
  })

  test.each([['detection', files.detection, 64, 96], ['recognition', files.recognition, 48, 64], ['orientation', files.orientation, 48, 192]] as const)('%s, compiled', async (_name, file, h, w) => {
    const bytes = published(file)
    const model = importOnnx(bytes).eval()
    const x = picture(1, h, w)
    const run = compile((x: Tensor) => model.forward(x) as Tensor)
    const want = await (await theirs(bytes))({ x })
    expectEqual('first', { [model.outputs[0]!.name]: run(x) }, want)
    expectEqual('again', { [model.outputs[0]!.name]: run(x) }, want)
  })
})

/** A voice-like tone with harmonics, swelling and fading, in noise. */
function sound(frames: number, length: number, rate: number): Tensor[] {
  const noise = new Generator(1).uniform([frames * length], { low: -0.02, high: 0.02 }).dataSync() as Float32Array
  const wave = Float32Array.from(noise, (n, i) => {
    const t = i / rate
    const harmonics = [1, 0.6, 0.4, 0.3, 0.2].reduce((sum, a, k) => sum + a * Math.sin(2 * Math.PI * 140 * (k + 1) * t), 0)
    return n + 0.2 * Math.sin(3 * Math.PI * i / noise.length) ** 2 * harmonics
  })
  return Array.from({ length: frames }, (_, f) => tensor(wave.slice(f * length, (f + 1) * length), { shape: [1, length] }))
}

const rateOf = (hertz: number): Tensor => tensor(BigInt64Array.of(BigInt(hertz)), { shape: [], dtype: 'int64' })

/** Runs a detector of voices over frames here and there, each with the state that it has made itself. */
async function expectSameFrames(file: string, hertz: number, length: number, states: Readonly<Record<string, readonly [next: string, shape: readonly number[]]>>): Promise<number[]> {
  const bytes = published(file)
  const model = importOnnx(bytes)
  const run = await theirs(bytes)
  const initial = (): Record<string, Tensor> => Object.fromEntries(Object.entries(states).map(([name, [, shape]]) => [name, zeros(shape)]))
  let [ours, other] = [initial(), initial()]
  const said: number[] = []
  const sr = rateOf(hertz)
  for (const input of sound(8, length, hertz)) {
    const got: Feeds = model.run({ input, sr, ...ours })
    const want = await run({ input, sr, ...other })
    expectEqual(`frame ${said.length}`, got, want)
    ours = Object.fromEntries(Object.entries(states).map(([name, [next]]) => [name, got[next]!]))
    other = Object.fromEntries(Object.entries(states).map(([name, [next]]) => [name, tensor(want[next]!.data as Float32Array, { shape: want[next]!.dims })]))
    said.push(got.output!.dataSync()[0] as number)
  }
  return said
}

describe('detection of voices', () => {
  const state = { state: ['stateN', [2, 1, 128]] } as const
  test.each([
    ['v5 at 16 kHz', files.voice5, 16000, 576, state], ['v5 at 8 kHz', files.voice5, 8000, 288, state],
    ['v6 at 16 kHz', files.voice6, 16000, 576, state], ['v6 at 8 kHz', files.voice6, 8000, 288, state],
    ['the first, at 16 kHz', files.voiceLegacy, 16000, 1536, { h: ['hn', [2, 1, 64]], c: ['cn', [2, 1, 64]] }],
    ['the first, at 8 kHz', files.voiceLegacy, 8000, 768, { h: ['hn', [2, 1, 64]], c: ['cn', [2, 1, 64]] }],
  ] as const)('%s', async (_name, file, hertz, length, states) => {
    const said = await expectSameFrames(file, hertz, length, states)
    expect(Math.max(...said) - Math.min(...said)).toBeGreaterThan(1e-3)
  })

  test('compiled, with the rate closed over: If takes its branch while the program is traced', async () => {
    const bytes = published(files.voice5)
    const model = importOnnx(bytes)
    const sr = rateOf(16000)
    const [, , input] = sound(8, 576, 16000) as [Tensor, Tensor, Tensor]
    const state = new Generator(2).normal([2, 1, 128])
    const run = compile((input: Tensor, state: Tensor) => model.forward(input, state, sr) as Tensor[])
    const [output, stateN] = run(input, state) as [Tensor, Tensor]
    expectEqual('compiled', { output, stateN }, await (await theirs(bytes))({ input, sr, state }))
  })
})

test.each(files.wakeWords)('a wake word: %s', async file => {
  const bytes = published(file)
  const model = importOnnx(bytes)
  const run = await theirs(bytes)
  const [{ name, shape }] = model.inputs as [typeof model.inputs[0]]
  for (const seed of [1, 2, 3]) {
    const feeds = { [name]: new Generator(seed).normal(shape as number[]) }
    expectEqual(`seed ${seed}`, model.run(feeds), await run(feeds))
  }
})
