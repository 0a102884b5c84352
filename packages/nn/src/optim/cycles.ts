// Schedules that go up and down: warm restarts, one cycle, many cycles.

import { effect, fail } from '@bp/core/extend'
import type { AnyOptimizer } from './optimizer.ts'
import { annealed, type AnnealStrategy } from './schedules.ts'
import { LRScheduler, perGroup, type Place, type ScheduleRule } from './scheduler.ts'

/** Options of {@link CosineAnnealingWarmRestarts}. */
export interface WarmRestartsOptions {
  /** What each cycle's length is multiplied by for the next; 1 unless given. */
  readonly tMult?: number
  /** The rate at a cycle's end; 0 unless given. */
  readonly etaMin?: number
}

/** Half a cosine from the first rate down to `etaMin` in t₀ epochs, again and again (Loshchilov & Hutter 2016, "SGDR"). */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  private readonly cycle: { tCur: number; tI: number }
  private readonly t0: number
  private readonly tMult: number

  constructor(optimiser: AnyOptimizer, t0: number, { tMult = 1, etaMin = 0 }: WarmRestartsOptions = {}) {
    if (!Number.isInteger(t0) || t0 <= 0) fail('value', 'CosineAnnealingWarmRestarts', `t0 must be a whole number of at least 1, got ${t0}`)
    if (!Number.isInteger(tMult) || tMult < 1) fail('value', 'CosineAnnealingWarmRestarts', `tMult must be a whole number of at least 1, got ${tMult}`)
    const cycle = { tCur: 0, tI: t0 }
    super(optimiser, { rate: ({ base }) => etaMin + (base - etaMin) * (1 + Math.cos(Math.PI * cycle.tCur / cycle.tI)) / 2, memory: cycle })
    this.cycle = cycle
    this.t0 = t0
    this.tMult = tMult
  }

  /** Goes on by one epoch, or to any epoch, which may be a fraction: `step(epoch + batch / batches)`. */
  override step(epoch?: number): void {
    if (epoch !== undefined && !(epoch >= 0)) fail('value', 'CosineAnnealingWarmRestarts', `the epoch must be at least 0, got ${epoch}`)
    effect(() => {
      const { cycle, t0, tMult } = this
      if (epoch === undefined) {
        cycle.tCur++
        if (cycle.tCur >= cycle.tI) {
          cycle.tCur %= cycle.tI
          cycle.tI *= tMult
        }
      } else {
        // cycles that are over: t₀(1 + m + … + mⁿ⁻¹) ≤ epoch
        const over = epoch < t0 ? 0 : tMult === 1 ? Math.floor(epoch / t0) : Math.floor(Math.log(epoch / t0 * (tMult - 1) + 1) / Math.log(tMult))
        cycle.tI = t0 * tMult ** over
        cycle.tCur = epoch - (tMult === 1 ? over * t0 : t0 * (tMult ** over - 1) / (tMult - 1))
      }
      this.set(Math.floor(epoch ?? this.lastEpoch + 1))
    })
  }
}

/** Whether and between what momentum goes down while the rate goes up, and up while it goes down. */
export interface MomentumCycle {
  /** True unless given: then the optimiser must have momentum or betas. */
  readonly cycleMomentum?: boolean
  readonly baseMomentum?: number | readonly number[]
  readonly maxMomentum?: number | readonly number[]
}

function checkMomentum(op: string, { groups }: AnyOptimizer): void {
  if (!groups.every(group => 'momentum' in group || 'betas' in group)) fail('value', op, 'the optimiser has neither momentum nor betas to cycle. Pass { cycleMomentum: false }')
}

/** Options of {@link OneCycleLR}: `totalSteps`, or both of `epochs` and `stepsPerEpoch`, must be given. */
export interface OneCycleOptions extends MomentumCycle {
  readonly totalSteps?: number
  readonly epochs?: number
  readonly stepsPerEpoch?: number
  /** The share of steps in which the rate goes up; 0.3 unless given. */
  readonly pctStart?: number
  /** `cos` unless given. */
  readonly annealStrategy?: AnnealStrategy
  /** The first rate is the largest over this; 25 unless given. */
  readonly divFactor?: number
  /** The last rate is the first over this; 1e4 unless given. */
  readonly finalDivFactor?: number
  /** Goes down to the first rate in as many steps as up, and then on to the last, as the paper does. */
  readonly threePhase?: boolean
}

/**
 * The rate goes up to `maxLr` and down to almost 0, once, in steps of batches; momentum the other way, between 0.85 and 0.95 unless
 * given (Smith & Topin 2017, "Super-convergence"). Throws in a step past the last.
 */
export class OneCycleLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, maxLr: number | readonly number[], options: OneCycleOptions) {
    super(optimiser, oneCycle(optimiser, maxLr, options))
  }
}

