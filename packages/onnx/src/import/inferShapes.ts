// inferShapes: what every value of a model is, told without running it.

import { draft, type ImportOptions } from './import.ts'
import { OnnxModule } from './module.ts'
import { type InferredShapes, shapesOf } from './shapes.ts'

/** Options of {@link inferShapes}. */
export interface InferOptions extends Pick<ImportOptions, 'externalData' | 'operators'> {
  /** Sizes for open axes of the inputs, by name; the rest stay open. */
  readonly dims?: Readonly<Record<string, number>>
}

/**
 * Tells the element type and shape of every value of a model, imported or as the bytes of a file, without running it. Where an
 * input's size is open, the model is looked at for several sizes, and others are given as formulas in it. What depends on data is
 * unknown, and so is what follows from it.
 *
 * In a file, operators that are not implemented make what is unknown; to import it would be refused.
 *
 * Throws a `shape` error that names the node where shapes contradict each other; `importOnnx` does so at once where the file leaves no
 * size open. Where the file says another shape of an output or inner value than it has, that is listed in `contradictions`.
 *
 * @example
 * ```ts
 * import { Conv2d, Flatten, Linear, Sequential } from '@bp/nn'
 * import { exportOnnx, importOnnx, inferShapes } from '@bp/onnx'
 * const net = new Sequential(new Conv2d(1, 4, 3, { stride: 2 }), new Flatten(), new Linear(36, 10))
 * const model = importOnnx(exportOnnx(net, [{ name: 'x', shape: [1, 1, 8, 8], dynamicBatch: true }]))
 * const { nodes, values } = inferShapes(model)
 * nodes.map(({ node, outputs }) => `${node.operator} ${outputs[0].shape.join()}`) // => [Conv batch,4,3,3, Reshape batch,36, Gemm batch,10]
 * inferShapes(model, { dims: { batch: 2 } }).values.get('output').shape // => [2, 10]
 * values.get('x').type // => float32
 * ```
 */
export const inferShapes = (model: OnnxModule | Uint8Array, { dims, ...options }: InferOptions = {}): InferredShapes =>
  shapesOf(model instanceof OnnxModule ? model : draft(model, options), dims)
