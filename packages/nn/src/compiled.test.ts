// Compiled functions follow the modes of modules and what is frozen.

import { cpu } from '@bp/backend-cpu'
import { compile, ones, type Tensor, use } from '@bp/core'
import { Generator, mul, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { numbers, sameNumbers } from '../test/golden.ts'
import { BatchNorm1d, Dropout, Linear, Sequential, SGD } from './index.ts'

use(cpu())

describe('a compiled function', () => {
  test('is made anew for another mode and for frozen parameters, and found again', () => {
    const model = new Sequential(new Linear(4, 4, { generator: new Generator(1) }), new Dropout(0.5, { generator: new Generator(2) }), new BatchNorm1d(4))
    const optimiser = new SGD(model.parameters(), { lr: 0.1 })
    const run = compile((x: Tensor) => model.forward(x))
    const step = compile((x: Tensor) => {
      optimiser.zeroGrad()
      const loss = sum(mul(model.forward(x), x))
      loss.backward()
      optimiser.step()
      return loss
    })
    const x = new Generator(3).normal([8, 4])
    const trained = numbers(run(x))
    model.eval()
    sameNumbers(run(x), model.forward(x))
    expect(numbers(run(x))).not.toEqual(trained)
    expect(run.size).toBe(2)
    model.train()
    expect(numbers(run(x)).filter(y => y === 0)).toEqual([])
    expect(run.size).toBe(2)

    step(x)
    const [weight] = model.parameters()
    model.layers[0]!.requiresGrad(false)
    const before = numbers(weight!)
    step(x)
    expect(numbers(weight!)).toEqual(before)
    model.layers[0]!.requiresGrad(true)
    step(x)
    expect(numbers(weight!)).not.toEqual(before)
    expect(step.size).toBe(2)
  })

  test('is made anew where an optimiser gets a decay that it had not, and not for other rates', () => {
    const layer = new Linear(2, 1, { generator: new Generator(1) })
    const optimiser = new SGD(layer.parameters(), { lr: 0.1 })
    const step = compile((x: Tensor) => {
      optimiser.zeroGrad()
      sum(mul(layer.forward(x), 0)).backward()
      optimiser.step()
      return x
    })
    const before = numbers(layer.weight)
    step(ones([1, 2]))
    optimiser.groups[0]!.lr = 0
    step(ones([1, 2]))
    expect([numbers(layer.weight), step.size]).toEqual([before, 1])
    Object.assign(optimiser.groups[0]!, { lr: 0.1, weightDecay: 0.5 })
    step(ones([1, 2]))
    numbers(layer.weight).forEach((w, i) => { expect(w).toBeCloseTo(before[i]! * 0.95, 6) })
    expect(step.size).toBe(2)
  })

  test('that sets the mode itself is made once', () => {
    const model = new Sequential(new Dropout(0.5))
    const run = compile((x: Tensor) => {
      const y = model.eval().forward(x)
      model.train()
      return y
    })
    sameNumbers(run(ones([3])), ones([3]))
    sameNumbers(run(ones([3])), ones([3]))
    expect(run.size).toBe(1)
  })

  test('forgets programs of modes too', () => {
    const model = new Sequential(new Dropout(0.5))
    const run = compile((x: Tensor) => model.forward(x), { cacheSize: 2 })
    for (const size of [2, 3, 4]) {
      for (const on of [true, false]) {
        model.train(on)
        run(ones([size]))
        expect(run.size).toBeLessThanOrEqual(2)
      }
    }
    run.clear()
    expect(run.size).toBe(0)
  })
})
