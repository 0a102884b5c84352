// GradScaler: PyTorch's rule of growth and back-off, skipped steps, and a network that float16 alone cannot train.

import { cpu } from '@bp/backend-cpu'
import { autocast, compile, mul, noGrad, type Tensor, tensor, use, zeros } from '@bp/core'
import { cast, Generator, mseLoss, sin, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { Adam, type AnyOptimizer, clipGradNorm, GradScaler, Linear, Module, Parameter, SGD } from '../index.ts'

use(cpu())

const numbers = (x: Tensor): number[] => Array.from(x.dataSync() as Float32Array)
const modes = [['op by op', (f: (x: Tensor) => Tensor) => f], ['compiled', (f: (x: Tensor) => Tensor) => compile(f)]] as const

describe.each(modes)('%s', (_name, mode) => {
  test('grows, skips, backs off, and counts the optimiser’s steps as PyTorch does', () => {
    const p = new Parameter(tensor([1, 2]))
    const optimiser = new Adam([p], { lr: 0.1 })
    const scaler = new GradScaler({ initScale: 4, growthInterval: 2 })
    const step = mode(g => {
      optimiser.zeroGrad()
      scaler.scale(sum(mul(p, g))).backward()
      scaler.step(optimiser)
      scaler.update()
      return g
    })
    // torch.amp.GradScaler and torch.optim.Adam, PyTorch 2.15
    const expected = [
      [1, 4, 1, 0.9, 1.9], [1, 8, 0, 0.8, 1.8], [Infinity, 4, 0, 0.8, 1.8], [1, 4, 1, 0.7, 1.7],
      [NaN, 2, 0, 0.7, 1.7], [1, 2, 1, 0.6, 1.6], [1, 4, 0, 0.5, 1.5], [1, 4, 1, 0.4, 1.4],
    ]
    for (const [g, scale, tracker, ...values] of expected) {
      step(tensor([g!, 1]))
      expect([scaler.getScale(), scaler.stateDict()._growth_tracker]).toEqual([scale, tracker])
      numbers(p).forEach((value, i) => { expect(value).toBeCloseTo(values[i]!, 6) })
    }
    expect(optimiser.stateDict().steps).toEqual([6])
    expect(numbers(optimiser.stateVariables()[0]!).every(Number.isFinite)).toBe(true)
  })

  test('gradients are unscaled before they are clipped', () => {
    const p = new Parameter(tensor([0, 0]))
    const optimiser = new SGD([p], { lr: 1 })
    const scaler = new GradScaler()
    const step = mode(g => {
      optimiser.zeroGrad()
      scaler.scale(sum(mul(p, g))).backward()
      scaler.unscale(optimiser)
      const norm = clipGradNorm([p], 1)
      scaler.step(optimiser)
      scaler.update()
      return norm
    })
    expect(step(tensor([3, 4])).item()).toBe(5)
    numbers(p).forEach((value, i) => { expect(value).toBeCloseTo([-0.6, -0.8][i]!, 6) })
    expect(step(tensor([3, NaN])).item()).toBeNaN()
    numbers(p).forEach((value, i) => { expect(value).toBeCloseTo([-0.6, -0.8][i]!, 6) })
    expect(scaler.getScale()).toBe(32768)
  })

  test('one optimiser’s overflow skips its step alone, and shrinks the scale of both', () => {
    const [p, q] = [new Parameter(tensor(1)), new Parameter(tensor(1))]
    const optimisers: AnyOptimizer[] = [p, q].map(x => new SGD([x], { lr: 1 }))
    const scaler = new GradScaler({ initScale: 2 })
    const step = mode(g => {
      for (const optimiser of optimisers) optimiser.zeroGrad()
      scaler.scale([mul(p, g), q]).forEach(loss => { loss.backward() })
      for (const optimiser of optimisers) scaler.step(optimiser)
      scaler.update()
      return g
    })
    step(tensor(Infinity))
    expect([p.item(), q.item(), scaler.getScale()]).toEqual([1, 0, 1])
  })
})

class Net extends Module {
  readonly hidden: Linear
  readonly out: Linear

  constructor(generator: Generator) {
    super()
    this.hidden = new Linear(4, 32, { generator })
    this.out = new Linear(32, 64, { generator })
    this.out.weight.assign(zeros([64, 32]))
    this.out.bias!.assign(zeros([64]))
  }

  override forward(x: Tensor): Tensor {
    return this.out.forward(sin(this.hidden.forward(x)))
  }
}

describe('a field of 1024 × 64 small numbers', () => {
  const random = new Generator(1)
  const x = random.normal([1024, 4])
  // below 10⁻³, so that 2(y − t)/65536 is below 2⁻²⁵, which is 0 in float16
  const y = noGrad(() => mul(sin(new Linear(4, 64, { generator: random }).forward(x)), 9e-4))

  /** The loss before each of some steps, and the scale in the end. */
  const run = ({ half, scale, compiled = false, steps = 40 }: { half: boolean; scale?: number; compiled?: boolean; steps?: number }): { losses: number[]; scale: number } => {
    const net = new Net(new Generator(2))
    const optimiser = new Adam(net.parameters(), { lr: 3e-5, eps: 1e-12 })
    const scaler = new GradScaler({ enabled: scale !== undefined, ...scale !== undefined && { initScale: scale } })
    const update = (input: Tensor): Tensor => {
      optimiser.zeroGrad()
      const loss = autocast(() => mseLoss(net.forward(input), y), { enabled: half })
      scaler.scale(loss).backward()
      scaler.step(optimiser)
      scaler.update()
      return loss
    }
    const step = compiled ? compile(update) : update
    return { losses: Array.from({ length: steps }, () => step(x).item()), scale: scaler.getScale() }
  }
  const full = run({ half: false }).losses

  test('float32 learns it', () => {
    expect(full.at(-1)! / full[0]!).toBeLessThan(0.1)
  })

  test('float16 alone does not move', () => {
    expect(new Set(run({ half: true, steps: 5 }).losses).size).toBe(1)
  })

  test.each([['op by op', false], ['compiled', true]])('float16 with a scaler comes as far as float32, %s', (_name, compiled) => {
    const { losses } = run({ half: true, scale: 65536, compiled })
    expect(Math.abs(losses.at(-1)! / full.at(-1)! - 1)).toBeLessThan(0.005)
  })

  test.each([['op by op', false], ['compiled', true]])('a scale that overflows backs off, and the run recovers, %s', (_name, compiled) => {
    const { losses, scale } = run({ half: true, scale: 2 ** 44, compiled, steps: 60 })
    // a loss is the same as before where the step before it was skipped
    const skipped = losses.filter((loss, i) => loss === losses[i - 1]).length
    expect(skipped).toBeGreaterThan(3)
    expect(scale).toBe(2 ** (44 - skipped))
    expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.1)
  })
})

