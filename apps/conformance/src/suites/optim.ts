// PyTorch's published trajectories: parameters after every step of an optimiser, rates after every step of a schedule.

import { readFileSync } from 'node:fs'
import { type NestedInput, tensor } from '@bp/core'
import { Parameter, ReduceLROnPlateau, SGD } from '@bp/nn'
import { compareNumbers } from '../compare.ts'
import { type ScheduleSpec, scheduleOf } from './schedules.ts'
import type { Case, Suite } from './suite.ts'
import { optimizerOf } from './torch.ts'

interface Trajectory extends ScheduleSpec {
  readonly kind: 'optimizer' | 'schedule'
  readonly [key: string]: unknown
}

const tolerance = { rtol: 1e-9, atol: 1e-12 }

/** Every entry of the list. */
export const optim: Suite = path => (JSON.parse(readFileSync(path, 'utf8')) as Trajectory[])
  .map((entry, i): Case => ({ name: `${entry.kind}/${entry.name}#${i}`, run: () => ({ maxError: entry.kind === 'optimizer' ? runOptimizer(entry) : runSchedule(entry) }) }))

/** What PyTorch changed in a formula without renaming an option: files do not tell their version, so either may hold. */
const earlier: Readonly<Record<string, Readonly<Record<string, unknown>>>> = { NAdam: { legacy_product: true } }

function runOptimizer(entry: Trajectory): number {
  const before = earlier[entry.name]
  try {
    return follow(entry, entry.options)
  } catch (error) {
    if (!before) throw error
    return follow(entry, { ...entry.options, ...before })
  }
}

function follow(entry: Trajectory, options: Trajectory['options']): number {
  const { start, grads, params: after, lrs } = entry as unknown as { start: NestedInput[]; grads: NestedInput[][]; params: NestedInput[][]; lrs?: number[] }
  const params = start.map(values => new Parameter(tensor(values, { dtype: 'float64' })))
  const optimiser = optimizerOf({ ...options, name: entry.name }, params)
  return Math.max(...grads.map((step, k) => {
    params.forEach((p, i) => { p.grad = tensor(step[i]!, { dtype: 'float64' }) })
    if (lrs) optimiser.groups[0]!.lr = lrs[k]!
    optimiser.step()
    return Math.max(...params.map((p, i) => compareNumbers(`parameter ${i} after step ${k + 1}`, p.dataSync(), tensor(after[k]![i]!, { dtype: 'float64' }).dataSync(), tolerance)))
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