function oneCycle(optimiser: AnyOptimizer, maxLr: number | readonly number[], options: OneCycleOptions): ScheduleRule {
  const { epochs = NaN, stepsPerEpoch = NaN, totalSteps = epochs * stepsPerEpoch, pctStart = 0.3, annealStrategy = 'cos', divFactor = 25, finalDivFactor = 1e4, threePhase = false } = options
  const { cycleMomentum = true, baseMomentum = 0.85, maxMomentum = 0.95 } = options
  if (!Number.isInteger(totalSteps) || totalSteps <= 0) fail('value', 'OneCycleLR', `totalSteps, or epochs times stepsPerEpoch, must be a whole number of at least 1, got ${totalSteps}`)
  if (!(pctStart >= 0 && pctStart <= 1)) fail('value', 'OneCycleLR', `pctStart must be in [0, 1], got ${pctStart}`)
  const share = annealed('OneCycleLR', annealStrategy)
  const largest = perGroup('OneCycleLR', 'maxLr', optimiser, maxLr)
  const [low, high] = [perGroup('OneCycleLR', 'baseMomentum', optimiser, baseMomentum), perGroup('OneCycleLR', 'maxMomentum', optimiser, maxMomentum)]
  if (cycleMomentum) checkMomentum('OneCycleLR', optimiser)
  optimiser.groups.forEach((group, i) => { group.initialLr = largest[i]! / divFactor })

  // the last step of each phase, with what rates and momenta go between
  const up = pctStart * totalSteps - 1
  const phases: readonly { readonly end: number; readonly lr: readonly [Level, Level]; readonly momentum: readonly [readonly number[], readonly number[]] }[] = [
    { end: up, lr: ['initial', 'max'], momentum: [high, low] },
    ...threePhase ? [{ end: 2 * pctStart * totalSteps - 2, lr: ['max', 'initial'], momentum: [low, high] } as const] : [],
    { end: totalSteps - 1, lr: [threePhase ? 'initial' : 'max', 'min'], momentum: [threePhase ? high : low, high] },
  ]
  const between = (pick: (phase: typeof phases[number], end: 0 | 1, place: Place) => number) => (place: Place): number => {
    const found = phases.findIndex(({ end }) => place.epoch <= end)
    const at = found < 0 ? phases.length - 1 : found
    const phase = phases[at]!
    const start = at === 0 ? 0 : phases[at - 1]!.end
    const from = pick(phase, 0, place)
    return from + (pick(phase, 1, place) - from) * share((place.epoch - start) / (phase.end - start))
  }
  const rate = between(({ lr }, end, { group, base }) => ({ initial: base, max: largest[group]!, min: base / finalDivFactor })[lr[end]])
  return {
    rate: place => place.epoch > totalSteps ? fail('value', 'OneCycleLR', `step ${place.epoch} is past the last of ${totalSteps}. Give a larger totalSteps, or stop stepping`) : rate(place),
    ...cycleMomentum && { momentum: between(({ momentum }, end, { group }) => momentum[end][group]!) },
  }
}

type Level = 'initial' | 'max' | 'min'

/** Options of {@link CyclicLR}. */
export interface CyclicOptions extends MomentumCycle {
  /** 2000 unless given. */
  readonly stepSizeUp?: number
  /** As many as up unless given. */
  readonly stepSizeDown?: number
  /** `triangular`: all cycles alike, unless given; `triangular2`: each half as high; `exp_range`: times γ in each step. */
  readonly mode?: 'triangular' | 'triangular2' | 'exp_range'
  /** 1 unless given. */
  readonly gamma?: number
  /** A height of your own in place of a mode, from the number of the cycle, 1 at first, or of the step. */
  readonly scaleFn?: (x: number) => number
  /** What `scaleFn` is given; `cycle` unless given. */
  readonly scaleMode?: 'cycle' | 'iterations'
}

/**
 * The rate goes up from `baseLr` to `maxLr` and down in straight lines, again and again; momentum the other way, between 0.8 and 0.9
 * unless given (Smith 2015, "Cyclical learning rates for training neural networks").
 */
export class CyclicLR extends LRScheduler {
  constructor(optimiser: AnyOptimizer, baseLr: number | readonly number[], maxLr: number | readonly number[], options: CyclicOptions = {}) {
    super(optimiser, cyclic(optimiser, baseLr, maxLr, options))
  }
}

function cyclic(optimiser: AnyOptimizer, baseLr: number | readonly number[], maxLr: number | readonly number[], options: CyclicOptions): ScheduleRule {
  const { stepSizeUp = 2000, stepSizeDown = stepSizeUp, mode = 'triangular', gamma = 1, cycleMomentum = true, baseMomentum = 0.8, maxMomentum = 0.9 } = options
  const scales = { triangular: () => 1, triangular2: (cycle: number) => 2 ** (1 - cycle), exp_range: (step: number) => gamma ** step }
  if (!options.scaleFn && !(mode in scales)) fail('value', 'CyclicLR', `mode must be one of ${Object.keys(scales).join(', ')}, got ${mode}`)
  const scale = options.scaleFn ?? scales[mode]
  const byCycle = options.scaleFn ? (options.scaleMode ?? 'cycle') === 'cycle' : mode !== 'exp_range'
  const [base, most] = [perGroup('CyclicLR', 'baseLr', optimiser, baseLr), perGroup('CyclicLR', 'maxLr', optimiser, maxLr)]
  const [low, high] = [perGroup('CyclicLR', 'baseMomentum', optimiser, baseMomentum), perGroup('CyclicLR', 'maxMomentum', optimiser, maxMomentum)]
  if (cycleMomentum) checkMomentum('CyclicLR', optimiser)
  optimiser.groups.forEach((group, i) => { group.lr = base[i]! })
  const length = stepSizeUp + stepSizeDown
  const ratio = stepSizeUp / length
  const height = ({ epoch }: Place): number => {
    const cycle = Math.floor(1 + epoch / length)
    const x = 1 + epoch / length - cycle
    return (x <= ratio ? x / ratio : (x - 1) / (ratio - 1)) * scale(byCycle ? cycle : epoch)
  }
  return {
    rate: place => base[place.group]! + (most[place.group]! - base[place.group]!) * height(place),
    ...cycleMomentum && { momentum: (place: Place) => high[place.group]! - (high[place.group]! - low[place.group]!) * height(place) },
  }
}
