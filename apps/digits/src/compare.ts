// npm start -- --compare: the same training steps compiled and op by op, in turns, so that both meet the same machine.

import type { Images } from './data.ts'
import { Run, type TrainOptions } from './train.ts'

/** Steps before any is timed: engines compile while functions run. */
const warmUp = 20
const timed = 60

const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1]!

/** Takes the first steps of a run both ways, and says how long one takes, and by what factor compiling makes it faster. */
export function compare(options: TrainOptions, train: Images): string {
  const ways = [true, false].map(compiled => ({ run: new Run(options, compiled), times: [] as number[], first: 0, loss: 0 }))
  for (let i = 0; i < warmUp + timed; i++) {
    for (const way of ways) {
      const begin = performance.now()
      const last = way.run.step(train)
      const time = performance.now() - begin
      if (i === 0) way.first = time
      if (i >= warmUp) way.times.push(time)
      way.loss = way.run.progress.lossSum / way.run.progress.seen
      if (last) way.run.endEpoch(train)
    }
  }
  const [compiled, eager] = ways.map(({ times }) => median(times)) as [number, number]
  const [{ first, loss }, other] = ways as [typeof ways[0], typeof ways[0]]
  return `Batches of ${options.batch}, medians of ${timed} steps in turns:
  compiled   ${compiled.toFixed(2).padStart(7)} ms   first call ${first.toFixed(0)} ms   mean loss ${loss.toFixed(4)}
  op by op   ${eager.toFixed(2).padStart(7)} ms   first call ${other.first.toFixed(0)} ms   mean loss ${other.loss.toFixed(4)}
  compiled is ${(eager / compiled).toFixed(1)} times faster.`
}
