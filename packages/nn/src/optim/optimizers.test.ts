// Optimisers against PyTorch's own numbers, compiled steps against eager ones, and runs that are saved and gone on with.

import { cpu } from '@bp/backend-cpu'
import { compile, mul, type Tensor, tensor, use } from '@bp/core'
import { Generator, mean, square, sub, tanh } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { messageOf } from '../../test/messages.ts'
import { Adadelta, Adafactor, Adagrad, Adam, Adamax, AdamW, type AnyOptimizer, ASGD, decodeCheckpoint, encodeCheckpoint, LBFGS, Linear, Lion, Module, Muon, NAdam, OneCycleLR, Parameter, RAdam, RMSprop, Rprop, SGD, SGLD } from '../index.ts'

use(cpu())

type Kind = new (params: readonly Parameter[], options: never) => AnyOptimizer

/** Made by PyTorch 2.15: the parameter after 8 steps from `start` with the gradients of `gradient`. */
const golden: readonly [Kind, object, readonly number[]][] = [
  [SGD, { lr: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.1 }, [0.5741334518124349, -0.36794902987922484, 0.40749295504065774, 1.5003670750701577, -1.3751913159539797, 0.7234559814916165]],
  [SGD, { lr: 0.1, momentum: 0.9, nesterov: true, maximize: true }, [1.2815405388873629, -0.6088007005631334, -0.0035037964012517783, 2.174125837461763, -1.2913665145418405, 0.5221116106842989]],
  [Adam, { lr: 0.05, betas: [0.8, 0.95], eps: 1e-06, weightDecay: 0.1 }, [0.7866579856156954, -0.4830426738327551, 0.38732139682322003, 1.7986411400007107, -1.4500587173595059, 0.7268198162753342]],
  [Adam, { lr: 0.05, betas: [0.8, 0.6], amsgrad: true, maximize: true }, [1.1434080042635877, -0.48222282887196166, 0.1044896104759376, 1.9945192833164018, -1.4132142801328536, 0.7431094157121204]],
  [AdamW, { lr: 0.05 }, [0.8206104187854665, -0.4995537958066262, 0.4262973583757561, 1.9754992569450076, -1.611642491719964, 0.7806904969417744]],
  [Adamax, { lr: 0.05, weightDecay: 0.1 }, [0.8408765439786212, -0.5017687400796461, 0.3670577327062837, 1.8590307346884112, -1.4868878808518935, 0.7280530275269494]],
  [NAdam, { lr: 0.05, momentumDecay: 0.05 }, [0.9186024199951116, -0.525234722202983, 0.3188370861069414, 2.0238903132275334, -1.509412196710022, 0.7276473465439869]],
  [NAdam, { lr: 0.05, weightDecay: 0.1, decoupledWeightDecay: true }, [0.8836488951341306, -0.5044942110126748, 0.30494061335415845, 1.9445408698265128, -1.4482636088319705, 0.6985174548021625]],
  [RAdam, { lr: 0.05, betas: [0.9, 0.97] }, [0.9501810626795986, -0.4719196655853057, 0.2929774368142158, 1.960917804144421, -1.5332783391641813, 0.797372049850899]],
  [RAdam, { lr: 0.05, weightDecay: 0.1, decoupledWeightDecay: true, eps: 0.001 }, [0.9127781523661745, -0.4510259348339426, 0.28059890374351426, 1.8816612156104675, -1.4712899253753973, 0.7679918666185949]],
  [RMSprop, { lr: 0.05, alpha: 0.9, momentum: 0.9, centered: true }, [-0.8142143867422639, -1.0549767914128803, 1.8802391020060802, 2.4617272221993054, -2.0475161043172125, 0.40272781179214173]],
  [Adagrad, { lr: 0.1, lrDecay: 0.1, initialAccumulatorValue: 0.5, weightDecay: 0.1 }, [0.9091054403968302, -0.46335607554626435, 0.2657477154504611, 1.89204732436833, -1.429132295263131, 0.7438750769865499]],
  [Adadelta, { rho: 0.8 }, [0.9984489868459545, -0.5008271379718373, 0.25081131584685723, 2.000699594562857, -1.498136984800175, 0.7493987281096042]],
  [Rprop, { lr: 0.05, etas: [0.3, 1.5], stepSizes: [0.001, 0.08] }, [0.8612750000000001, -0.592225, 0.38872500000000004, 2.0922249999999996, -1.5217250000000002, 0.6928749999999999]],
  [ASGD, { lr: 0.05, lambd: 0.05, alpha: 0.6, t0: 3.0, weightDecay: 0.1 }, [0.943195679878191, -0.4584178667854826, 0.23089107886233554, 1.8723669775555263, -1.405281355168824, 0.7157836096074182]],
  [Adafactor, { lr: 0.05, weightDecay: 0.1 }, [0.9178824948646922, -0.516660965183506, 0.268134482074695, 1.9487742091739955, -1.4490360195046286, 0.7047410400095994]],
  [Adafactor, { lr: 0.5, beta2Decay: -0.6, eps: [0.0001, 0.01], d: 1.5 }, [0.36991604055468935, -0.6347291046481991, 0.4981329313049644, 2.042316627144481, -1.3022393228426252, 0.8085125369359446]],
  [Muon, { lr: 0.05 }, [0.8462303913619221, -0.5360791428101597, 0.3062406953357847, 1.889474972493535, -1.4538104880447118, 0.8390537105619211]],
  [Muon, { lr: 0.05, nesterov: false, adjustLr: 'match_rms_adamw', nsSteps: 3 }, [0.9157084163612357, -0.5040948249927516, 0.2658880943944902, 1.9094614798115934, -1.446434164601124, 0.7672927500862883]],
]

