// Control flow: If and Loop, whose choices are made while the model runs.

import { stack } from '@bp/ops'
import { unsupported } from '../import/errors.ts'
import { int64s, Known, toNumbers, toTensor, type Value } from '../import/value.ts'
import { onValues, type Operator, type Operators } from './operator.ts'

const isTrue = (value: Value): boolean => toNumbers(value)[0] !== 0

const branch: Operator = onValues(1, ([condition], _attributes, _node, context) => context.run(isTrue(condition!) ? 'then_branch' : 'else_branch', []))

/** Runs its body on the number of the step, the condition and what is carried from step to step; further results are stacked. */
const loop: Operator = (inputs, _attributes, node, context) => {
  const [most, first, ...initial] = inputs
  const limit = most ? toNumbers(most)[0]! : Infinity
  let going = first === undefined || isTrue(first)
  let carried: readonly (Value | undefined)[] = initial
  const steps: (readonly (Value | undefined)[])[] = []
  for (let i = 0; going && i < limit; i++) {
    const [again, ...made] = context.run('body', [int64s([i], []), new Known('bool', [], Uint8Array.of(1)), ...carried])
    going = again === undefined || isTrue(again)
    carried = made.slice(0, initial.length)
    steps.push(made.slice(initial.length))
  }
  const collected = node.outputs.length - initial.length
  if (steps.length === 0 && collected > 0) unsupported(node.operator, 'collecting the results of no steps')
  return [...carried, ...Array.from({ length: collected }, (_, i) => stack(steps.map(step => toTensor(step[i]!))))]
}

/** Control flow by name. */
export const control: Operators = { If: branch, Loop: loop }
