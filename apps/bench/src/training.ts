// The training jobs: a network, its optimiser, and one whole step.

import { type Tensor, tensor } from '@bp/core'
import { Adam, AdamW, type AnyOptimizer, crossEntropy, SGD } from '@bp/nn'
import type { Data, Inputs } from './data.ts'
import { cnn, gptModel, mlp, type Network } from './models.ts'

/** A step and the batch that it is given each time. */
export interface Training {
  readonly optimiser: AnyOptimizer
  readonly step: (x: Tensor, y: Tensor) => Tensor
  readonly batch: readonly [x: Tensor, y: Tensor]
}

/** An array as a tensor. */
export const toTensor = ({ values, shape }: Data): Tensor => tensor(values, { shape })

const training = (model: (data: Inputs) => Network, optimiserOf: (parameters: Network['parameters']) => AnyOptimizer) => (data: Inputs): Training => {
  const { forward, parameters } = model(data)
  const optimiser = optimiserOf(parameters)
  return {
    optimiser,
    batch: [toTensor(data.x!), toTensor(data.y!)],
    step: (x, y) => {
      optimiser.zeroGrad()
      const loss = crossEntropy(forward(x), y)
      loss.backward()
      optimiser.step()
      return loss
    },
  }
}

/** The training jobs by name. */
export const trainings: Readonly<Record<string, (data: Inputs) => Training>> = {
  mlp: training(mlp, p => new Adam(p)),
  cnn: training(cnn, p => new SGD(p, { lr: 0.01, momentum: 0.9 })),
  gpt: training(gptModel, p => new AdamW(p, { lr: 3e-4 })),
}
