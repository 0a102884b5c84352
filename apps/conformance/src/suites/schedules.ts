// PyTorch's schedules by the names and options that case files give them.

import { type AnyOptimizer, ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, ExponentialLR, LinearLR, MultiStepLR, OneCycleLR, PolynomialLR, ReduceLROnPlateau, type Schedule, SequentialLR, StepLR, SWALR } from '@bp/nn'
import { Unsupported } from '../compare.ts'
import { camel } from './torch.ts'

/** A schedule as a case file names it. */
export interface ScheduleSpec {
  readonly name: string
  readonly options: Readonly<Record<string, unknown>>
}

type Options = Readonly<Record<string, never>>

/** By name: PyTorch's arguments that are positional in ours, and the schedule made of them and the rest. */
const schedules: Readonly<Record<string, { readonly first: readonly string[]; readonly make: (optimiser: AnyOptimizer, first: readonly never[], rest: Options) => Schedule | ReduceLROnPlateau }>> = {
  StepLR: { first: ['stepSize'], make: (o, [size], rest) => new StepLR(o, size!, rest) },
  MultiStepLR: { first: ['milestones'], make: (o, [milestones], rest) => new MultiStepLR(o, milestones!, rest) },
  ConstantLR: { first: [], make: (o, _, rest) => new ConstantLR(o, rest) },
  LinearLR: { first: [], make: (o, _, rest) => new LinearLR(o, rest) },
  ExponentialLR: { first: ['gamma'], make: (o, [gamma]) => new ExponentialLR(o, gamma!) },
  PolynomialLR: { first: [], make: (o, _, rest) => new PolynomialLR(o, rest) },
  CosineAnnealingLR: { first: ['tMax'], make: (o, [length], rest) => new CosineAnnealingLR(o, length!, rest) },
  CosineAnnealingWarmRestarts: { first: ['t0'], make: (o, [length], rest) => new CosineAnnealingWarmRestarts(o, length!, rest) },
  OneCycleLR: { first: ['maxLr'], make: (o, [max], rest) => new OneCycleLR(o, max!, rest) },
  CyclicLR: { first: ['baseLr', 'maxLr'], make: (o, [base, max], rest) => new CyclicLR(o, base!, max!, rest) },
  ReduceLROnPlateau: { first: [], make: (o, _, rest) => new ReduceLROnPlateau(o, rest) },
  SWALR: { first: ['swaLr'], make: (o, [goal], rest) => new SWALR(o, goal!, rest) },
}

/** The schedule that a case file names; `Unsupported` where it is not there. */
export function scheduleOf({ name, options }: ScheduleSpec, optimiser: AnyOptimizer): Schedule | ReduceLROnPlateau {
  const parts = (): Schedule[] => (options.schedulers as readonly ScheduleSpec[]).map(part => scheduleOf(part, optimiser) as Schedule)
  if (name === 'SequentialLR' && options.schedulers) return new SequentialLR(optimiser, parts(), options.milestones as readonly number[])
  if (name === 'ChainedScheduler' && options.schedulers) return new ChainedScheduler(parts())
  const known = schedules[name]
  if (!known) throw new Unsupported(`schedule ${name}`)
  const own = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null).map(([option, value]) => [camel(option), value]))
  return known.make(optimiser, known.first.map(option => own[option] as never), Object.fromEntries(Object.entries(own).filter(([option]) => !known.first.includes(option))) as Options)
}
