// TensorFlow.js on its WebGL backend with its default flags, with tidy, dispose and minimize as its guide asks.

import * as tf from '@tensorflow/tfjs'
import { chain, type Inputs } from '../data.ts'
import { cnnLoss, mlpLoss, plainConv, type Tf, toTensor } from '../peers/tfjsModels.ts'
import type { Contender, Ready, Start } from './contender.ts'

/** An input that lies on the GPU already: small ones would else be computed with on the CPU, large ones uploaded by the first run. */
const uploaded = (data: Inputs, name: string): Tf => tf.tidy(() => toTensor(data, name).add(tf.fill([...data[name]!.shape], 0)))

/** Reads one element. */
async function touch(x: Tf): Promise<void> {
  const one = tf.tidy(() => x.flatten().slice([0], [1]))
  await one.data()
  one.dispose()
}

/** Runs a function of tensors as `tidy` does, each run letting the result of the last but one go, as ours do; `back` brings a result to PyTorch's layout. */
async function calls(xs: readonly Tf[], f: (...xs: Tf[]) => Tf, back = (y: Tf): Tf => y.clone()): Promise<Ready> {
  const call = (): Tf => tf.tidy(() => f(...xs))
  let [before, y] = [call(), call()]
  const first = tf.tidy(() => back(y))
  const values = await first.data()
  first.dispose()
  return {
    values,
    ways: {
      tidy: () => {
        before.dispose()
        before = y
        y = call()
      },
    },
    done: () => touch(y),
    close: () => { tf.dispose([before, y, ...xs]) },
  }
}

const op = (f: (...xs: Tf[]) => Tf): Start => data => calls(Object.keys(data).map(name => uploaded(data, name)), f)

/** In its own layout, channels last. */
const conv: Start = data => {
  const own = (name: string, axes: number[]): Tf => {
    const x = uploaded(data, name)
    const moved = x.transpose(axes)
    x.dispose()
    return moved
  }
  return calls([own('x', [0, 2, 3, 1]), own('w', [2, 3, 1, 0])], (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'), y => y.transpose([0, 3, 1, 2]))
}

const launch = op((w, c) => {
  let y = w
  for (let i = 0; i < chain; i++) y = y.mul(w).add(c)
  return y
})

/** A training step by tf.train; its loss is read back each time, by waiting for it or at once. */
const training = (optimiserOf: () => tf.Optimizer, lossOf: (data: Inputs) => () => tf.Scalar): Start => data => {
  const optimiser = optimiserOf()
  tf.engine().startScope()
  const loss = lossOf(data)
  const step = (): tf.Scalar => optimiser.minimize(loss, true)!
  const first = step()
  return {
    values: first.dataSync(),
    ways: {
      'minimize, data()': async () => {
        const value = step()
        await value.data()
        value.dispose()
      },
      'minimize, dataSync()': () => {
        const value = step()
        value.dataSync()
        value.dispose()
      },
    },
    done: () => Promise.resolve(),
    close: () => {
      tf.engine().endScope()
      optimiser.dispose()
      tf.disposeVariables()
    },
  }
}

/** Its jobs, once its backend is ready. */
export async function tfjs(): Promise<Contender> {
  await tf.setBackend('webgl')
  await tf.ready()
  tf.enableProdMode()
  const product = op((a, b) => tf.matMul(a, b))
  return {
    'mlp': training(() => tf.train.adam(1e-3), mlpLoss), 'cnn': training(() => tf.train.momentum(0.01, 0.9), data => cnnLoss(data, plainConv)),
    'launch': launch,
    'gemm-256': product, 'gemm-512': product, 'gemm-1024': product,
    'conv-3x3': conv,
    'add': op((a, b) => a.add(b)), 'relu': op(x => x.relu()), 'exp': op(x => x.exp()), 'sum': op(x => x.sum()), 'softmax': op(x => tf.softmax(x)),
    'gelu': op(x => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1))),
  }
}
