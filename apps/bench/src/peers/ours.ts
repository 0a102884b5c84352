// Our own jobs, by the public API: compiled, and eager where that is the job.

import { cpu } from '@bp/backend-cpu'
import { add, compile, grad, mul, type Tensor, tensor, use, Variable, zeros } from '@bp/core'
import { Adam, AdamW, type AnyOptimizer, crossEntropy, SGD } from '@bp/nn'
import { exp, gelu, matmul, softmax, sum } from '@bp/ops'
import { chain, type Data, type Inputs } from '../data.ts'
import { cnn, gptModel, mlp } from '../models.ts'
import type { Peer, Prepare, Prepared } from '../peer.ts'

/** An array as a tensor. */
export const toTensor = ({ values, shape }: Data): Tensor => tensor(values, { shape })

const first = (x: Tensor): number[] => [...x.dataSync().slice(0, 4)].map(Number)

/** A training step, compiled as a whole or op by op; the loss is read back each time. */
const training = (build: (data: Inputs) => { forward: (x: Tensor) => Tensor; optimiser: AnyOptimizer }, compiled: boolean): Prepare => data => {
  const { forward, optimiser } = build(data)
  const x = toTensor(data.x!), y = toTensor(data.y!)
  const plain = (x: Tensor, y: Tensor): Tensor => {
    optimiser.zeroGrad()
    const loss = crossEntropy(forward(x), y)
    loss.backward()
    optimiser.step()
    return loss
  }
  const step = compiled ? compile(plain) : plain
  return { values: [step(x, y).item()], run: () => step(x, y).item() }
}

/** An op on operands that stay in place, its result written over the one before: as `out=` in PyTorch. */
const inPlace = (f: (...xs: Tensor[]) => Tensor): Prepare => data => {
  const xs = Object.values(data).map(entry => new Variable(toTensor(entry)))
  const y = new Variable(zeros(f(...xs).shape))
  const run = compile((): Tensor[] => {
    y.assign(f(...xs))
    return []
  })
  run()
  return { values: first(y), run }
}

/** An op whose result is a new tensor each time. */
const fresh = (f: (...xs: Tensor[]) => Tensor): Prepare => data => {
  const xs = Object.values(data).map(toTensor)
  return { values: first(f(...xs)), run: () => f(...xs) }
}

function overhead(data: Inputs): Prepared {
  const w = toTensor(data.w!), c = toTensor(data.c!)
  const df = grad((w: Tensor, c: Tensor) => {
    let y = w
    for (let i = 0; i < chain; i++) y = add(mul(y, w), c)
    return sum(y)
  })
  return { values: first(df(w, c)), run: () => df(w, c).dataSync() }
}

const infer: Prepare = data => {
  const { forward } = cnn(data)
  const x = toTensor(data.x!)
  const run = compile(forward)
  return { values: first(run(x)), run: () => run(x).dataSync() }
}

/** All jobs. */
export function ours(): Peer {
  use(cpu())
  const trainers = {
    mlp: (data: Inputs) => ((model) => ({ forward: model.forward, optimiser: new Adam(model.parameters) }))(mlp(data)),
    cnn: (data: Inputs) => ((model) => ({ forward: model.forward, optimiser: new SGD(model.parameters, { lr: 0.01, momentum: 0.9 }) }))(cnn(data)),
    gpt: (data: Inputs) => ((model) => ({ forward: model.forward, optimiser: new AdamW(model.parameters, { lr: 3e-4 }) }))(gptModel(data)),
  }
  const product = { 'compile, into a variable': inPlace(matmul), 'eager': fresh(matmul) }
  const map = (f: (x: Tensor) => Tensor): Peer[string] => ({ 'compile, into a variable': inPlace(f) })
  return {
    'mlp': { compile: training(trainers.mlp, true) }, 'cnn': { compile: training(trainers.cnn, true) }, 'gpt': { compile: training(trainers.gpt, true) },
    'overhead': { eager: overhead },
    'gemm-64': product, 'gemm-256': product, 'gemm-512': product, 'gemm-1024': product,
    'exp': map(exp), 'gelu': map(x => gelu(x)), 'sum': map(x => sum(x)), 'softmax': map(x => softmax(x)),
    'infer-cnn-1': { compile: infer }, 'infer-cnn-64': { compile: infer },
  }
}
