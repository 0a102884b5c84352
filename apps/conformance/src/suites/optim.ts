// PyTorch's published trajectories: parameters after every step of an optimiser, rates after every step of a schedule.

import { compile, type DType, type NestedInput, type Tensor, tensor } from '@bp/core'
import { Parameter, ReduceLROnPlateau, SGD } from '@bp/nn'
import { compareNumbers, Mismatch, single, type Tolerance } from '../compare.ts'
import { type ScheduleSpec, scheduleOf } from './schedules.ts'
import { type Outcome, type Setting, type Suite, textOf } from './suite.ts'
import { beforeVersion2, optimizerOf } from './torch.ts'

interface Trajectory extends ScheduleSpec {
  readonly kind: 'optimizer' | 'schedule'
  readonly [key: string]: unknown
}

const double: Tolerance = { rtol: 1e-9, atol: 1e-12 }

/** A case of one entry of the list, `entry.json`. */
export const optim: Suite = (subject, setting) => {
  const entry = JSON.parse(textOf(subject, 'entry.json')) as Trajectory
  return entry.kind === 'optimizer' ? runOptimizer(entry, setting) : { maxError: runSchedule(entry) }
}

/** Files do not tell the version that wrote them, so that either formula may hold. */
function runOptimizer(entry: Trajectory, setting: Setting): Outcome {
  const before = beforeVersion2[entry.name.toLowerCase()]
  try {
    return { maxError: follow(entry, entry.options, setting) }
  } catch (error) {
    if (!before || !(error instanceof Mismatch)) throw error
    return { maxError: follow(entry, { ...entry.options, ...before.options }, setting), note: before.note }
  }
}

function follow(entry: Trajectory, options: Trajectory['options'], setting: Setting): number {
  const { start, grads, params: after, lrs } = entry as unknown as { start: NestedInput[]; grads: NestedInput[][]; params: NestedInput[][]; lrs?: number[] }
  const [dtype, tolerance] = setting.single ? ['float32' as DType, single] : ['float64' as DType, double]
  const read = (values: NestedInput): Tensor => tensor(values, { dtype })
  const params = start.map(values => new Parameter(read(values)))
  const optimiser = optimizerOf({ ...options, name: entry.name }, params)
  const step = (...gradients: Tensor[]): Tensor[] => {
    params.forEach((p, i) => { p.grad = gradients[i]! })
    optimiser.step()
    optimiser.zeroGrad()
    return []
  }
  const run = setting.compiled ? compile(step) : step
  return Math.max(...grads.map((gradients, k) => {
    if (lrs) optimiser.groups[0]!.lr = lrs[k]!
    run(...gradients.map(read))
    return Math.max(...params.map((p, i) => compareNumbers(`parameter ${i} after step ${k + 1}`, p.dataSync(), read(after[k]![i]!).dataSync(), tolerance)))
  }))
}

function runSchedule(entry: Trajectory): number {
  const { base_lr: lr, lrs, metrics, momenta } = entry as unknown as { base_lr: number; lrs: number[]; metrics?: number[]; momenta?: number[] }
  const optimiser = new SGD([new Parameter(tensor([0]))], { lr, momentum: 0.9 })
  const schedule = scheduleOf(entry, optimiser)
  const places = lrs.map((_, k) => {
    const { lr, momentum } = optimiser.groups[0]!
    if (schedule instanceof ReduceLROnPlateau) schedule.step(metrics?.[k] ?? 0)
    else schedule.step()
    return { lr, momentum }
  })
  if (momenta) compareNumbers('momentum', places.map(({ momentum }) => momentum), momenta, double)
  return compareNumbers('rate', places.map(({ lr }) => lr), lrs, double)
}
