// How well networks learn waves that they have never seen, by the number of gradient steps they take.

import { broadcastTo, compile, type Tensor, tensor, vmap } from '@bp/core'
import type { Sequential } from '@bp/nn'
import { Generator, mean, square, stack, sub } from '@bp/ops'
import { adapt, parametersOf, taskLoss } from './learn.ts'
import { drawPoints, drawWaves, onWaves } from './tasks.ts'

/** How networks are judged. */
export interface EvaluateOptions {
  readonly tasks: number
  /** K, the points of a wave that are shown. */
  readonly points: number
  /** Of the steps within a task. */
  readonly rate: number
  readonly steps: number
  readonly seed: number
}

/** Points along [−5, 5] on which the mean squared error is taken. */
const judged = 101

/** The mean squared error over new waves after 0, 1, … gradient steps, and half the width of its 95 % confidence interval. */
export function learningCurve(network: Sequential, { tasks, points, rate, steps, seed }: EvaluateOptions): { error: number; interval: number }[] {
  const random = new Generator(seed)
  const waves = drawWaves(random, tasks)
  const shown = drawPoints(random, waves, points)
  const grid = tensor(Array.from({ length: judged }, (_, i) => [-5 + 10 * i / (judged - 1)]))
  const truth = onWaves(waves, broadcastTo(grid, [tasks, judged, 1]))
  const curve = compile((x: Tensor, y: Tensor, wholeX: Tensor, wholeY: Tensor) => vmap((a: Tensor, b: Tensor, wholeA: Tensor, wholeB: Tensor) => {
    let parameters = parametersOf(network)
    const losses = [taskLoss(network, parameters, wholeA, wholeB)]
    for (let i = 0; i < steps; i++) {
      parameters = adapt(network, parameters, a, b, rate)
      losses.push(taskLoss(network, parameters, wholeA, wholeB))
    }
    return stack(losses)
  })(x, y, wholeX, wholeY))
  const losses = curve(shown.x, shown.y, truth.x, truth.y)
  const means = mean(losses, 0)
  const deviations = mean(square(sub(losses, means)), 0).dataSync() as Float32Array
  return Array.from(means.dataSync() as Float32Array, (error, i) => ({ error, interval: 1.96 * Math.sqrt(deviations[i]! / tasks) }))
}

/** The rate of a few whose error after all steps is least on tasks of another seed: a baseline deserves its best one. */
export function bestRate(network: Sequential, rates: readonly number[], options: Omit<EvaluateOptions, 'rate'>): number {
  const errors = rates.map(rate => {
    const { error } = learningCurve(network, { ...options, rate, seed: options.seed + 1 }).at(-1)!
    // too large a rate goes to infinity
    return Number.isFinite(error) ? error : Infinity
  })
  return rates[errors.indexOf(Math.min(...errors))]!
}
