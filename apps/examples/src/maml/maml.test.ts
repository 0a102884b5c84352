// MAML: the tasks, the gradient through the inner step, and that a network learns to learn.

import { cpu } from '@bp/backend-cpu'
import { grad, mul, type Tensor, use } from '@bp/core'
import { Linear, Sequential, Tanh } from '@bp/nn'
import { abs, add, Generator, max, min, narrow, sin, squeeze, sub, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { bestRate, learningCurve } from './evaluate.ts'
import { adapt, metaLoss, metaTrain, type Parameters, parametersOf, taskLoss } from './learn.ts'
import { drawPoints, drawWaves, onWaves, type Points } from './tasks.ts'

use(cpu())

test('waves have the amplitudes, phases and places of the paper', () => {
  const random = new Generator(1)
  const waves = drawWaves(random, 500)
  const { x, y } = drawPoints(random, waves, 10)
  const range = (t: Tensor): number[] => [min(t), max(t)].map(v => Math.round(v.item() * 10) / 10)
  expect([range(waves.amplitude), range(waves.phase), range(x)]).toEqual([[0.1, 5], [0, 3.1], [-5, 5]])
  expect(max(abs(sub(y, mul(waves.amplitude, sin(sub(x, waves.phase)))))).item()).toBeLessThan(1e-5)
  expect(max(abs(sub(onWaves(waves, add(waves.phase, Math.PI / 2)).y, waves.amplitude))).item()).toBeLessThan(1e-5)
})

describe('the meta-loss', () => {
  const random = new Generator(2)
  const options = { generator: random, dtype: 'float64' } as const
  const network = new Sequential(new Linear(1, 6, options), new Tanh(), new Linear(6, 1, options))
  const parameters = parametersOf(network)
  const draw = (): Points => ({ x: random.normal([3, 5, 1], { dtype: 'float64' }), y: random.normal([3, 5, 1], { dtype: 'float64' }) })
  const [support, query] = [draw(), draw()]
  const rate = 0.3
  const loss = (p: Parameters): Tensor => metaLoss(network, p, support, query, rate)

  test('is the mean of the tasks’ losses, each after its own step', () => {
    const at = (t: Tensor, i: number): Tensor => squeeze(narrow(t, 0, i, 1), 0)
    const losses = [0, 1, 2].map(i => taskLoss(network, adapt(network, parameters, at(support.x, i), at(support.y, i), rate), at(query.x, i), at(query.y, i)).item())
    expect(loss(parameters).item()).toBeCloseTo(losses.reduce((a, b) => a + b) / 3, 12)
  })

  test('has the gradient of differences, of second order through the step', () => {
    const direction = Object.fromEntries(Object.entries(parameters).map(([name, p]) => [name, random.normal(p.shape, { dtype: 'float64' })]))
    const moved = (h: number): Parameters => Object.fromEntries(Object.entries(parameters).map(([name, p]) => [name, add(p, mul(direction[name]!, h))]))
    const slope = (loss(moved(1e-5)).item() - loss(moved(-1e-5)).item()) / 2e-5
    const along = (gradient: Parameters): number => Object.entries(gradient).reduce((total, [name, g]) => total + sum(mul(g, direction[name]!)).item(), 0)
    expect(along(grad(loss)(parameters))).toBeCloseTo(slope, 7)
  })
})

test('a network learns to learn: one step on a new wave helps it, and not one that was only trained on all waves', () => {
  const options = { steps: 1500, tasks: 25, points: 10, innerRate: 0.01, metaRate: 0.002, seed: 3 }
  const judge = { tasks: 200, points: 10, steps: 3, seed: 9 }
  const [maml, pretrained] = (['maml', 'pretrained'] as const).map(method => metaTrain(method, options)) as [Sequential, Sequential]
  const learned = learningCurve(maml, { ...judge, rate: 0.01 })
  const plain = learningCurve(pretrained, { ...judge, rate: bestRate(pretrained, [0.005, 0.02, 5], judge) })
  expect(learned[1]!.error).toBeLessThan(0.5 * learned[0]!.error)
  expect(learned[1]!.error).toBeLessThan(0.6 * plain[1]!.error)
  expect(learned[3]!.error).toBeLessThan(learned[1]!.error)
  expect(learned[3]!.error).toBeLessThan(0.7 * plain[3]!.error)
}, 60_000)

test('the same seed gives the same network', () => {
  const options = { steps: 20, tasks: 5, points: 5, innerRate: 0.01, metaRate: 0.01, seed: 4 }
  const weights = (seed: number): string => String(metaTrain('maml', { ...options, seed }).parameters()[0])
  expect(weights(4)).toBe(weights(4))
  expect(weights(5)).not.toBe(weights(4))
})
