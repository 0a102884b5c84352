// npm run maml: learns to learn sine waves, and compares with a network that was only trained on them.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { plot, positive, readOptions, table, text, whole } from '@bp/kit'
import { bestRate, learningCurve } from './evaluate.ts'
import { type Method, metaTrain } from './learn.ts'

const specs = {
  steps: whole(30_000, 'meta-steps of training, for each of the two'),
  tasks: whole(25, 'waves a step'),
  points: whole(10, 'K, the points of a wave that are shown'),
  inner: positive(0.01, 'α, the rate of the step within a wave'),
  meta: positive(0.001, "Adam's learning rate"),
  seed: whole(1, 'of the first weights and of the waves', 0),
  out: text('out/maml/errors.svg', 'where to plot the errors', 'FILE'),
}

/** Waves that the two are judged on, and the gradient steps they may take. */
const judged = { tasks: 600, steps: 10 }
/** What the pretrained network's rate is chosen from. */
const rates = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05]

/** Runs the command line. */
export function maml(argv: readonly string[], say: (text: string) => void): number {
  const options = readOptions(argv, specs, 'Learns to learn sine waves from a few points (MAML), and compares with a network trained on all of them at once.', 'npm run maml')
  if (typeof options === 'string') {
    say(options)
    return 0
  }
  use(cpu())
  const { steps, tasks, points, inner, meta, seed } = options
  const evaluate = { ...judged, points, seed: seed + 1000 }
  const curves = (['maml', 'pretrained'] as const).map((method: Method) => {
    const network = metaTrain(method, { steps, tasks, points, innerRate: inner, metaRate: meta, seed }, (step, loss) => {
      if (step % 10_000 === 0 || step === steps) say(`${method}: step ${step.toLocaleString('en')}, loss of the last ${tasks} waves ${loss.toFixed(3)}`)
    })
    const rate = method === 'maml' ? inner : bestRate(network, rates, evaluate)
    return { name: `${method === 'maml' ? 'MAML' : method}, rate ${rate}`, points: learningCurve(network, { ...evaluate, rate }) }
  })
  say(`\nMean squared error on ${judged.tasks} new waves after gradient steps on ${points} points (± half of the 95 % confidence interval):`)
  say(`\n${table([
    ['steps', ...curves.map(({ name }) => name)],
    ...Array.from({ length: judged.steps + 1 }, (_, i) => [String(i), ...curves.map(curve => `${curve.points[i]!.error.toFixed(3)} ± ${curve.points[i]!.interval.toFixed(3)}`)]),
  ])}`)
  mkdirSync(dirname(options.out), { recursive: true })
  writeFileSync(options.out, plot(`Learning a sine wave from ${points} points`, { name: 'gradient steps' }, { name: 'mean squared error', log: true }, curves.toReversed().map(curve => ({ name: curve.name, points: curve.points.map(({ error }, i) => [i, error] as const) }))))
  say(`\nPlotted in ${options.out}`)
  return 0
}
