// Gradient accumulation: the same step as one large batch, by every way to run it.

import { cpu } from '@bp/backend-cpu'
import { autocast, compile, type Tensor, tensor, use, type Variable } from '@bp/core'
import { Generator, narrow } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { Adam, clipGradNorm, GradAccumulator, GradScaler, Linear, mseLoss, Parameter, ReLU, Sequential } from '../index.ts'

use(cpu())

const random = new Generator(5)
const x = random.normal([10, 3])
const y = random.normal([10, 2])

const setUp = (): { model: Sequential; optimiser: Adam } => {
  const generator = new Generator(6)
  const model = new Sequential(new Linear(3, 8, { generator }), new ReLU(), new Linear(8, 2, { generator }))
  return { model, optimiser: new Adam(model.parameters(), { lr: 0.01 }) }
}

/** Two steps over micro-batches of these sizes. */
function accumulated(sizes: readonly number[], { compiled = false, scaler = new GradScaler({ enabled: false }), half = false }: { compiled?: boolean; scaler?: GradScaler; half?: boolean } = {}): readonly Variable[] {
  const { model, optimiser } = setUp()
  const accumulator = new GradAccumulator(model.parameters())
  const micro = (a: Tensor, b: Tensor): Tensor => {
    optimiser.zeroGrad()
    const loss = autocast(() => mseLoss(model.forward(a), b), { enabled: half })
    scaler.scale(loss).backward()
    accumulator.add(a.shape[0]!)
    return loss
  }
  const apply = (): Tensor => {
    accumulator.finish()
    scaler.unscale(optimiser)
    const norm = clipGradNorm(model.parameters(), 0.5)
    scaler.step(optimiser)
    scaler.update()
    return norm
  }
  const [run, finish] = compiled ? [compile(micro), compile(apply)] : [micro, apply]
  for (let step = 0; step < 2; step++) {
    let at = 0
    for (const size of sizes) {
      run(narrow(x, 0, at, size), narrow(y, 0, at, size))
      at += size
    }
    finish()
  }
  if (compiled) for (const p of model.parameters()) expect(p.grad).toBeNull()
  return model.parameters()
}

function whole(): readonly Variable[] {
  const { model, optimiser } = setUp()
  for (let step = 0; step < 2; step++) {
    optimiser.zeroGrad()
    mseLoss(model.forward(x), y).backward()
    clipGradNorm(model.parameters(), 0.5)
    optimiser.step()
  }
  return model.parameters()
}

const compare = (got: readonly Variable[], digits: number): void => {
  whole().forEach((want, i) => {
    const values = got[i]!.dataSync()
    want.dataSync().forEach((value: number | bigint, j: number) => { expect(values[j]).toBeCloseTo(Number(value), digits) })
  })
}

describe.each([['op by op', false], ['compiled', true]])('%s', (_name, compiled) => {
  test.each([['even', [5, 5]], ['an incomplete one at the end', [4, 4, 2]], ['unequal', [1, 7, 2]], ['one', [10]]])('micro-batches as one batch: %s', (_name, sizes) => {
    compare(accumulated(sizes, { compiled }), 6)
  })

  test('with a scaler', () => { compare(accumulated([4, 4, 2], { compiled, scaler: new GradScaler() }), 6) })

  test('with a scaler, in float16', () => { compare(accumulated([4, 4, 2], { compiled, scaler: new GradScaler({ initScale: 1024 }), half: true }), 2) })
})

test('a whole group compiled as one step', () => {
  const { model, optimiser } = setUp()
  const accumulator = new GradAccumulator(model.parameters())
  const step = compile((batches: readonly (readonly [Tensor, Tensor])[]) => {
    optimiser.zeroGrad()
    for (const [a, b] of batches) {
      mseLoss(model.forward(a), b).backward()
      accumulator.add(a.shape[0]!)
    }
    accumulator.finish()
    const norm = clipGradNorm(model.parameters(), 0.5)
    optimiser.step()
    return norm
  })
  for (let i = 0; i < 2; i++) step([[narrow(x, 0, 0, 3), narrow(y, 0, 0, 3)], [narrow(x, 0, 3, 7), narrow(y, 0, 3, 7)]])
  compare(model.parameters(), 6)
})

test('a state in the middle of a batch comes back', () => {
  const [p, q] = [new Parameter(tensor([2])), new Parameter(tensor([2]))]
  const [a, b] = [new GradAccumulator([p]), new GradAccumulator([q])]
  p.grad = tensor([3])
  a.add(1)
  b.loadStateDict(a.stateDict())
  q.grad = tensor([9])
  b.add(tensor(2))
  b.finish()
  expect(q.grad.toArray()).toEqual([7])
})

test('errors', () => {
  const p = new Parameter(tensor([2]))
  const accumulator = new GradAccumulator([p])
  expect(() => { accumulator.add(1) }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradAccumulator: no parameter has a gradient. Call backward() before add]`)
  expect(() => { accumulator.finish() }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradAccumulator: nothing was added. Call add after each backward]`)
  expect(() => { accumulator.loadStateDict({ count: tensor(1), sums: new Map([['0', tensor([1, 2])]]) }) }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradAccumulator: the sum 0 is f32[2] and fits no parameter. Use the same model]`)
})