const start = [[1, -0.5], [0.25, 2], [-1.5, 0.75]]
const gradient = (k: number): number[] => [0, 1, 2, 3, 4, 5].map(i => Math.sin(2.3 * k + 1.7 * i + 0.4) * (k % 2 ? 1 : 0.2))

/** Gradients of `gradient`, one step each, and where they lead. */
function walk(optimiser: AnyOptimizer, steps: number): number[] {
  const [p] = optimiser.parameters()
  for (let k = 0; k < steps; k++) {
    p!.grad = tensor(gradient(k), { shape: [3, 2], dtype: 'float64' })
    optimiser.step()
  }
  return Array.from(p!.dataSync(), Number)
}

const matrix = (): Parameter => new Parameter(tensor(start, { dtype: 'float64' }))

describe('formulas', () => {
  test.each(golden)('%o with %o', (Kind, options, want) => {
    walk(new Kind([matrix()], options as never), 8).forEach((value, i) => { expect(Math.abs(value / want[i]! - 1)).toBeLessThan(1e-9) })
  })

  test('NAdam as PyTorch 1.13 computed it', () => {
    const p = new Parameter(tensor([0.5, -1], { dtype: 'float64' }))
    const optimiser = new NAdam([p], { lr: 0.01, legacyProduct: true })
    p.grad = tensor([3, -0.2], { dtype: 'float64' })
    optimiser.step()
    const mu = (t: number): number => 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004))
    const move = 0.01 * (1 + 0.1 * mu(2) / (1 - mu(1) * mu(1) * mu(2)))
    expect(p.dataSync()[0]).toBeCloseTo(0.5 - move, 9)
    expect(p.dataSync()[1]).toBeCloseTo(-1 + move, 8)
  })

  test('Lion follows the sign of the mixture of mean and gradient, and mixes anew', () => {
    const p = new Parameter(tensor([1, 1], { dtype: 'float64' }))
    const optimiser = new Lion([p], { lr: 0.1, betas: [0.5, 0.75], weightDecay: 0.5 })
    for (const g of [[2, -4], [-1, 1]]) {
      p.grad = tensor(g, { dtype: 'float64' })
      optimiser.step()
    }
    // m = ¼g = [0.5, −1] after the first step; in the second ½m + ½g = [−0.25, 0]
    expect(Array.from(p.dataSync(), Number)).toEqual([(0.95 - 0.1) * 0.95 + 0.1, (0.95 + 0.1) * 0.95])
  })

  test('SGLD samples the posterior: the variance of its path is that of the normal distribution it descends', () => {
    const p = new Parameter(tensor(new Float64Array(4000)))
    const optimiser = new SGLD([p], { lr: 0.1, generator: new Generator(1) })
    // −log of N(0, ¼) has the gradient 4p; the discrete path has the variance lr/(1 − (1 − 2·lr)²) = 0.2778
    for (let k = 0; k < 60; k++) {
      p.grad = mul(p, 4)
      optimiser.step()
    }
    expect(mean(square(p)).item()).toBeGreaterThan(0.25)
    expect(mean(square(p)).item()).toBeLessThan(0.305)
    expect(walk(new SGLD([matrix()], { lr: 0.2, temperature: 0 }), 3)).toEqual(walk(new SGD([matrix()], { lr: 0.1 }), 3))
  })

  test('maximize climbs: it follows the negative gradient, decay apart', () => {
    for (const Kind of [SGD, Adam, AdamW, Adamax, NAdam, RAdam, RMSprop, Adagrad, Adadelta, Rprop, ASGD, Lion, Adafactor, Muon] as Kind[]) {
      const [down, up] = [new Kind([matrix()], {} as never), new Kind([matrix()], { maximize: true } as never)]
      down.parameters()[0]!.grad = tensor(gradient(0), { shape: [3, 2], dtype: 'float64' })
      up.parameters()[0]!.grad = tensor(gradient(0).map(g => -g), { shape: [3, 2], dtype: 'float64' })
      down.step()
      up.step()
      expect(String(up.parameters()[0]), Kind.name).toBe(String(down.parameters()[0]))
    }
  })
})

