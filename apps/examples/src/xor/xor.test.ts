// The networks that learn exclusive or: what they learn, where they get stuck, and each step against equations by hand.

import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { type Outcome, patterns, targets, trainXor, type Unit, type XorOptions } from './networks.ts'
import { xorReport } from './report.ts'

use(cpu())

const options: XorOptions = { networks: 40, rate: 0.5, momentum: 0.9, sweeps: 6000, seed: 1 }
const outcomes = trainXor(options)
const outputs = ({ activations }: Outcome): number[] => activations.map(([, , output]) => output)

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z))

/** One network trained by loops over numbers: the generalised delta rule as the chapter writes it. */
function byHand(start: Outcome['units'], sweeps: number): number[][] {
  const units = start.map(unit => [...unit])
  const changes = units.map(() => [0, 0, 0])
  for (let n = 0; n < sweeps; n++) {
    const slopes = units.map(() => [0, 0, 0])
    patterns.forEach((pattern, p) => {
      const net = (unit: readonly number[], below: readonly number[]): number => unit[0]! * below[0]! + unit[1]! * below[1]! + unit[2]!
      const hidden = [sigmoid(net(units[0]!, pattern)), sigmoid(net(units[1]!, pattern))]
      const output = sigmoid(net(units[2]!, hidden))
      const delta = (targets[p]! - output) * output * (1 - output)
      const deltas = [...hidden.map((h, j) => delta * units[2]![j]! * h * (1 - h)), delta]
      deltas.forEach((d, j) => { [...(j < 2 ? pattern : hidden), 1].forEach((o, i) => { slopes[j]![i]! += d * o }) })
    })
    slopes.forEach((slope, j) => { slope.forEach((s, i) => { units[j]![i]! += changes[j]![i] = options.rate * s + options.momentum * changes[j]![i]! }) })
  }
  return units
}

describe('networks with two hidden units', () => {
  test('mostly learn exclusive or', () => {
    const solved = outcomes.filter(({ solvedAfter }) => solvedAfter !== null)
    expect(solved.length).toBeGreaterThanOrEqual(32)
    for (const outcome of solved) outputs(outcome).forEach((output, i) => { expect(Math.abs(output - targets[i]!)).toBeLessThan(0.1) })
  })

  test('otherwise end where they cannot tell two patterns apart, say 0.5 to both, and the error is flat', () => {
    const stuck = outcomes.filter(({ solvedAfter }) => solvedAfter === null)
    expect(stuck.length).toBeGreaterThan(0)
    for (const outcome of stuck) {
      expect(outputs(outcome).map(output => output.toFixed(1)).sort()).toEqual(['0.1', '0.5', '0.5', '0.9'])
      expect(outcome.gradient).toBeLessThan(1e-3)
    }
  })

  test('change their weights as the equations say', () => {
    const few = { ...options, networks: 3 }
    const [before, after] = [trainXor({ ...few, sweeps: 0 }), trainXor({ ...few, sweeps: 200 })]
    before.forEach(({ units }, i) => {
      byHand(units, 200).forEach((unit, j) => { unit.forEach((w, k) => { expect(after[i]!.units[j]![k]).toBeCloseTo(w, 9) }) })
    })
  })

  test('are the same for the same seed, and others for another', () => {
    const few = { ...options, networks: 2, sweeps: 50 }
    expect(trainXor(few)).toEqual(trainXor(few))
    expect(trainXor({ ...few, seed: 2 })).not.toEqual(trainXor(few))
  })
})

test('the report counts them, and shows units and answers', () => {
  const units: [Unit, Unit, Unit] = [[-1, 2, 0.5], [3, -4, 1], [5, 6, -7]]
  const activations = targets.map(output => [0.25, 0.75, output] as const)
  const report = xorReport([{ solvedAfter: 300, units, activations, gradient: 0.01 }, { solvedAfter: null, units, activations, gradient: 1e-6 }], { ...options, networks: 2 })
  expect(report).toMatchInlineSnapshot(`
    "2 networks of 2 inputs, 2 hidden units and 1 output; η = 0.5, α = 0.9, seed 1, 6,000 sweeps through the four patterns.
    1 learned exclusive or: every output within 0.1 of its target after 300 sweeps on average (median 300, from 300 to 300).

    The first that learned it, after 300 sweeps:

    unit      from the first below  from the second   bias
    hidden 1                 -1.00             2.00   0.50
    hidden 2                  3.00            -4.00   1.00
    output                    5.00             6.00  -7.00

    pattern  hidden 1  hidden 2  output  target
    0 0          0.25      0.75    0.10    0.10
    0 1          0.25      0.75    0.90    0.90
    1 0          0.25      0.75    0.90    0.90
    1 1          0.25      0.75    0.10    0.10

    1 did not. The one where the error is flattest, |∂E/∂w| = 1.0e-6:

    unit      from the first below  from the second   bias
    hidden 1                 -1.00             2.00   0.50
    hidden 2                  3.00            -4.00   1.00
    output                    5.00             6.00  -7.00

    pattern  hidden 1  hidden 2  output  target
    0 0          0.25      0.75    0.10    0.10
    0 1          0.25      0.75    0.90    0.90
    1 0          0.25      0.75    0.90    0.90
    1 1          0.25      0.75    0.10    0.10"
  `)
})
