// Single steps of recurrent networks: rnnCell, lstmCell, gruCell.

import type { Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { reshape } from '../rows/view.ts'
import { unsqueeze } from './arrange.ts'
import { linear } from './matmul.ts'
import { inputBias, noState, type RecurrentWeights } from './recurrence.ts'
import { activationOf, type RnnOptions } from './recurrent.ts'
import { type Cell, gruOf, lstmOf, rnnOf } from './recurrentSteps.ts'

/**
 * One step of {@link rnn}: x [n, features] and h [n, hidden], or both without n; zeros where h is not given.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { rnnCell } from '@bp/ops'
 * rnnCell(tensor([2]), { ih: tensor([[3]]), hh: tensor([[1]]) }, tensor([1]), { nonlinearity: 'relu' }) // => tensor([7], float32)
 * ```
 */
export const rnnCell = (x: Tensor, weights: RecurrentWeights, h?: Tensor, { nonlinearity = 'tanh' }: Pick<RnnOptions, 'nonlinearity'> = {}): Tensor =>
  once('rnnCell', rnnOf({ gate: activationOf(nonlinearity) }), x, weights, h && [h])[0]!

/**
 * One step of {@link lstm}, from the state h and c to the one after; shapes as in {@link rnnCell}.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { lstmCell } from '@bp/ops'
 * const [h, c] = lstmCell(ones([2, 3]), { ih: ones([16, 3]), hh: ones([16, 4]) })
 * c.shape // => [2, 4]
 * ```
 */
export function lstmCell(x: Tensor, weights: RecurrentWeights, state?: readonly [h: Tensor, c: Tensor]): [h: Tensor, c: Tensor] {
  const [h, c] = once('lstmCell', lstmOf(), x, weights, state)
  return [h!, c!]
}

/**
 * One step of {@link gru}; shapes as in {@link rnnCell}.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { gruCell } from '@bp/ops'
 * gruCell(ones([2, 3]), { ih: ones([12, 3]), hh: ones([12, 4]) }).shape // => [2, 4]
 * ```
 */
export const gruCell = (x: Tensor, weights: RecurrentWeights, h?: Tensor): Tensor => once('gruCell', gruOf(), x, weights, h && [h])[0]!

function once(op: string, cell: Cell, x: Tensor, weights: RecurrentWeights, state: readonly Tensor[] | undefined): Tensor[] {
  if (x.rank === 1) return once(op, cell, unsqueeze(x, 0), weights, state?.map(s => unsqueeze(s, 0))).map(s => reshape(s, [s.size]))
  if (x.rank !== 2 || x.shape[1] !== weights.ih.shape[1]) fail('shape', op, `needs [n, ${weights.ih.shape[1]}] or [${weights.ih.shape[1]}], got ${describe(x)}`)
  const input = linear(x, weights.ih, inputBias(cell, weights))
  return cell.step(weights)(input, state ?? noState(cell, input, weights))
}
