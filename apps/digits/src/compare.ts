// npm start -- --compare: the same training steps compiled and op by op, in turns, so that both meet the same machine.

import { crossEntropy, type Module } from '@bp/nn'
import { trainStep } from '@bp/train'
import type { Images } from './data.ts'
import { type Batch, begin, falling, shuffled, type TrainOptions } from './train.ts'

/** Steps before any is timed: engines compile while functions run. */
const warmUp = 20
const timed = 60

const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1]!

/** Takes the first steps of a run both ways, and says how long one takes, and by what factor compiling makes it faster. */
export function compare(options: TrainOptions, train: Images): string {
  const data = shuffled(train, options)
  const ways = [true, false].map(compile => {
    const { model, optimiser } = begin(options)
    return { schedule: falling(optimiser, options, data), step: trainStep<Module, Batch>(model, { loss: crossEntropy, optimiser, compile }), times: [] as number[], losses: [] as number[] }
  })
  for (let i = 0; i < warmUp + timed;) {
    for (const batch of data) {
      if (i === warmUp + timed) break
      for (const { schedule, step, times, losses } of ways) {
        const begun = performance.now()
        losses.push(step(batch).loss.item())
        times.push(performance.now() - begun)
        schedule.step()
      }
      i++
    }
  }
  const [compiled, eager] = ways.map(({ times, losses }) => ({
    first: times[0]!, step: median(times.slice(warmUp)), loss: losses.reduce((a, b) => a + b) / losses.length,
  })) as [Way, Way]
  return `Batches of ${options.batch}, medians of ${timed} steps in turns:
  compiled   ${line(compiled)}
  op by op   ${line(eager)}
  compiled is ${(eager.step / compiled.step).toFixed(1)} times faster.`
}

interface Way {
  readonly first: number
  readonly step: number
  readonly loss: number
}

const line = ({ first, step, loss }: Way): string => `${step.toFixed(2).padStart(7)} ms   first call ${first.toFixed(0)} ms   mean loss ${loss.toFixed(4)}`
