// Model-agnostic meta-learning (Finn, Abbeel & Levine 2017, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks").

import { compile, grad, mul, type Tensor, vmap } from '@bp/core'
import { Adam, functionalCall, Linear, mseLoss, ReLU, Sequential } from '@bp/nn'
import { Generator, mean, sub } from '@bp/ops'
import { drawPoints, drawWaves, type Points } from './tasks.ts'

/** Parameters by name. */
export type Parameters = Readonly<Record<string, Tensor>>

/** How the first parameters are found. */
export interface MetaOptions {
  readonly steps: number
  /** Tasks a step. */
  readonly tasks: number
  /** K, the points of a task that are shown; as many others judge what was learned of them. */
  readonly points: number
  /** α, of the gradient step within a task. */
  readonly innerRate: number
  /** Adam's learning rate. */
  readonly metaRate: number
  readonly seed: number
}

/** The network: 1–40–40–1 with ReLU. */
export const sineNetwork = (random: Generator): Sequential => new Sequential(
  new Linear(1, 40, { generator: random }), new ReLU(),
  new Linear(40, 40, { generator: random }), new ReLU(),
  new Linear(40, 1, { generator: random }),
)

/** The parameters of a network by name, live. */
export const parametersOf = (network: Sequential): Parameters => Object.fromEntries(network.namedParameters())

/** The network's loss on one task, with any parameters. */
export const taskLoss = (network: Sequential, parameters: Parameters, x: Tensor, y: Tensor): Tensor => mseLoss(functionalCall(network, parameters, x), y)

/** θ′ = θ − α ∇L(θ): one step of gradient descent within a task. */
export function adapt(network: Sequential, parameters: Parameters, x: Tensor, y: Tensor, rate: number): Parameters {
  const gradient = grad((p: Parameters) => taskLoss(network, p, x, y))(parameters)
  return Object.fromEntries(Object.entries(parameters).map(([name, p]) => [name, sub(p, mul(gradient[name]!, rate))]))
}

/** Σᵢ Lᵢ(θ − α ∇Lᵢ(θ))/n: each task's loss on its query points after a step on its support points; its gradient is of second order. */
export const metaLoss = (network: Sequential, parameters: Parameters, support: Points, query: Points, rate: number): Tensor =>
  mean(vmap((x: Tensor, y: Tensor, queryX: Tensor, queryY: Tensor) =>
    taskLoss(network, adapt(network, parameters, x, y, rate), queryX, queryY))(support.x, support.y, query.x, query.y))

/** What is minimised: the loss after adapting to each task (`maml`), or the loss on all tasks at once (`pretrained`). */
export type Method = 'maml' | 'pretrained'

/** Trains a network by one of the methods; `report` hears the loss of a step from time to time. The whole step, drawing of tasks included, is compiled. */
export function metaTrain(method: Method, { steps, tasks, points, innerRate, metaRate, seed }: MetaOptions, report: (step: number, loss: number) => void = () => { /* nobody asks */ }): Sequential {
  const random = new Generator(seed)
  const network = sineNetwork(random)
  const optimiser = new Adam(network.parameters(), { lr: metaRate })
  const step = compile(() => {
    optimiser.zeroGrad()
    const waves = drawWaves(random, tasks)
    const [support, query] = [drawPoints(random, waves, points), drawPoints(random, waves, points)]
    const loss = method === 'maml'
      ? metaLoss(network, parametersOf(network), support, query, innerRate)
      : mseLoss(network.forward(query.x), query.y)
    loss.backward()
    optimiser.step()
    return loss
  })
  for (let i = 1; i <= steps; i++) {
    const loss = step()
    if (i % 1000 === 0 || i === steps) report(i, loss.item())
  }
  return network
}
