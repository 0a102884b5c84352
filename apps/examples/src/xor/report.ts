// What became of the networks, in words and tables.

import { table } from '@bp/kit'
import { type Outcome, patterns, targets, tolerance, type XorOptions } from './networks.ts'

const number = (x: number): string => x.toFixed(2)

/** A network's weights by unit, and what its units say to each pattern. */
function network({ units, activations }: Outcome): string {
  const weights = table([
    ['unit', 'from the first below', 'from the second', 'bias'],
    ...units.map((unit, i) => [['hidden 1', 'hidden 2', 'output'][i]!, ...unit.map(number)]),
  ], true)
  const answers = table([
    ['pattern', 'hidden 1', 'hidden 2', 'output', 'target'],
    ...activations.map((units, i) => [patterns[i]!.join(' '), ...units.map(number), number(targets[i]!)]),
  ], true)
  return `${weights}\n\n${answers}`
}

/** The whole report. */
export function xorReport(outcomes: readonly Outcome[], { rate, momentum, sweeps, seed }: XorOptions): string {
  const solved = outcomes.filter(({ solvedAfter }) => solvedAfter !== null)
  const stuck = outcomes.filter(({ solvedAfter }) => solvedAfter === null)
  const counts = solved.map(({ solvedAfter }) => solvedAfter!).sort((a, b) => a - b)
  const mean = counts.reduce((a, b) => a + b, 0) / counts.length
  const lines = [
    `${outcomes.length} networks of 2 inputs, 2 hidden units and 1 output; η = ${rate}, α = ${momentum}, seed ${seed}, ${sweeps.toLocaleString('en')} sweeps through the four patterns.`,
    `${solved.length} learned exclusive or: every output within ${tolerance} of its target${counts.length === 0 ? '' : ` after ${Math.round(mean)} sweeps on average (median ${counts[counts.length >> 1]!}, from ${counts[0]!} to ${counts.at(-1)!})`}.`,
  ]
  if (solved[0]) lines.push('', `The first that learned it, after ${solved[0].solvedAfter!} sweeps:`, '', network(solved[0]))
  // the flattest of those left: the others may be on their way still
  const flattest = stuck.toSorted((a, b) => a.gradient - b.gradient)[0]
  if (flattest) lines.push('', `${stuck.length} did not. The one where the error is flattest, |∂E/∂w| = ${flattest.gradient.toExponential(1)}:`, '', network(flattest))
  return lines.join('\n')
}
