// Averages of parameters, running statistics for them, and norms to clip by.

import { cpu } from '@bp/backend-cpu'
import { compile, mul, type Tensor, tensor, use, zeros } from '@bp/core'
import { Generator, mean, square } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { AveragedModel, BatchNorm1d, clipGradNorm, clipGradValue, decodeSafetensors, EMA, encodeSafetensors, getTotalNorm, Linear, Parameter, Sequential, SGD, updateBN } from '../index.ts'

use(cpu())

const scalar = (value: number): Linear => {
  const model = new Linear(1, 1, { bias: false })
  model.weight.assign(tensor([[value]]))
  return model
}
const follow = (make: (model: Linear) => AveragedModel, values: readonly number[]): number[] => {
  const model = scalar(0)
  const averages = make(model)
  return values.map(value => {
    model.weight.assign(tensor([[value]]))
    averages.update()
    return averages.use(() => model.weight.item())
  })
}
const near = (got: readonly number[], want: readonly number[]): void => { got.forEach((value, i) => { expect(value).toBeCloseTo(want[i]!, 5) }) }

describe('averages', () => {
  test('are the mean, an exponential one, or one that corrects for its start', () => {
    near(follow(model => new AveragedModel(model), [1, 3, 8]), [1, 2, 4])
    near(follow(model => new EMA(model, { decay: 0.75 }), [1, 3, 8]), [1, 1.5, 3.125])
    near(follow(model => new EMA(model, { warmup: true }), [1, 3, 8]), [1, 1 + 2 * 9 / 11, (1 + 2 * 9 / 11) * 3 / 12 + 8 * 9 / 12])
    // (¼·½²·1 + …)/(1 − ½ⁿ) with d = ½
    near(follow(model => new EMA(model, { decay: 0.5, debias: true }), [1, 3, 8]), [1, (0.25 * 1 + 0.5 * 3) / 0.75, (0.125 * 1 + 0.25 * 3 + 0.5 * 8) / 0.875])
    expect(() => new EMA(scalar(1), { decay: 2 })).toThrowErrorMatchingInlineSnapshot(`[BpError: EMA: decay must be in [0, 1], got 2]`)
  })

  test('copy buffers, or average them where asked', () => {
    const means = (useBuffers: boolean): number => {
      const model = new BatchNorm1d(1)
      const averages = new AveragedModel(model, { useBuffers })
      for (const value of [1, 3]) {
        model.stateDict().get('running_mean')!.assign(tensor([value]))
        averages.update()
      }
      return averages.stateDict().tensors.get('running_mean')!.item()
    }
    expect([means(false), means(true)]).toEqual([3, 2])
  })

  test('are swapped in for as long as a function runs, also where it throws or is asynchronous', async () => {
    const model = scalar(1)
    const averages = new AveragedModel(model)
    model.weight.assign(tensor([[5]]))
    const inside = (): number => model.weight.item()
    expect([averages.use(inside), inside()]).toEqual([1, 5])
    expect(() => averages.use(() => { throw new Error('stop') })).toThrow('stop')
    expect(inside()).toBe(5)
    expect(await averages.use(async () => {
      await Promise.resolve()
      return inside()
    })).toBe(1)
    expect(inside()).toBe(5)
    averages.copyToModel()
    expect(inside()).toBe(1)
  })

  test('follow in a compiled step as in an eager one, and go on from a file', () => {
    const run = (compiled: boolean, break_: boolean): string => {
      const model = new Linear(2, 2, { generator: new Generator(1) })
      const optimiser = new SGD(model.parameters(), { lr: 0.1 })
      let averages = new EMA(model, { decay: 0.9, warmup: true })
      const update = (x: Tensor): Tensor => {
        optimiser.zeroGrad()
        const loss = mean(square(model.forward(x)))
        loss.backward()
        optimiser.step()
        averages.update()
        return loss
      }
      let step = compiled ? compile(update) : update
      for (let k = 0; k < 6; k++) {
        if (break_ && k === 3) {
          const { averaged, tensors } = averages.stateDict()
          averages = new EMA(model, { decay: 0.9, warmup: true })
          averages.loadStateDict({ averaged, tensors: decodeSafetensors(encodeSafetensors(new Map(tensors))).tensors })
          step = compiled ? compile(update) : update
        }
        step(new Generator(k).normal([3, 2]))
      }
      return [...averages.stateDict().tensors.values()].join()
    }
    expect(run(true, false)).toBe(run(false, false))
    expect(run(true, true)).toBe(run(true, false))
    const other = new EMA(scalar(1))
    expect(() => { other.loadStateDict(new EMA(new Linear(2, 2)).stateDict()) }).toThrowErrorMatchingInlineSnapshot(`[BpError: loadStateDict: the averages hold weight as f32[2,2], the model has f32[1,1]. Load them for the same model]`)
    expect(() => { other.loadStateDict({ averaged: 0, tensors: new Map() }) }).toThrowErrorMatchingInlineSnapshot(`[BpError: loadStateDict: the averages hold no weight. Load them for the same model]`)
  })

  test('get running statistics of their own, and the model keeps its', async () => {
    const norm = new BatchNorm1d(1, { momentum: 0.5 })
    const model = new Sequential(scalar(2), norm)
    const averages = new AveragedModel(model)
    averages.update()
    model.parameters()[0]!.assign(tensor([[100]]))
    model.eval()
    await averages.use(() => updateBN((async function* () {
      await Promise.resolve()
      yield [tensor([[1], [3]]), 'label'] as const
      yield tensor([[5], [6], [10]])
    })(), model))
    const averaged = averages.stateDict().tensors
    near([averaged.get('layers.1.running_mean') ?? averaged.get('1.running_mean')].map(x => x!.item()), [(4 + 14) / 2])
    expect(norm.stateDict().get('running_mean')!.item()).toBe(0)
    expect(norm.training).toBe(false)
    // the momentum is the module's own again
    norm.train().forward(tensor([[1], [3]]))
    expect(norm.stateDict().get('running_mean')!.item()).toBe(1)
  })
})