class Net extends Module {
  readonly hidden: Linear
  readonly out: Linear
  constructor() {
    super()
    const generator = new Generator(5)
    this.hidden = new Linear(4, 6, { generator, bias: false })
    this.out = new Linear(6, 3, { generator, bias: false })
  }

  override forward(x: Tensor): Tensor {
    return this.out.forward(tanh(this.hidden.forward(x)))
  }
}

/** A run whose rate, and momentum where there is one, changes in every step. */
class Training {
  readonly model = new Net()
  readonly optimiser: AnyOptimizer
  readonly step: (x: Tensor, y: Tensor) => Tensor
  private readonly schedule: OneCycleLR

  constructor(Kind: Kind, options: object, compiled: boolean) {
    this.optimiser = new Kind(this.model.parameters(), options as never)
    const group = this.optimiser.groups[0]!
    const cycles = 'betas' in group || 'momentum' in group && group.momentum !== 0
    this.schedule = new OneCycleLR(this.optimiser, group.lr, { totalSteps: 20, divFactor: 3, cycleMomentum: cycles })
    const step = (x: Tensor, y: Tensor): Tensor => {
      this.optimiser.zeroGrad()
      const loss = mean(square(sub(this.model.forward(x), y)))
      loss.backward()
      this.optimiser.step()
      this.schedule.step()
      return loss
    }
    this.step = compiled ? compile(step) : step
  }

  run(from: number, to: number): this {
    for (let k = from; k < to; k++) {
      const generator = new Generator(k)
      this.step(generator.normal([5, 4]), generator.normal([5, 3]))
    }
    return this
  }

  save(): Uint8Array {
    return encodeCheckpoint({ model: this.model, optimiser: this.optimiser }, { schedule: this.schedule.stateDict() })
  }

  load(bytes: Uint8Array): this {
    const progress = decodeCheckpoint(bytes, { model: this.model, optimiser: this.optimiser }) as { schedule: never }
    this.schedule.loadStateDict(progress.schedule)
    return this
  }

  parameters(): number[] {
    return this.model.parameters().flatMap(p => Array.from(p.dataSync(), Number))
  }
}

