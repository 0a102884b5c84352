// Schedules against PyTorch's rates, also gone on with from a saved state and inside compiled steps.

import { cpu } from '@bp/backend-cpu'
import { compile, tensor, use } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { messageOf } from '../../test/messages.ts'
import { Adam, type AnyOptimizer, ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, ExponentialLR, LambdaLR, LinearLR, MultiplicativeLR, MultiStepLR, OneCycleLR, Parameter, PolynomialLR, ReduceLROnPlateau, type PlateauOptions, type Schedule, SequentialLR, SGD, StepLR, SWALR, warmup } from '../index.ts'

use(cpu())

const optimiserOf = (): SGD => new SGD([new Parameter(tensor(0))], { lr: 0.1, momentum: 0.9 })

/** Made by PyTorch 2.15: the rates of epochs 0 to 9, and the momenta where they change. */
const golden: readonly [make: (o: AnyOptimizer) => Schedule, rates: readonly number[], momenta?: readonly number[]][] = [
  [o => new LambdaLR(o, epoch => 1 / (1 + epoch)), [0.1, 0.05, 0.0333333333333, 0.025, 0.02, 0.0166666666667, 0.0142857142857, 0.0125, 0.0111111111111, 0.01]],
  [o => new MultiplicativeLR(o, epoch => 1 / (1 + epoch)), [0.1, 0.05, 0.0166666666667, 0.00416666666667, 0.000833333333333, 0.000138888888889, 1.98412698413e-05, 2.48015873016e-06, 2.7557319224e-07, 2.7557319224e-08]],
  [o => new StepLR(o, 3, { gamma: 0.5 }), [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125]],
  [o => new MultiStepLR(o, [5, 2, 5], { gamma: 0.5 }), [0.1, 0.1, 0.05, 0.05, 0.05, 0.0125, 0.0125, 0.0125, 0.0125, 0.0125]],
  [o => new ConstantLR(o, { totalIters: 3 }), [0.0333333333333, 0.0333333333333, 0.0333333333333, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]],
  [o => new LinearLR(o, { startFactor: 0.2, endFactor: 0.8, totalIters: 4 }), [0.02, 0.035, 0.05, 0.065, 0.08, 0.08, 0.08, 0.08, 0.08, 0.08]],
  [o => new ExponentialLR(o, 0.8), [0.1, 0.08, 0.064, 0.0512, 0.04096, 0.032768, 0.0262144, 0.02097152, 0.016777216, 0.0134217728]],
  [o => new PolynomialLR(o, { totalIters: 6, power: 2 }), [0.1, 0.0694444444444, 0.0444444444444, 0.025, 0.0111111111111, 0.00277777777778, 0, 0, 0, 0]],
  [o => new CosineAnnealingLR(o, 4, { etaMin: 0.01 }), [0.1, 0.0868198051534, 0.055, 0.0231801948466, 0.01, 0.0231801948466, 0.055, 0.0868198051534, 0.1, 0.0868198051534]],
  [o => new CosineAnnealingWarmRestarts(o, 2, { tMult: 2, etaMin: 0.01 }), [0.1, 0.055, 0.1, 0.0868198051534, 0.055, 0.0231801948466, 0.1, 0.096574578963, 0.0868198051534, 0.0722207544564]],
  [o => new OneCycleLR(o, 1, { totalSteps: 10 }), [0.04, 0.52, 1, 0.950484632013, 0.81174565395, 0.611262021936, 0.388741978064, 0.18825834605, 0.0495193679865, 4e-06], [0.95, 0.9, 0.85, 0.854951556605, 0.868825509907, 0.888873953302, 0.911126046698, 0.931174490093, 0.945048443395, 0.95]],
  [o => new OneCycleLR(o, 1, { epochs: 3, stepsPerEpoch: 4, pctStart: 0.4, threePhase: true, annealStrategy: 'linear' }), [0.04, 0.292631578947, 0.545263157895, 0.797894736842, 0.949473684211, 0.696842105263, 0.444210526316, 0.191578947368, 0.0352945882353, 0.0235310588235], [0.95, 0.923684210526, 0.897368421053, 0.871052631579, 0.855263157895, 0.881578947368, 0.907894736842, 0.934210526316, 0.95, 0.95]],
  [o => new CyclicLR(o, 0.01, 0.1, { stepSizeUp: 2, stepSizeDown: 3 }), [0.01, 0.055, 0.1, 0.07, 0.04, 0.01, 0.055, 0.1, 0.07, 0.04], [0.9, 0.85, 0.8, 0.833333333333, 0.866666666667, 0.9, 0.85, 0.8, 0.833333333333, 0.866666666667]],
  [o => new CyclicLR(o, 0.01, 0.1, { stepSizeUp: 2, mode: 'triangular2', baseMomentum: 0.5 }), [0.01, 0.055, 0.1, 0.055, 0.01, 0.0325, 0.055, 0.0325, 0.01, 0.02125], [0.9, 0.7, 0.5, 0.7, 0.9, 0.8, 0.7, 0.8, 0.9, 0.85]],
  [o => new CyclicLR(o, 0.01, 0.1, { stepSizeUp: 2, mode: 'exp_range', gamma: 0.9, cycleMomentum: false }), [0.01, 0.0505, 0.0829, 0.042805, 0.01, 0.03657205, 0.05782969, 0.0315233605, 0.01, 0.027433922005]],
  [o => new SWALR(o, 0.02, { annealEpochs: 4 }), [0.1, 0.0882842712475, 0.06, 0.0317157287525, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02]],
  [o => new SequentialLR(o, [new LinearLR(o, { totalIters: 3 }), new ExponentialLR(o, 0.5), new CosineAnnealingWarmRestarts(o, 2)], [3, 6]), [0.0333333333333, 0.0555555555556, 0.0777777777778, 0.1, 0.05, 0.025, 0.1, 0.05, 0.1, 0.05]],
  [o => new ChainedScheduler([new ConstantLR(o, { factor: 0.5, totalIters: 4 }), new ExponentialLR(o, 0.9), new StepLR(o, 5)]), [0.05, 0.045, 0.0405, 0.03645, 0.06561, 0.0059049, 0.00531441, 0.004782969, 0.0043046721, 0.00387420489]],
]

