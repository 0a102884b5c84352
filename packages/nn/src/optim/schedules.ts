// Schedules that multiply the rate by factors: steps, ramps, powers, half a cosine.

import { fail } from '@bp/core/extend'
import type { AnyOptimizer } from './optimizer.ts'
import { LRScheduler, perGroup } from './scheduler.ts'

/** A factor for each epoch; one function for all groups, or one each. */
export type Factors = ((epoch: number) => number) | readonly ((epoch: number) => number)[]

function factorOf(op: string, { groups }: AnyOptimizer, factors: Factors): (group: number, epoch: number) => number {
  if (typeof factors === 'function') return (_group, epoch) => factors(epoch)
  if (factors.length !== groups.length) fail('value', op, `got ${factors.length} functions for ${groups.length} groups. Give one for each, or one for all`)
  return (group, epoch) => factors[group]!(epoch)
}

/** The first rate times a factor that is a function of the epoch. */
export class LambdaLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, factors: Factors) {
    const factor = factorOf('LambdaLR', optimiser, factors)
    super(optimiser, { rate: ({ base, group, epoch }) => base * factor(group, epoch) })
  }
}

/** The present rate times a factor that is a function of the epoch, from epoch 1 on. */
export class MultiplicativeLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, factors: Factors) {
    const factor = factorOf('MultiplicativeLR', optimiser, factors)
    super(optimiser, { rate: ({ lr, group, epoch, initial }) => initial ? lr : lr * factor(group, epoch) })
  }
}

/**
 * Multiplies the rate by γ, 0.1 unless given, every `stepSize` epochs.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Parameter, SGD, StepLR } from '@bp/nn'
 * const optimiser = new SGD([new Parameter(tensor(1))], { lr: 1 })
 * const schedule = new StepLR(optimiser, 2, { gamma: 0.5 })
 * schedule.step()
 * schedule.step()
 * optimiser.groups[0]!.lr // => 0.5
 * ```
 */
export class StepLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, stepSize: number, { gamma = 0.1 }: { readonly gamma?: number } = {}) {
    super(optimiser, { rate: ({ lr, epoch }) => epoch === 0 || epoch % stepSize !== 0 ? lr : lr * gamma, first: base => base })
  }
}

/** Multiplies the rate by γ, 0.1 unless given, at each milestone; twice where it is given twice. */
export class MultiStepLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, milestones: readonly number[], { gamma = 0.1 }: { readonly gamma?: number } = {}) {
    super(optimiser, {
      rate: ({ lr, epoch }) => milestones.includes(epoch) ? lr * gamma ** milestones.filter(milestone => milestone === epoch).length : lr,
      first: base => base * gamma ** milestones.filter(milestone => milestone <= 0).length,
    })
  }
}

/** Options of {@link ConstantLR}. */
export interface ConstantLROptions {
  /** In [0, 1]; 1/3 unless given. */
  readonly factor?: number
  /** 5 unless given. */
  readonly totalIters?: number
}

/** The rate times a factor until epoch `totalIters`, then the rate itself. */
export class ConstantLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, { factor = 1 / 3, totalIters = 5 }: ConstantLROptions = {}) {
    if (!(factor >= 0 && factor <= 1)) fail('value', 'ConstantLR', `factor must be in [0, 1], got ${factor}`)
    super(optimiser, {
      rate: ({ lr, epoch }) => epoch === 0 ? lr * factor : epoch === totalIters ? lr * (1 / factor) : lr,
      first: base => totalIters > 0 ? base * factor : base,
    })
  }
}

/** Options of {@link LinearLR}. */
export interface LinearLROptions {
  /** In (0, 1]; 1/3 unless given. */
  readonly startFactor?: number
  /** In [0, 1]; 1 unless given. */
  readonly endFactor?: number
  /** 5 unless given. */
  readonly totalIters?: number
}

