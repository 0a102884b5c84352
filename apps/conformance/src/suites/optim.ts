// PyTorch's published trajectories: parameters after every step of an optimiser, rates after every step of a schedule.

import { readFileSync } from 'node:fs'
import { compile, type NestedInput, type Tensor, tensor } from '@bp/core'
import { Parameter, ReduceLROnPlateau, SGD } from '@bp/nn'
import { compareNumbers, Mismatch } from '../compare.ts'
import { type ScheduleSpec, scheduleOf } from './schedules.ts'
import type { Case, Outcome, Suite } from './suite.ts'
import { beforeVersion2, optimizerOf } from './torch.ts'

interface Trajectory extends ScheduleSpec {
  readonly kind: 'optimizer' | 'schedule'
  readonly [key: string]: unknown
}

const tolerance = { rtol: 1e-9, atol: 1e-12 }

/** Every entry of the list. */
export const optim: Suite = (path, compiled) => (JSON.parse(readFileSync(path, 'utf8')) as Trajectory[])
  .map((entry, i): Case => ({ name: `${entry.kind}/${entry.name}#${i}`, run: () => entry.kind === 'optimizer' ? runOptimizer(entry, compiled) : { maxError: runSchedule(entry) } }))

/** Files do not tell the version that wrote them, so that either formula may hold. */
function runOptimizer(entry: Trajectory, compiled: boolean): Outcome {
  const before = beforeVersion2[entry.name.toLowerCase()]
  try {
    return { maxError: follow(entry, entry.options, compiled) }
  } catch (error) {
    if (!before || !(error instanceof Mismatch)) throw error
    return { maxError: follow(entry, { ...entry.options, ...before.options }, compiled), note: before.note }
  }
}

function follow(entry: Trajectory, options: Trajectory['options'], compiled: boolean): number {
  const { start, grads, params: after, lrs } = entry as unknown as { start: NestedInput[]; grads: NestedInput[][]; params: NestedInput[][]; lrs?: number[] }
  const double = (values: NestedInput): Tensor => tensor(values, { dtype: 'float64' })
  const params = start.map(values => new Parameter(double(values)))
  const optimiser = optimizerOf({ ...options, name: entry.name }, params)
  const step = (...gradients: Tensor[]): Tensor[] => {
    params.forEach((p, i) => { p.grad = gradients[i]! })
    optimiser.step()
    optimiser.zeroGrad()
    return []
  }
  const run = compiled ? compile(step) : step
  return Math.max(...grads.map((gradients, k) => {
    if (lrs) optimiser.groups[0]!.lr = lrs[k]!
    run(...gradients.map(double))
    return Math.max(...params.map((p, i) => compareNumbers(`parameter ${i} after step ${k + 1}`, p.dataSync(), double(after[k]![i]!).dataSync(), tolerance)))
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
  if (momenta) compareNumbers('momentum', places.map(({ momentum }) => momentum), momenta, tolerance)
  return compareNumbers('rate', places.map(({ lr }) => lr), lrs, tolerance)
}