const near = (got: readonly number[], want: readonly number[]): void => {
  expect(got).toHaveLength(want.length)
  got.forEach((value, i) => { expect(Math.abs(value - want[i]!)).toBeLessThan(1e-11 * Math.max(1e-3, Math.abs(want[i]!)) + 1e-17) })
}

describe('PyTorch\'s rates', () => {
  test.each(golden)('%s', (make, rates, momenta) => {
    const optimiser = optimiserOf()
    const group = optimiser.groups[0]!
    const schedule = make(optimiser)
    const places = rates.map(() => {
      const place = { lr: group.lr, momentum: group.momentum, last: schedule.getLastLr()[0]! }
      schedule.step()
      return place
    })
    near(places.map(({ lr }) => lr), rates)
    near(places.map(({ last }) => last), rates)
    near(places.map(({ momentum }) => momentum), momenta ?? rates.map(() => 0.9))
  })

  test.each(golden)('%s, gone on with from JSON', (make, rates) => {
    const first = optimiserOf()
    const before = make(first)
    for (let k = 0; k < 4; k++) before.step()
    const saved = JSON.parse(JSON.stringify([first.stateDict().groups, before.stateDict()])) as [never, never]
    const optimiser = optimiserOf()
    const schedule = make(optimiser)
    optimiser.loadStateDict({ ...optimiser.stateDict(), groups: saved[0] })
    schedule.loadStateDict(saved[1])
    near(rates.slice(4).map(() => {
      const { lr } = optimiser.groups[0]!
      schedule.step()
      return lr
    }), rates.slice(4))
    expect(schedule.stateDict()).not.toEqual(saved[1])
  })

  test('warm restarts at fractions of an epoch', () => {
    const optimiser = optimiserOf()
    const schedule = new CosineAnnealingWarmRestarts(optimiser, 2, { tMult: 2 })
    near([0, 0.5, 1.75, 2, 3.5, 6.25, 1].map(epoch => {
      schedule.step(epoch)
      return optimiser.groups[0]!.lr
    }), [0.1, 0.0853553390593, 0.00380602337444, 0.1, 0.0691341716183, 0.0997592363336, 0.05])
  })

  test.each<[PlateauOptions, readonly number[]]>([
    [{ patience: 1, factor: 0.5 }, [0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.025, 0.0125, 0.0125]],
    [{ patience: 0, factor: 0.5, cooldown: 2, threshold: 0.2, thresholdMode: 'abs' }, [0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125, 0.0125, 0.0125, 0.00625, 0.00625, 0.00625]],
    [{ patience: 1, factor: 0.5, mode: 'max', minLr: 0.02 }, [0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02]],
  ])('a plateau, with %o, also gone on with after each epoch', (options, rates) => {
    let optimiser = optimiserOf()
    let schedule = new ReduceLROnPlateau(optimiser, options)
    near([5, 4, 4, 3.9, 4.5, 4.5, 3.8, 3.7999, 3.7998, 3.9, 1, 1, 1, 1].map(loss => {
      const [groups, state] = JSON.parse(JSON.stringify([optimiser.stateDict().groups, schedule.stateDict()])) as [never, never]
      optimiser = optimiserOf()
      optimiser.loadStateDict({ ...optimiser.stateDict(), groups })
      schedule = new ReduceLROnPlateau(optimiser, options)
      schedule.loadStateDict(state)
      schedule.step(loss)
      return schedule.getLastLr()[0]!
    }), rates)
  })
})