test('a state comes back, by PyTorch’s names', () => {
  const scaler = new GradScaler({ initScale: 8, growthInterval: 7 })
  expect(scaler.stateDict()).toEqual({ scale: 8, growth_factor: 2, backoff_factor: 0.5, growth_interval: 7, _growth_tracker: 0 })
  const other = new GradScaler()
  other.loadStateDict({ scale: 16, growth_factor: 3, backoff_factor: 0.25, growth_interval: 5, _growth_tracker: 4 })
  expect(other.stateDict()).toEqual({ scale: 16, growth_factor: 3, backoff_factor: 0.25, growth_interval: 5, _growth_tracker: 4 })
  other.update(2)
  expect(other.getScale()).toBe(2)
  const off = new GradScaler({ enabled: false })
  expect([off.getScale(), off.stateDict(), off.scale(tensor(3)).item()]).toEqual([1, {}, 3])
})

test('errors', () => {
  const p = new Parameter(tensor(1))
  const optimiser = new SGD([p])
  const scaler = new GradScaler()
  const backward = (): void => { scaler.scale(mul(p, 1)).backward() }
  expect(() => { scaler.update() }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradScaler: update was called without a step before. Call scaler.step(optimiser) first]`)
  expect(() => { scaler.step(optimiser) }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradScaler: no parameter of the optimiser has a gradient. Call scaler.scale(loss).backward() first]`)
  backward()
  scaler.unscale(optimiser)
  expect(() => { scaler.unscale(optimiser) }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradScaler: unscale was called a second time for this optimiser. Call it once, between backward and step, and update after the step]`)
  scaler.step(optimiser)
  expect(() => { scaler.unscale(optimiser) }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradScaler: unscale was called after step for this optimiser. Call it once, between backward and step, and update after the step]`)
  expect(() => { scaler.step(optimiser) }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradScaler: step was called a second time for this optimiser. Call update after each step]`)
  const narrow = new Parameter(cast(tensor([1, 2]), 'float16'))
  scaler.scale(sum(narrow)).backward()
  expect(() => { scaler.unscale(new SGD([narrow])) }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradScaler: the gradient of a parameter f16[2] is float16, where it would vanish again when it is unscaled. Keep parameters in float32 and compute under autocast]`)
  expect(() => { new GradScaler().loadStateDict({}) }).toThrowErrorMatchingInlineSnapshot(`[BpError: GradScaler: the state is empty: it was saved with { enabled: false }. Start with a new scaler instead of loading it]`)
  expect(() => new GradScaler({ growthFactor: 1 })).toThrowErrorMatchingInlineSnapshot(`[BpError: GradScaler: growthFactor must be above 1, got 1]`)
  expect(() => new GradScaler({ backoffFactor: 2 })).toThrowErrorMatchingInlineSnapshot(`[BpError: GradScaler: backoffFactor must be between 0 and 1, got 2]`)
  expect(() => new GradScaler({ initScale: Infinity })).toThrowErrorMatchingInlineSnapshot(`[BpError: GradScaler: initScale must be positive and finite, got Infinity]`)
})
