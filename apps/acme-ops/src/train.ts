// Learns a periodic function on one interval and tries it on the next, with an activation and a loss of our own.

import { type Tensor, tensor } from '@bp/core'
import { Adam, Linear, manualSeed, Module, mseLoss, ReLU } from '@bp/nn'
import { charbonnierLoss } from './charbonnier.ts'
import { snake } from './snake.ts'

class Snake extends Module {
  override forward(x: Tensor): Tensor {
    return snake(x, 2)
  }
}

/** A network of two hidden layers with the activation given. */
export class Net extends Module {
  readonly input = new Linear(1, 32)
  readonly hidden = new Linear(32, 32)
  readonly output = new Linear(32, 1)
  readonly activation: Module

  constructor(activation: Module) {
    super()
    this.activation = activation
  }

  override forward(x: Tensor): Tensor {
    const h = this.activation.forward(this.input.forward(x))
    return this.output.forward(this.activation.forward(this.hidden.forward(h)))
  }
}

/** What became of a run: the loss at the start and the end, and the mean squared error where the network has seen nothing. */
export interface Outcome {
  readonly first: number
  readonly last: number
  readonly beyond: number
  readonly model: Net
}

const points = (from: number, to: number, count: number): Tensor => tensor(Array.from({ length: count }, (_, i) => [from + (to - from) * i / (count - 1)]))
const wanted = (x: Tensor): Tensor => tensor(Array.from(x.dataSync() as Float32Array, v => [Math.sin(2 * v) + 0.2 * v]))

/** Fits sin 2x + x/5 on [−4, 4] and judges on [4, 6]. */
export function train(activation: 'snake' | 'relu', steps: number): Outcome {
  manualSeed(3)
  const model = new Net(activation === 'snake' ? new Snake() : new ReLU())
  const optimizer = new Adam(model.parameters(), { lr: 0.01 })
  const x = points(-4, 4, 128)
  const y = wanted(x)
  const losses: number[] = []
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad()
    const loss = charbonnierLoss(model.forward(x), y)
    loss.backward()
    optimizer.step()
    losses.push(loss.item())
  }
  const outside = points(4, 6, 64)
  return { first: losses[0]!, last: losses.at(-1)!, beyond: mseLoss(model.forward(outside), wanted(outside)).item(), model }
}
