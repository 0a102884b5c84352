// TensorFlow.js on its WebAssembly or plain backend, with tidy and dispose as its guide asks.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import '@tensorflow/tfjs-backend-cpu'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs'
import { chain, gpt } from '../data.ts'
import type { Peer, Prepare, Prepared } from '../peer.ts'
import { cnnForward, cnnLoss, type Conv, crossEntropy, mlpLoss, plainConv, targets, type Tf, toTensor, variables } from './tfjsModels.ts'

const first = (x: Tf): number[] => [...x.dataSync().slice(0, 4)]

/** A training step by tf.train. */
const training = (optimiser: tf.Optimizer, loss: () => tf.Scalar): Prepared => {
  const step = (): number => {
    const value = optimiser.minimize(loss, true)!
    const number = value.dataSync()[0]!
    value.dispose()
    return number
  }
  return { values: [step()], run: step }
}

/** The WebAssembly backend has no kernel for a convolution's gradient by its filter: one made of another convolution stands in. */
const ownGradient: Conv = (x, k) => tf.customGrad((a, b, save) => {
  const input = a as tf.Tensor4D, filter = b as tf.Tensor4D
  const keep = save as tf.GradSaveFunc
  keep([input, filter])
  return {
    value: tf.conv2d(input, filter, 1, 'same'),
    gradFunc: (dy: tf.Tensor4D, saved: Tf[]) => {
      const [h, w] = saved as [tf.Tensor4D, tf.Tensor4D]
      return [
        tf.conv2dTranspose(dy, w, h.shape, 1, 'same'),
        tf.conv2d(h.transpose<tf.Tensor4D>([3, 1, 2, 0]), dy.transpose<tf.Tensor4D>([1, 2, 0, 3]), 1, [[0, 0], [2, 2], [2, 2], [0, 0]]).transpose([1, 2, 0, 3]),
      ]
    },
  }
})(x, k)

/** With the embedding looked up, or, where the backend cannot add up its gradient, as a product with one-hot rows; tfjs has no AdamW, so Adam. */
const transformer = (oneHot: boolean): Prepare => data => {
  const { layers, dim, heads, context, vocabulary, batch } = gpt
  const p = variables(data, (_, x) => x)
  const linear = (x: Tf, name: string): Tf => tf.matMul(x, p[`${name}.weight`]!, false, true).add(p[`${name}.bias`]!)
  const x = toTensor(data, 'x').flatten<tf.Tensor1D>()
  const hot = tf.oneHot(x, vocabulary).toFloat()
  const y = targets(data, vocabulary)
  const mask = tf.tensor2d(Float32Array.from({ length: context * context }, (_, i) => i % context > Math.floor(i / context) ? -1e9 : 0), [context, context])
  const norm = (h: Tf, name: string): Tf => {
    const centred = h.sub(h.mean(-1, true))
    return centred.mul(centred.square().mean(-1, true).add(1e-5).rsqrt()).mul(p[`${name}.weight`]!).add(p[`${name}.bias`]!)
  }
  const gelu = (h: Tf): Tf => h.mul(0.5).mul(h.mul(h).mul(h).mul(0.044715).add(h).mul(Math.sqrt(2 / Math.PI)).tanh().add(1))
  return training(tf.train.adam(3e-4), () => {
    const tokens = oneHot ? hot.matMul(p.tokens!) : tf.gather(p.tokens!, x)
    let h: Tf = tokens.reshape([batch, context, dim]).add(p.positions!).reshape([batch * context, dim])
    for (let l = 0; l < layers; l++) {
      const [q, k, v] = tf.split(linear(norm(h, `${l}.ln1`), `${l}.qkv`), 3, 1).map(z => z.reshape([batch, context, heads, dim / heads]).transpose([0, 2, 1, 3])) as [Tf, Tf, Tf]
      const weights = tf.softmax(tf.matMul(q, k, false, true).mul(1 / Math.sqrt(dim / heads)).add(mask))
      h = h.add(linear(tf.matMul(weights, v).transpose([0, 2, 1, 3]).reshape([batch * context, dim]), `${l}.out`))
      h = h.add(linear(gelu(linear(norm(h, `${l}.ln2`), `${l}.up`)), `${l}.down`))
    }
    return crossEntropy(y, tf.matMul(norm(h, 'ln'), p.head!, false, true))
  })
}

const overhead: Prepare = data => {
  const w = toTensor(data, 'w'), c = toTensor(data, 'c')
  const df = tf.grad(w => {
    let y = w
    for (let i = 0; i < chain; i++) y = y.mul(w).add(c)
    return y.sum()
  })
  const run = (): number[] => {
    const dw = df(w)
    const values = first(dw)
    dw.dispose()
    return values
  }
  return { values: run(), run }
}

const op = (f: (...xs: Tf[]) => Tf): Prepare => data => {
  const xs = Object.keys(data).map(name => toTensor(data, name))
  const value = tf.tidy(() => f(...xs))
  const values = first(value)
  value.dispose()
  return { values, run: () => { tf.tidy(() => f(...xs)).dispose() } }
}

const infer: Prepare = data => {
  const forward = cnnForward(data, plainConv)
  const run = (): number[] => {
    const y = tf.tidy(forward)
    const values = first(y)
    y.dispose()
    return values
  }
  return { values: run(), run }
}

/** All jobs on one of its backends. */
export async function tfjs(backend: 'wasm' | 'cpu'): Promise<Peer> {
  if (backend === 'wasm') setWasmPaths(`${join(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')))}/`)
  await tf.setBackend(backend)
  await tf.ready()
  tf.enableProdMode()
  const product = { tidy: op((a, b) => tf.matMul(a, b)) }
  const gelu = (x: Tf): Tf => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1))
  return {
    'mlp': { train: data => training(tf.train.adam(1e-3), mlpLoss(data)) },
    'cnn': { train: data => training(tf.train.momentum(0.01, 0.9), cnnLoss(data, backend === 'wasm' ? ownGradient : plainConv)) },
    'gpt': { train: transformer(backend === 'wasm') }, 'overhead': { grad: overhead },
    'gemm-64': product, 'gemm-256': product, 'gemm-512': product, 'gemm-1024': product,
    'exp': { tidy: op(x => x.exp()) }, 'gelu': { tidy: op(x => gelu(x)) }, 'sum': { tidy: op(x => x.sum()) }, 'softmax': { tidy: op(x => tf.softmax(x)) },
    'infer-cnn-1': { tidy: infer }, 'infer-cnn-64': { tidy: infer },
  }
}
