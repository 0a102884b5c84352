// The networks of the training jobs in TensorFlow.js, the same on each of its backends; PyTorch's layouts are transposed once.

import * as tf from '@tensorflow/tfjs'
import type { Inputs } from '../data.ts'

/** A tensor of TensorFlow.js. */
export type Tf = tf.Tensor

/** An input by its name. */
export const toTensor = (data: Inputs, name: string): Tf => {
  const { values, shape } = data[name]!
  return tf.tensor(values, [...shape], values instanceof Int32Array ? 'int32' : 'float32')
}

/** All that is trained, laid out by `layout`. */
export const variables = (data: Inputs, layout: (name: string, x: Tf) => Tf): Record<string, Tf> =>
  Object.fromEntries(Object.keys(data).flatMap(name => name === 'x' || name === 'y' ? [] : [[name, tf.variable(layout(name, toTensor(data, name)))]]))

/** The classes as one-hot rows. */
export const targets = (data: Inputs, classes: number): Tf => tf.oneHot(toTensor(data, 'y').flatten<tf.Tensor1D>(), classes).toFloat()

/** The mean over the rows. */
export const crossEntropy = (y: Tf, logits: Tf): tf.Scalar => tf.losses.softmaxCrossEntropy(y, logits)

/** A convolution whose result is as large as its input. */
export type Conv = (x: tf.Tensor4D, k: tf.Tensor4D) => tf.Tensor4D

/** The one of the library. */
export const plainConv: Conv = (x, k) => tf.conv2d(x, k, 1, 'same')

/** The loss of the dense network. */
export function mlpLoss(data: Inputs): () => tf.Scalar {
  const p = variables(data, (_, x) => x.rank === 2 ? x.transpose() : x)
  const x = toTensor(data, 'x'), y = targets(data, 10)
  return () => {
    const h = x.matMul(p.w1!).add(p.b1!).relu().matMul(p.w2!).add(p.b2!).relu()
    return crossEntropy(y, h.matMul(p.w3!).add(p.b3!))
  }
}

/** The logits of the convolutional network. */
export function cnnForward(data: Inputs, conv: Conv): () => Tf {
  const p = variables(data, (name, x) => {
    if (x.rank === 4) return x.transpose([2, 3, 1, 0])
    return name === 'w3' ? x.reshape([10, 16, 7, 7]).transpose([2, 3, 1, 0]).reshape([784, 10]) : x
  })
  const x = toTensor(data, 'x').transpose<tf.Tensor4D>([0, 2, 3, 1])
  const layer = (h: tf.Tensor4D, w: string, b: string): tf.Tensor4D => tf.maxPool(conv(h, p[w] as tf.Tensor4D).add(p[b]!).relu<tf.Tensor4D>(), 2, 2, 'valid')
  return () => layer(layer(x, 'w1', 'b1'), 'w2', 'b2').reshape([x.shape[0], 784]).matMul(p.w3!).add(p.b3!)
}

/** Its loss. */
export function cnnLoss(data: Inputs, conv: Conv): () => tf.Scalar {
  const forward = cnnForward(data, conv)
  const y = targets(data, 10)
  return () => crossEntropy(y, forward())
}
