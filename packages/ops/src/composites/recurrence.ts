// Runs a recurrent cell along a sequence, in either direction, with sequences of different lengths side by side.

import { add, full, type Tensor, tensor } from '@bp/core'
import { describe, fail, sameShape } from '@bp/core/extend'
import { cast, less, select } from '../rows/compare.ts'
import { iota } from '../rows/source.ts'
import { reshape } from '../rows/view.ts'
import { stack } from './arrange.ts'
import type { Lengths } from './losses/ctc.ts'
import { linear } from './matmul.ts'
import type { Cell, StateWeights } from './recurrentSteps.ts'
import { unbind } from './stacking.ts'

/** The weights of one layer in one direction, gates one below the other. */
export interface RecurrentWeights extends StateWeights {
  /** [gates·hidden, size of the input] */
  readonly ih: Tensor
  /** [gates·hidden] */
  readonly biasIh?: Tensor | undefined
}

/** How {@link recur} runs. */
export interface RecurOptions {
  /** The state before the first step, each [n, size]; zeros unless given. */
  readonly initial?: readonly Tensor[] | undefined
  /** Begins at the end of each sequence. */
  readonly reverse?: boolean
  /** Which steps of which sequence count, bool[steps, n, 1]; all unless given. */
  readonly valid?: Tensor | undefined
}

/** Outputs of all steps, [steps, n, size], and the state after the last step of each sequence. */
export interface Recurred {
  readonly y: Tensor
  readonly last: readonly Tensor[]
}

/**
 * One layer in one direction: x [steps, n, features]. The input's part of all gates is one product. A step that does not count leaves
 * the state as it is and gives zeros, so that the reverse direction begins at each sequence's own end.
 */
export function recur(cell: Cell, x: Tensor, weights: RecurrentWeights, { initial, reverse = false, valid }: RecurOptions = {}): Recurred {
  const inputs = unbind(linear(valid ? select(valid, x, 0) : x, weights.ih, inputBias(cell, weights)))
  const counts = valid && unbind(valid)
  const step = cell.step(weights)
  let state = initial ?? noState(cell, inputs[0]!, weights)
  const ys = new Array<Tensor>(inputs.length)
  for (let k = 0; k < inputs.length; k++) {
    const t = reverse ? inputs.length - 1 - k : k
    const before = state
    const after = step(inputs[t]!, before)
    state = counts ? after.map((now, i) => select(counts[t]!, now, before[i]!)) : after
    ys[t] = state[0]!
  }
  const y = stack(ys)
  return { y: valid ? select(valid, y, 0) : y, last: state }
}

/** What is added to the input's part of the gates. */
export function inputBias(cell: Cell, { biasIh, biasHh }: RecurrentWeights): Tensor | undefined {
  const early = biasHh && cell.early(biasHh)
  return biasIh && early ? add(biasIh, early) : biasIh ?? early
}

/** A state of zeros for the sequences of an input's part of the gates. */
export function noState(cell: Cell, input: Tensor, { hh, hr }: RecurrentWeights): Tensor[] {
  const hidden = hh.shape[0]! / cell.gates
  return Array.from({ length: cell.states }, (_, i) => full([...input.shape.slice(0, -1), i === 0 && hr ? hr.shape[0]! : hidden], 0, input.dtype, input.backend))
}

/** Which steps count, as bool[steps, n, 1], or nothing where all do. Throws where a list of lengths does not fit. */
export function validSteps(op: string, lengths: Lengths | undefined, steps: number, n: number, like: Tensor): Tensor | undefined {
  if (lengths === undefined) return undefined
  if (Array.isArray(lengths)) {
    const list = lengths as readonly number[]
    const bad = list.find(length => !Number.isInteger(length) || length < 1 || length > steps)
    if (bad !== undefined) fail('value', op, `a length must be a whole number from 1 to the ${steps} steps of ${describe(like)}, got ${bad}`)
    if (list.length === n && list.every(length => length === steps)) return undefined
  }
  const given = Array.isArray(lengths) ? tensor(lengths as readonly number[], { dtype: 'int32', backend: like.backend }) : cast(lengths as Tensor, 'int32')
  if (!sameShape(given.shape, [n])) fail('shape', op, `lengths must hold one number for each of the ${n} sequences, got ${describe(given)}`)
  return reshape(less(reshape(iota(steps, 'int32', like.backend), [steps, 1]), given), [steps, n, 1])
}
