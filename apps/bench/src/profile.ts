// Where the time of a training step goes, part by part.

import { writeFileSync } from 'node:fs'
import { cpu } from '@bp/backend-cpu'
import { compile, type Tensor, use } from '@bp/core'
import { Adam, AdamW, type AnyOptimizer, crossEntropy, SGD } from '@bp/nn'
import { inputs } from './data.ts'
import { cnn, gptModel, mlp, type Network } from './models.ts'
import { type Options, UsageError } from './options.ts'
import { toTensor } from './peers/ours.ts'

const steps: Readonly<Record<string, { readonly model: (data: ReturnType<NonNullable<typeof inputs[string]>>) => Network; readonly optimiser: (p: Network['parameters']) => AnyOptimizer }>> = {
  mlp: { model: mlp, optimiser: p => new Adam(p) },
  cnn: { model: cnn, optimiser: p => new SGD(p, { lr: 0.01, momentum: 0.9 }) },
  gpt: { model: gptModel, optimiser: p => new AdamW(p, { lr: 3e-4 }) },
}

/** Prints the parts of a step of each training job, longest first. */
export function profile({ jobs, trace }: Options): number {
  const chosen = jobs.filter(job => job in steps)
  if (chosen.length === 0) throw new UsageError(`--profile knows the jobs ${Object.keys(steps).join(', ')}`)
  use(cpu())
  const events: object[] = []
  chosen.forEach((job, pid) => {
    const { model, optimiser } = steps[job]!
    const data = inputs[job]!()
    const { forward, parameters } = model(data)
    const opt = optimiser(parameters)
    const step = compile((x: Tensor, y: Tensor) => {
      opt.zeroGrad()
      const loss = crossEntropy(forward(x), y)
      loss.backward()
      opt.step()
      return loss
    })
    const x = toTensor(data.x!), y = toTensor(data.y!)
    for (let i = 0; i < 50; i++) step(x, y)
    const parts = step.profile(x, y)
    const total = parts.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
    process.stdout.write(`${job}: ${total.toFixed(3)} ms in ${parts.length} parts\n`)
    const sums = new Map<string, { count: number; milliseconds: number }>()
    for (const { name, milliseconds } of parts) {
      const entry = sums.get(name) ?? { count: 0, milliseconds: 0 }
      sums.set(name, { count: entry.count + 1, milliseconds: entry.milliseconds + milliseconds })
    }
    for (const [name, { count, milliseconds }] of [...sums].sort(([, a], [, b]) => b.milliseconds - a.milliseconds).slice(0, 25)) {
      process.stdout.write(`${milliseconds.toFixed(3).padStart(9)} ms ${(100 * milliseconds / total).toFixed(1).padStart(5)} %  ${String(count).padStart(4)} × ${name}\n`)
    }
    let at = 0
    for (const { name, milliseconds } of step.profile(x, y)) {
      events.push({ name, ph: 'X', ts: at * 1000, dur: milliseconds * 1000, pid, tid: 0, cat: job })
      at += milliseconds
    }
  })
  if (trace !== null) writeFileSync(trace, JSON.stringify({ traceEvents: events }))
  return 0
}
