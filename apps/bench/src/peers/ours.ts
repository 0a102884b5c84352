// Our own jobs, by the public API: compiled, and eager where that is the job.

import { cpu } from '@bp/backend-cpu'
import { add, compile, grad, mul, type Tensor, tensor, use, Variable, zeros } from '@bp/core'
import { importOnnx } from '@bp/onnx'
import { exp, gelu, matmul, softmax, sum } from '@bp/ops'
import { chain, type Inputs, published } from '../data.ts'
import { cnn } from '../models.ts'
import { fileOf, rate, sampled } from '../published.ts'
import type { Peer, Prepare, Prepared } from '../peer.ts'
import { toTensor, trainings } from '../training.ts'

const first = (x: Tensor): number[] => [...x.dataSync().slice(0, 4)].map(Number)

/** A training step, compiled as a whole or op by op; the loss is read back each time. */
const training = (job: string, compiled: boolean): Prepare => data => {
  const { step: plain, batch } = trainings[job]!(data)
  const step = compiled ? compile(plain) : plain
  const run = (): number => step(...batch).item()
  return { values: [run()], run }
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

/** A published model, compiled; inputs of whole numbers are closed over. */
const model = (job: string): Prepare => data => {
  const network = importOnnx(fileOf(job)).eval()
  const names = network.inputs.map(({ name }) => name).filter(name => name in data)
  const setting = tensor(BigInt64Array.of(rate), { shape: [] })
  const forward = compile((...xs: Tensor[]) => network.forward(...network.inputs.map(({ name }) => xs[names.indexOf(name)] ?? setting)))
  const xs = names.map(name => toTensor(data[name]!))
  const run = (): ArrayLike<number>[] => [forward(...xs)].flat().map(y => y.dataSync() as Float32Array)
  return { values: sampled(run()[0]!), run }
}

/** Reading a published model's file. */
const load: Prepare = data => {
  const bytes = fileOf('onnx-load')
  const y = importOnnx(bytes).forward(toTensor(data.x!)) as Tensor
  return { values: sampled(y.dataSync() as Float32Array), run: () => importOnnx(bytes) }
}

/** All jobs. */
export function ours(): Peer {
  use(cpu())
  const product = { 'compile, into a variable': inPlace(matmul), 'eager': fresh(matmul) }
  const map = (f: (x: Tensor) => Tensor): Peer[string] => ({ 'compile, into a variable': inPlace(f) })
  return {
    ...Object.fromEntries(Object.keys(trainings).map(job => [job, { compile: training(job, true) }])),
    'overhead': { eager: overhead },
    'gemm-64': product, 'gemm-256': product, 'gemm-512': product, 'gemm-1024': product,
    'exp': map(exp), 'gelu': map(x => gelu(x)), 'sum': map(x => sum(x)), 'softmax': map(x => softmax(x)),
    'infer-cnn-1': { compile: infer }, 'infer-cnn-64': { compile: infer },
    ...Object.fromEntries(Object.keys(published).map(job => [job, { compile: model(job) }])), 'onnx-load': { importOnnx: load },
  }
}

/** The training jobs op by op. */
export function oursOpByOp(): Peer {
  use(cpu())
  return Object.fromEntries(Object.keys(trainings).map(job => [job, { 'op by op': training(job, false) }]))
}
