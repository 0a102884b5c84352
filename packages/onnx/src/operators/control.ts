// Control flow: If and Loop, whose choices are made while the model runs.

import { take } from '../import/budget.ts'
import { int64s, Known, toNumbers, type Value } from '../import/value.ts'
import { onValues, type Operator, type Operators } from './operator.ts'
import { collected, ofNoSteps, type Results, scan, stacked } from './scan.ts'

const isTrue = (value: Value): boolean => toNumbers(value)[0] !== 0

const branch: Operator = onValues(1, ([condition], _attributes, _node, context) => context.run(isTrue(condition!) ? 'then_branch' : 'else_branch', []))

/** What a body gets in one step of a Loop: its number, the condition, and what is carried. */
const feeds = (step: number, carried: Results): Results => [int64s([step], []), new Known('bool', [], Uint8Array.of(1)), ...carried]

/** Runs its body on the number of the step, the condition and what is carried from step to step; further results are stacked. */
const loop: Operator = (inputs, _attributes, node, context) => {
  const [most, first, ...initial] = inputs
  const limit = most ? toNumbers(most)[0]! : Infinity
  let going = first === undefined || isTrue(first)
  let carried: Results = initial
  const steps: Results[] = []
  for (let i = 0; going && i < limit; i++) {
    take('steps', node.operator, 1)
    const [again, ...made] = context.run('body', feeds(i, carried))
    going = again === undefined || isTrue(again)
    carried = made.slice(0, initial.length)
    steps.push(collected(made.slice(initial.length), node.operator))
  }
  const count = node.outputs.length - initial.length
  if (count <= 0) return carried
  if (steps.length === 0) return [...carried, ...ofNoSteps(() => context.run('body', feeds(0, initial)).slice(1 + initial.length), node)]
  return [...carried, ...Array.from({ length: count }, (_, i) => stacked(steps.map(step => step[i]), 0, node))]
}

/** Control flow by name. */
export const control: Operators = { If: branch, Loop: loop, Scan: scan }
