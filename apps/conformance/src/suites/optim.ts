// PyTorch's published trajectories: parameters after every step of an optimiser, rates after every step of a schedule.

import { readFileSync } from 'node:fs'
import { tensor } from '@bp/core'
import { CosineAnnealingLR, type AnyOptimizer, Parameter, SGD, StepLR } from '@bp/nn'
import { compareNumbers, Unsupported } from '../compare.ts'
import type { Case, Suite } from './suite.ts'
import { optimizerOf } from './torch.ts'

interface Trajectory {
  readonly kind: 'optimizer' | 'schedule'
  readonly name: string
  readonly options: Readonly<Record<string, unknown>>
  readonly [key: string]: unknown
}

const tolerance = { rtol: 1e-9, atol: 1e-12 }

/** Every entry of the list. */
export const optim: Suite = path => (JSON.parse(readFileSync(path, 'utf8')) as Trajectory[])
  .map((entry, i): Case => ({ name: `${entry.kind}/${entry.name}#${i}`, run: () => ({ maxError: entry.kind === 'optimizer' ? runOptimizer(entry) : runSchedule(entry) }) }))

function runOptimizer(entry: Trajectory): number {
  const { start, grads, params: after } = entry as unknown as { start: number[][]; grads: number[][][]; params: number[][][] }
  const params = start.map(values => new Parameter(tensor(values, { dtype: 'float64' })))
  const optimiser = optimizerOf({ ...entry.options, name: entry.name }, params)
  return Math.max(...grads.map((step, k) => {
    params.forEach((p, i) => { p.grad = tensor(step[i]!, { dtype: 'float64' }) })
    optimiser.step()
    return Math.max(...params.map((p, i) => compareNumbers(`parameter ${i} after step ${k + 1}`, p.dataSync(), after[k]![i]!, tolerance)))
  }))
}

function runSchedule(entry: Trajectory): number {
  const { base_lr: lr, lrs } = entry as unknown as { base_lr: number; lrs: number[] }
  const optimiser = new SGD([new Parameter(tensor([0]))], { lr })
  const schedule = scheduleOf(entry, optimiser)
  const rates = lrs.map(() => {
    const rate = optimiser.groups[0]!.lr
    schedule.step()
    return rate
  })
  return compareNumbers('rate', rates, lrs, tolerance)
}

function scheduleOf({ name, options }: Trajectory, optimiser: AnyOptimizer): { step(): void } {
  const number = (key: string, fallback: number): number => (options[key] as number | undefined) ?? fallback
  switch (name) {
    case 'StepLR': return new StepLR(optimiser, number('step_size', 1), number('gamma', 0.1))
    case 'CosineAnnealingLR': return new CosineAnnealingLR(optimiser, number('T_max', 1), number('eta_min', 0))
    default: throw new Unsupported(`schedule ${name}`)
  }
}
