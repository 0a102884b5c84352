// Steps whose learning rate and number are tensors are the steps that the optimiser takes by itself.

import { cpu } from '@bp/backend-cpu'
import { add, mul, type Tensor, tensor, use } from '@bp/core'
import { abs, amax, exp, sub, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import {
  Adadelta, Adagrad, Adam, Adamax, AdamW, type AnyOptimizer, ASGD, LBFGS, Lion, Muon, type Now, Optimizer, type OptimizerOptions, Parameter, RMSprop, SGD,
} from '../index.ts'

use(cpu())

const start = (): Parameter[] => [new Parameter(tensor([[1, -2], [0.5, 3]])), new Parameter(tensor([[0.3, 0.1]]))]

/** A step downhill by whatever means. */
function descend(optimiser: AnyOptimizer, step: () => void): void {
  optimiser.zeroGrad()
  optimiser.parameters().map((p, i) => sum(exp(mul(p, 0.3 * (i + 1))))).reduce((a, b) => add(a, b)).backward()
  step()
}

const optimisers: Record<string, (params: readonly Parameter[]) => AnyOptimizer> = {
  SGD: p => new SGD(p, { lr: 0.1 }),
  'SGD, damped': p => new SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.1 }),
  Adam: p => new Adam(p, { lr: 0.1, amsgrad: true, weightDecay: 0.1 }),
  'Adam without memory': p => new Adam(p, { lr: 0.1, betas: [0, 0] }),
  AdamW: p => new AdamW(p, { lr: 0.1 }),
  Adamax: p => new Adamax(p, { lr: 0.1 }),
  RMSprop: p => new RMSprop(p, { lr: 0.1, momentum: 0.5, centered: true }),
  Adagrad: p => new Adagrad(p, { lr: 0.1, lrDecay: 0.2 }),
  Adadelta: p => new Adadelta(p, { lr: 0.7 }),
  Lion: p => new Lion(p, { lr: 0.1, weightDecay: 0.1 }),
  Muon: p => new Muon(p, { lr: 0.1, weightDecay: 0.1 }),
}

describe('stepWith', () => {
  test.each(Object.keys(optimisers))('%s', name => {
    const [usual, given] = [start(), start()]
    const [a, b] = [optimisers[name]!(usual), optimisers[name]!(given)]
    const rates = b.groups.map(({ lr }) => tensor(lr))
    for (const group of b.groups) group.lr = 7
    for (let step = 1; step <= 5; step++) {
      descend(a, () => { a.step() })
      descend(b, () => { b.stepWith({ rates, step: tensor(step) }) })
      usual.forEach((p, i) => { expect(amax(abs(sub(p, given[i]!))).item()).toBeLessThan(2e-6) })
    }
    expect(b.stateDict().steps).toEqual(a.stateDict().steps)
    expect(b.groups.map(({ lr }) => lr)).toEqual(b.groups.map(() => 7))
  })

  test('counts from what each parameter has taken', () => {
    const [usual, given] = [start(), start()]
    const [a, b] = [new Adam(usual, { lr: 0.1 }), new Adam(given, { lr: 0.1 })]
    for (const [optimiser, [, late]] of [[a, usual], [b, given]] as const) {
      late!.requiresGrad = false
      for (let i = 0; i < 2; i++) descend(optimiser, () => { optimiser.step() })
      late!.requiresGrad = true
    }
    descend(a, () => { a.step() })
    descend(b, () => { b.stepWith({ rates: [tensor(0.1)], step: tensor(3) }) })
    usual.forEach((p, i) => { expect(amax(abs(sub(p, given[i]!))).item()).toBeLessThan(1e-6) })
  })

  test('refuses rules that it cannot write', () => {
    class Falling extends Optimizer<OptimizerOptions> {
      constructor(params: readonly Parameter[]) {
        super(params, { lr: 0.1, maximize: false })
      }

      protected override update(p: Parameter, grad: Tensor, group: OptimizerOptions, now: Now): Tensor {
        return sub(p, mul(grad, now(step => group.lr / step)))
      }
    }
    const falling = new Falling(start())
    const inputs = { rates: [tensor(0.1)], step: tensor(1) }
    expect(() => { descend(falling, () => { falling.stepWith(inputs) }) }).toThrowErrorMatchingInlineSnapshot(`[BpError: Falling: a number of its update depends on the learning rate or on the number of the step, and cannot be written to a file. Pass now() the same in ops: now(step => lr / step, (lr, step) => div(lr, step))]`)
    expect(falling.groups[0]!.lr).toBe(0.1)
    const asgd = new ASGD(start())
    expect(() => { descend(asgd, () => { asgd.stepWith(inputs) }) }).toThrow('ASGD: a number of its update')
    const lbfgs = new LBFGS(start())
    expect(() => { lbfgs.stepWith() }).toThrowErrorMatchingInlineSnapshot(`[BpError: LBFGS: its step calls the loss as often as the values of the loss demand, and cannot be written to a file. Take SGD, Adam or AdamW]`)
  })
})