const kinds: readonly [Kind, object][] = [
  [SGD, { lr: 0.1 }], [SGD, { lr: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.01 }], [SGD, { lr: 0.1, momentum: 0.9, nesterov: true, maximize: true }],
  [Adam, { lr: 0.01 }], [Adam, { lr: 0.01, amsgrad: true, weightDecay: 0.1 }], [AdamW, { lr: 0.01 }], [Adamax, {}], [NAdam, { momentumDecay: 0.05 }],
  [RAdam, { betas: [0.9, 0.97] }], [RAdam, { weightDecay: 0.1, decoupledWeightDecay: true }], [RMSprop, { momentum: 0.9, centered: true }],
  [Adagrad, { initialAccumulatorValue: 0.1, lrDecay: 0.1 }], [Adadelta, { lr: 1 }], [Rprop, {}], [ASGD, { lambd: 0.01, t0: 3 }], [Lion, { lr: 0.01, weightDecay: 0.1 }],
  [Adafactor, { lr: 0.05, weightDecay: 0.01 }], [Muon, { lr: 0.02 }], [Muon, { lr: 0.02, precision: 'full', nesterov: false }],
]

describe('runs', () => {
  test.each(kinds)('%o with %o: a compiled step is the eager one, while rate and momentum change', (Kind, options) => {
    const eager = new Training(Kind, options, false).run(0, 10).parameters()
    const compiled = new Training(Kind, options, true).run(0, 10).parameters()
    // rounding to bfloat16 may go either way
    const tolerance = Kind === Muon ? 2e-3 : 2e-5
    compiled.forEach((value, i) => { expect(Math.abs(value - eager[i]!)).toBeLessThan(tolerance) })
    expect(eager).not.toEqual(new Training(Kind, options, false).parameters())
  })

  const noisy = class extends SGLD {
    constructor(params: readonly Parameter[], options: object) {
      super(params, { ...options, generator: new Generator(3) })
    }
  }
  test.each([...kinds, [noisy as Kind, { lr: 0.01 }] as const])('%o with %o: a saved run ends as the unbroken one, bit by bit, also in steps compiled before', (Kind, options) => {
    const unbroken = new Training(Kind, options, true).run(0, 4)
    const checkpoint = unbroken.save()
    const end = unbroken.run(4, 8).parameters()
    expect(new Training(Kind, options, true).load(checkpoint).run(4, 8).parameters()).toEqual(end)
    expect(unbroken.load(checkpoint).run(4, 8).parameters()).toEqual(end)
  })

  test('a state from before the first step takes all back, also in steps compiled before', () => {
    const run = new Training(Adam, { lr: 0.01 }, true)
    const fresh = run.save()
    const end = run.run(0, 3).parameters()
    expect(run.load(fresh).run(0, 3).parameters()).toEqual(end)
  })
})

test('a state loaded into the optimiser that it is of changes nothing', () => {
  const optimiser = new Adam([matrix()])
  walk(optimiser, 2)
  const before = optimiser.stateVariables().map(String)
  optimiser.loadStateDict(optimiser.stateDict())
  expect(optimiser.stateVariables().map(String)).toEqual(before)
})

