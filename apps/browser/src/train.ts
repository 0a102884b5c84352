// What every place trains: a small network by a compiled step, the same in Node and in pages.

import { cpu, threads } from '@bp/backend-cpu'
import { compile, type Tensor, tensor, use } from '@bp/core'
import { Adam, crossEntropy, Linear, ReLU, Sequential } from '@bp/nn'
import { Generator } from '@bp/ops'

/** What came out, as plain numbers. */
export interface Trained {
  readonly losses: readonly number[]
  /** The bits of all parameters in the end. */
  readonly bits: readonly number[]
  /** How many threads took part in the last step. */
  readonly threads: number
}

const steps = 30
/** Milliseconds given to workers to start. */
const patience = 10_000

/** Trains 784-128-10 on noise; the steps after the first few on all threads that can be had, or on as many as `wanted`. */
export async function train(wanted: number): Promise<Trained> {
  use(cpu())
  const random = new Generator(7)
  const model = new Sequential(new Linear(784, 128, { generator: random }), new ReLU(), new Linear(128, 10, { generator: random }))
  const optimiser = new Adam(model.parameters())
  const step = compile((x: Tensor, y: Tensor) => {
    optimiser.zeroGrad()
    const loss = crossEntropy(model.forward(x), y)
    loss.backward()
    optimiser.step()
    return loss
  })
  const x = random.normal([64, 784]), y = tensor(Int32Array.from({ length: 64 }, (_, i) => i * 7 % 10))
  const losses = [step(x, y).item()]
  const begin = performance.now()
  while (threads() < wanted && performance.now() - begin < patience) await new Promise(done => { setTimeout(done, 10) })
  while (losses.length < steps) losses.push(step(x, y).item())
  const bits = model.parameters().flatMap(p => [...new Uint32Array((p.dataSync() as Float32Array).buffer)])
  return { losses, bits, threads: threads() }
}