describe('schedules', () => {
  test('give each group its own rates, and cycle β₁ where there are betas', () => {
    const optimiser = new Adam([{ params: [new Parameter(tensor(0))], lr: 1 }, { params: [new Parameter(tensor(0))], lr: 2 }])
    new LambdaLR(optimiser, [() => 0.5, () => 0.25])
    expect(optimiser.groups.map(({ lr }) => lr)).toEqual([0.5, 0.5])
    const schedule = new CyclicLR(optimiser, [0.1, 0.2], 1, { stepSizeUp: 1 })
    schedule.step()
    expect(optimiser.groups.map(({ lr, betas }) => [lr, ...betas])).toEqual([[1, 0.8, 0.999], [1, 0.8, 0.999]])
  })

  test('rise by half a cosine, then hold', () => {
    const optimiser = optimiserOf()
    const schedule = warmup(optimiser, 4, undefined, { annealStrategy: 'cos', startFactor: 0.2 })
    near([0, 1, 2, 3, 4, 5].map(() => {
      const { lr } = optimiser.groups[0]!
      schedule.step()
      return lr
    }), [0, 1, 2, 3, 4, 4].map(t => 0.1 * (0.2 + 0.8 * (1 - Math.cos(Math.PI * t / 4)) / 2)))
  })

  test('step after every run of a compiled step', () => {
    const optimiser = optimiserOf()
    const schedule = new ExponentialLR(optimiser, 0.5)
    const step = compile(() => {
      schedule.step()
      return tensor(0)
    })
    for (let k = 0; k < 3; k++) step()
    near(schedule.getLastLr(), [0.0125])
  })

  test('refuse what cannot be', () => {
    const optimiser = optimiserOf()
    const cycle = new OneCycleLR(optimiser, 1, { totalSteps: 1 })
    cycle.step()
    expect([
      () => { cycle.step() }, () => new OneCycleLR(optimiser, 1, {}), () => new OneCycleLR(new SGD([new Parameter(tensor(0))]), [1, 2], { totalSteps: 3 }),
      () => new ConstantLR(optimiser, { factor: 2 }), () => new LinearLR(optimiser, { startFactor: 0 }), () => new CosineAnnealingWarmRestarts(optimiser, 1.5),
      () => new SWALR(optimiser, 1, { annealStrategy: 'sine' as never }), () => new CyclicLR(optimiser, 0, 1, { mode: 'square' as never }), () => new ReduceLROnPlateau(optimiser, { factor: 1 }),
      () => new SequentialLR(optimiser, [new StepLR(optimiser, 1)], [1]), () => new SequentialLR(optimiser, [new StepLR(optimiserOf(), 1)], []), () => new ChainedScheduler([]),
      () => new ChainedScheduler([new ReduceLROnPlateau(optimiser) as never]), () => { new CosineAnnealingLR(optimiser, 3).loadStateDict({}); }, () => { new MultiStepLR(optimiser, [1]).loadStateDict({ lastEpoch: 1, steps: 1, baseLrs: [1, 2], lastLr: [1, 2] }); },
      () => { new ChainedScheduler([new MultiplicativeLR(optimiser, () => 1)]).loadStateDict({ schedules: [] }); }, () => new LambdaLR(optimiser, []),
    ].map(messageOf)).toMatchInlineSnapshot(`
      [
        "OneCycleLR: step 2 is past the last of 1. Give a larger totalSteps, or stop stepping",
        "OneCycleLR: totalSteps, or epochs times stepsPerEpoch, must be a whole number of at least 1, got NaN",
        "OneCycleLR: maxLr has 2 numbers, the optimiser 1 groups. Give one number for each, or one for all",
        "ConstantLR: factor must be in [0, 1], got 2",
        "LinearLR: startFactor must be greater than 0 and at most 1, got 0",
        "CosineAnnealingWarmRestarts: t0 must be a whole number of at least 1, got 1.5",
        "SWALR: annealStrategy must be 'cos' or 'linear', got sine",
        "CyclicLR: mode must be one of triangular, triangular2, exp_range, got square",
        "ReduceLROnPlateau: factor must be less than 1, got 1",
        "SequentialLR: 1 schedules meet at 0 milestones, got 1",
        "SequentialLR: schedule 0 is for another optimiser. Make all of them for the same",
        "ChainedScheduler: got no schedules",
        "ChainedScheduler: schedule 0 wants a metric in each step. Step ReduceLROnPlateau apart",
        "loadStateDict: the state is none of CosineAnnealingLR for 1 groups. Load it into a schedule of its own kind, for an optimiser with the same groups",
        "loadStateDict: the state is none of MultiStepLR for 1 groups. Load it into a schedule of its own kind, for an optimiser with the same groups",
        "loadStateDict: the state is none of ChainedScheduler with 1 schedules. Use the same schedules",
        "LambdaLR: got 0 functions for 1 groups. Give one for each, or one for all",
      ]
    `)
  })
})