describe('clipping', () => {
  const grads = (): Parameter[] => [[3, -4], [0, 12]].map(values => {
    const p = new Parameter(zeros([2]))
    p.grad = tensor(values)
    return p
  })

  test.each([[1, 19], [2, 13], [3, (27 + 64 + 1728) ** (1 / 3)], [Infinity, 12], [-Infinity, 0], [0.5, (Math.sqrt(3) + 2 + Math.sqrt(12)) ** 2]])('by the norm of p = %d', (normType, norm) => {
    expect(getTotalNorm(grads().map(p => p.grad!), { normType }).item()).toBeCloseTo(norm, 3)
    if (norm === 0) return
    const ps = grads()
    clipGradNorm(ps, norm / 2, { normType })
    near(ps.flatMap(p => Array.from(p.grad!.dataSync(), Number)), [1.5, -2, 0, 6])
    clipGradNorm(ps, 1e9, { normType })
    near(ps.flatMap(p => Array.from(p.grad!.dataSync(), Number)), [1.5, -2, 0, 6])
  })

  test('in a compiled step', () => {
    const [p] = grads()
    const optimiser = new SGD([p!], { lr: 1 })
    const step = compile((x: Tensor) => {
      optimiser.zeroGrad()
      mul(p!, x).backward({ gradient: tensor([1, 1]) })
      const norm = clipGradNorm([p!], 1)
      clipGradValue([p!], 0.7)
      optimiser.step()
      return norm
    })
    expect(step(tensor([30, 40])).item()).toBe(50)
    near(Array.from(p!.dataSync(), Number), [-0.6, -0.7])
  })

  test('keeps the dtype of each gradient, and gives 0 where there is none', () => {
    const half = new Parameter(tensor([3], { dtype: 'float16' }))
    half.grad = tensor([30], { dtype: 'float16' })
    const [single] = grads()
    clipGradNorm([half, single!], 1)
    expect([half.grad.dtype, single!.grad!.dtype]).toEqual(['float16', 'float32'])
    expect(clipGradNorm([new Parameter(zeros([1]))], 1).item()).toBe(0)
  })

  test('says what it cannot', () => {
    const [p] = grads()
    expect(() => clipGradNorm([p!], 1, { normType: 0 })).toThrowErrorMatchingInlineSnapshot(`[BpError: getTotalNorm: normType must be greater than 0, Infinity or -Infinity, got 0]`)
    const step = compile(() => clipGradNorm([p!], 1, { errorIfNonfinite: true }))
    expect(() => step()).toThrowErrorMatchingInlineSnapshot(`[BpError: getTotalNorm: whether the norm is finite is not known while compiling. Return the norm from the compiled step and check it there, or leave out errorIfNonfinite]`)
    p!.grad = tensor([Infinity, 0])
    expect(() => clipGradNorm([p!], 1, { errorIfNonfinite: true })).toThrowErrorMatchingInlineSnapshot(`[BpError: getTotalNorm: the norm of the gradients is Infinity. Lower the learning rate, or leave out errorIfNonfinite]`)
  })
})