describe('groups', () => {
  const group = (): { params: Parameter[]; lr: number } => ({ params: [new Parameter(tensor(1))], lr: 1 })

  test('can be added, have options of their own, and share no parameter', () => {
    const [first, second] = [group(), group()]
    const optimiser = new SGD([first], { momentum: 0.5, lr: 0.1 })
    optimiser.addParamGroup({ ...second, lr: 0.25, momentum: 0 })
    expect(() => { optimiser.addParamGroup(first) }).toThrow(/twice/)
    for (const p of optimiser.parameters()) p.grad = tensor(1)
    optimiser.step()
    expect(optimiser.parameters().map(p => p.item())).toEqual([0, 0.75])
    expect(optimiser.stateVariables()).toHaveLength(1)
  })

  test('skips what is frozen or has no gradient', () => {
    const optimiser = new Adam([group(), group()])
    const [frozen, idle] = optimiser.parameters()
    frozen!.grad = tensor(1)
    frozen!.requiresGrad = false
    optimiser.step()
    expect([frozen!.item(), idle!.item()]).toEqual([1, 1])
    expect(optimiser.stateDict().steps).toEqual([0, 0])
  })

  test('step calls a closure first and returns its loss', () => {
    const p = new Parameter(tensor(3))
    const optimiser = new SGD([p], { lr: 0.5 })
    const loss = optimiser.step(() => {
      const loss = square(p)
      loss.backward()
      return loss
    })
    expect([loss!.item(), p.item()]).toEqual([9, 0])
  })

  test('refuses hyper-parameters out of range, and says the range', () => {
    const p = [new Parameter(tensor([[1]]))]
    expect([
      () => new SGD(p, { lr: -1 }), () => new SGD(p, { lr: NaN }), () => new SGD(p, { momentum: -1 }), () => new SGD(p, { nesterov: true }),
      () => new SGD([{ params: p, weightDecay: -1 }]), () => new Adam(p, { betas: [0.9, 1] }), () => new Adam(p, { eps: -1 }),
      () => new NAdam(p, { momentumDecay: -1 }), () => new RMSprop(p, { alpha: -1 }), () => new Adagrad(p, { initialAccumulatorValue: -1 }),
      () => new Adadelta(p, { rho: 2 }), () => new Rprop(p, { etas: [1.2, 0.5] }), () => new ASGD(p, { lambd: -1 }), () => new Lion(p, { betas: [1, 0] }),
      () => new Adafactor(p, { d: 0.5 }), () => new Adafactor(p, { beta2Decay: 1 }), () => new Adafactor(p, { eps: [-1, 0] }), () => new Muon(p, { nsSteps: 100 }),
      () => new Muon([new Parameter(tensor([1]))]), () => new SGLD(p, { temperature: -1 }), () => new LBFGS(p, { historySize: 0 }),
    ].map(messageOf)).toMatchInlineSnapshot(`
      [
        "SGD: lr must be at least 0, got -1",
        "SGD: lr must be at least 0, got NaN",
        "SGD: momentum must be at least 0, got -1",
        "SGD: nesterov must be false without momentum, or with dampening, got true",
        "SGD: weightDecay must be at least 0, got -1",
        "Adam: betas must be two numbers in [0, 1), got 0.9,1",
        "Adam: eps must be at least 0, got -1",
        "NAdam: momentumDecay must be at least 0, got -1",
        "RMSprop: alpha must be at least 0, got -1",
        "Adagrad: initialAccumulatorValue must be at least 0, got -1",
        "Adadelta: rho must be in [0, 1], got 2",
        "Rprop: etas must be [η⁻, η⁺] with 0 < η⁻ < 1 < η⁺, got 1.2,0.5",
        "ASGD: lambd must be at least 0, got -1",
        "Lion: betas must be two numbers in [0, 1), got 1,0",
        "Adafactor: d must be at least 1, got 0.5",
        "Adafactor: beta2Decay must be at most 0, got 1",
        "Adafactor: eps must be two numbers of at least 0, the first may be null, got -1,0",
        "Muon: nsSteps must be a whole number from 0 to 99, got 100",
        "Muon: only matrices can be made orthogonal, got f32[1]. Give other parameters to AdamW",
        "SGLD: temperature must be at least 0, got -1",
        "LBFGS: historySize must be at least 1, got 0",
      ]
    `)
  })

  test('refuses the state of another optimiser or model, and then changes nothing', () => {
    const [adam, sgd] = [new Adam([matrix()]), new SGD([matrix()], { momentum: 0.9 })]
    walk(adam, 1)
    expect(() => { sgd.loadStateDict(adam.stateDict()) }).toThrowErrorMatchingInlineSnapshot(`[BpError: loadStateDict: the state has a hyper-parameter betas, which SGD has not. Load it into an optimiser of its own kind]`)
    const other = new Adam([new Parameter(tensor([1, 2]))])
    expect(() => { other.loadStateDict(adam.stateDict()) }).toThrowErrorMatchingInlineSnapshot(`[BpError: loadStateDict: the state 0.exp_avg is f64[3,2] and fits no parameter. Use the same model and groups]`)
    expect(() => { other.loadStateDict({ ...adam.stateDict(), steps: [] }) }).toThrowErrorMatchingInlineSnapshot(`[BpError: loadStateDict: the state is for 0 parameters in 1 groups, the optimiser has 1 in 1. Use the same model and groups]`)
    expect(other.stateVariables()).toHaveLength(0)
  })
})