/** The rate times a factor that goes in a straight line from `startFactor` at epoch 0 to `endFactor` at epoch `totalIters`. */
export class LinearLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, { startFactor = 1 / 3, endFactor = 1, totalIters = 5 }: LinearLROptions = {}) {
    if (!(startFactor > 0 && startFactor <= 1)) fail('value', 'LinearLR', `startFactor must be greater than 0 and at most 1, got ${startFactor}`)
    if (!(endFactor >= 0 && endFactor <= 1)) fail('value', 'LinearLR', `endFactor must be in [0, 1], got ${endFactor}`)
    const rise = endFactor - startFactor
    super(optimiser, {
      rate: ({ lr, epoch, initial }) => epoch === 0 ? lr * startFactor : initial || epoch > totalIters ? lr : lr * (1 + rise / (totalIters * startFactor + (epoch - 1) * rise)),
      first: base => base * startFactor,
    })
  }
}

/** Multiplies the rate by γ in each epoch. */
export class ExponentialLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, gamma: number) {
    super(optimiser, { rate: ({ lr, initial }) => initial ? lr : lr * gamma, first: base => base })
  }
}

/** Options of {@link PolynomialLR}. */
export interface PolynomialLROptions {
  /** 5 unless given. */
  readonly totalIters?: number
  /** 1 unless given. */
  readonly power?: number
}

/** lr·(1 − t/T)^power: down to 0 at epoch T = `totalIters`. */
export class PolynomialLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, { totalIters = 5, power = 1 }: PolynomialLROptions = {}) {
    super(optimiser, {
      rate: ({ lr, epoch, initial }) => initial || epoch > totalIters ? lr : lr * ((1 - epoch / totalIters) / (1 - (epoch - 1) / totalIters)) ** power,
      first: base => base,
    })
  }
}

/** Half a cosine from the first rate down to `etaMin` in `tMax` epochs, and up again in as many (Loshchilov & Hutter 2016, "SGDR", eq. 5). */
export class CosineAnnealingLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, tMax: number, { etaMin = 0 }: { readonly etaMin?: number } = {}) {
    const height = (epoch: number): number => 1 + Math.cos(Math.PI * epoch / tMax)
    super(optimiser, {
      rate: ({ lr, base, epoch, initial }) => initial
        ? lr
        // at the bottom, the ratio of two heights would be 0/0
        : (epoch - 1 - tMax) % (2 * tMax) === 0 ? lr + (base - etaMin) * (1 - Math.cos(Math.PI / tMax)) / 2 : height(epoch) / height(epoch - 1) * (lr - etaMin) + etaMin,
      first: base => base,
    })
  }
}

/** How a rate goes over: along half a cosine, or in a straight line. */
export type AnnealStrategy = 'cos' | 'linear'

/** The share of the way at t in [0, 1]. */
export function annealed(op: string, strategy: AnnealStrategy): (t: number) => number {
  if (!['cos', 'linear'].includes(strategy)) fail('value', op, `annealStrategy must be 'cos' or 'linear', got ${strategy}`)
  return strategy === 'cos' ? t => (1 - Math.cos(Math.PI * t)) / 2 : t => t
}

/** Options of {@link SWALR}. */
export interface SWALROptions {
  /** 10 unless given. */
  readonly annealEpochs?: number
  /** `cos` unless given. */
  readonly annealStrategy?: AnnealStrategy
}

/** Brings the rate, whatever it is, to `swaLr` in `annealEpochs` epochs, and keeps it there (Izmailov et al. 2018, "Averaging weights leads to wider optima"). */
export class SWALR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, swaLr: number | readonly number[], { annealEpochs = 10, annealStrategy = 'cos' }: SWALROptions = {}) {
    if (!Number.isInteger(annealEpochs) || annealEpochs < 0) fail('value', 'SWALR', `annealEpochs must be a whole number of at least 0, got ${annealEpochs}`)
    const goals = perGroup('SWALR', 'swaLr', optimiser, swaLr)
    const share = annealed('SWALR', annealStrategy)
    const shareAt = (step: number): number => share(Math.max(0, Math.min(1, step / Math.max(1, annealEpochs))))
    super(optimiser, {
      rate: ({ lr, group, steps }) => {
        const step = annealEpochs === 0 ? Math.max(1, steps) : steps
        const [before, now, goal] = [shareAt(step - 1), shareAt(step), goals[group]!]
        const from = before === 1 ? goal : (lr - before * goal) / (1 - before)
        return goal * now + from * (1 - now)
      },
    })
  }
}
