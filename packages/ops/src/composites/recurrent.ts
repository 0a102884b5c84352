// Recurrent networks of several layers, in one or both directions: rnn, lstm, gru.

import { Tensor } from '@bp/core'
import { describe, fail, sameShape } from '@bp/core/extend'
import { relu, tanh } from '../rows/exponential.ts'
import { concat, narrow, reshape, transpose } from '../rows/view.ts'
import { stack, unsqueeze } from './arrange.ts'
import { dropout } from './dropout.ts'
import type { Lengths } from './losses/ctc.ts'
import type { Generator } from './random.ts'
import { gruLayerRow, lengthsOf, lstmLayerRow, recur, type Recurred, type RecurrenceKind, type RecurrentWeights, rnnLayerRow } from './recurrence.ts'
import { type Cell, type CellRule, gruOf, lstmOf, rnnOf } from './recurrentSteps.ts'

/** Options of {@link rnn}, {@link lstm} and {@link gru}. */
export interface RecurrentOptions {
  /** Each layer also runs from the end to the start, with weights of its own that follow those of the way there; outputs lie side by side. */
  readonly bidirectional?: boolean
  /** x and y are [n, steps, …] instead of [steps, n, …]. */
  readonly batchFirst?: boolean
  /** How many steps of each sequence count; all unless given. Outputs of the others are zero, and the last state is that of the last step that counts. */
  readonly lengths?: Lengths | undefined
  /** How much of every layer's output but the last one's is dropped in training; 0 unless given. */
  readonly dropout?: number
  /** Whether to drop; false unless given. */
  readonly training?: boolean
  /** Needed where something is dropped. */
  readonly generator?: Generator | undefined
}

/** Options of {@link rnn}. */
export interface RnnOptions extends RecurrentOptions {
  /** tanh unless given. */
  readonly nonlinearity?: 'tanh' | 'relu'
}

/**
 * A plain recurrent network (Elman 1990): h = tanh(x·W_ihᵀ + b_ih + h₋·W_hhᵀ + b_hh). x: [steps, n, features], or [steps, features] for
 * one sequence; one entry of `weights` for each layer, or two, there and back. Returns the last layer's outputs [steps, n, hidden·directions]
 * and the last states [layers·directions, n, hidden], as PyTorch's `nn.RNN`. Throws where weights or states do not fit.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { rnn } from '@bp/ops'
 * const weights = [{ ih: tensor([[1]]), hh: tensor([[1]]) }]
 * rnn(tensor([[1], [2], [3]]), weights, undefined, { nonlinearity: 'relu' })[0] // => tensor([[1], [3], [6]], float32)
 * ```
 */
export function rnn(x: Tensor, weights: readonly RecurrentWeights[], h0?: Tensor, { nonlinearity = 'tanh', ...options }: RnnOptions = {}): [y: Tensor, h: Tensor] {
  const { y, last } = layers('rnn', { row: rnnLayerRow, of: rnnOf }, x, weights, h0 && [h0], options, { gate: activationOf(nonlinearity) })
  return [y, last[0]!]
}

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997), gates in the order i, f, g, o; `hr` in the weights projects the output (Sak et al.
 * 2014). Shapes as in {@link rnn}. Returns the outputs, and the last states h and c.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { lstm } from '@bp/ops'
 * const [y, [h, c]] = lstm(ones([5, 2, 3]), [{ ih: ones([16, 3]), hh: ones([16, 4]) }])
 * y.shape // => [5, 2, 4]
 * c.shape // => [1, 2, 4]
 * ```
 */
export function lstm(x: Tensor, weights: readonly RecurrentWeights[], state?: readonly [h0: Tensor, c0: Tensor], options: RecurrentOptions = {}): [y: Tensor, state: [h: Tensor, c: Tensor]] {
  const { y, last } = layers('lstm', { row: lstmLayerRow, of: lstmOf }, x, weights, state && [...state instanceof Tensor ? [state] : state], options)
  return [y, [last[0]!, last[1]!]]
}

/**
 * Gated recurrent units (Cho et al. 2014), gates in the order r, z, n, the reset after the product as in PyTorch. Shapes as in {@link rnn}.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { gru } from '@bp/ops'
 * const [y, h] = gru(ones([2, 5, 3]), [{ ih: ones([12, 3]), hh: ones([12, 4]) }], undefined, { batchFirst: true, lengths: [5, 2] })
 * y.shape // => [2, 5, 4]
 * h.shape // => [1, 2, 4]
 * ```
 */
export function gru(x: Tensor, weights: readonly RecurrentWeights[], h0?: Tensor, options: RecurrentOptions = {}): [y: Tensor, h: Tensor] {
  const { y, last } = layers('gru', { row: gruLayerRow, of: gruOf }, x, weights, h0 && [h0], options)
  return [y, last[0]!]
}

/** The function of a name: one and the same for each. */
export function activationOf(nonlinearity: 'tanh' | 'relu'): (x: Tensor) => Tensor {
  switch (nonlinearity) {
    case 'relu': return relu
    case 'tanh': return tanh
    default: return fail('value', 'rnn', `nonlinearity must be 'tanh' or 'relu', got ${String(nonlinearity)}`)
  }
}

/** All layers in all directions; states are [layers·directions, n, size]. */
function layers(op: string, kind: RecurrenceKind, given: Tensor, weights: readonly RecurrentWeights[], initial: readonly Tensor[] | undefined, options: RecurrentOptions, rule: CellRule = {}): { y: Tensor; last: Tensor[] } {
  if (given.rank === 2) return oneSequence(op, kind, given, weights, initial, options, rule)
  const cell = kind.of(rule)
  const { bidirectional = false, batchFirst = false, dropout: p = 0, training = false, generator } = options
  if (given.rank !== 3) fail('shape', op, `needs ${batchFirst ? '[n, steps, features]' : '[steps, n, features]'}, or [steps, features] for one sequence, got ${describe(given)}`)
  const x = batchFirst ? transpose(given, [1, 0, 2]) : given
  const [steps, n] = x.shape as [number, number, number]
  if (steps === 0) fail('shape', op, `needs at least one step, got ${describe(given)}`)
  const directions = bidirectional ? 2 : 1
  if (weights.length === 0 || weights.length % directions !== 0) fail('value', op, `needs weights for each of the ${directions} direction(s) of every layer, got ${weights.length}`)
  if (initial && !(initial.length === cell.states && initial.every(state => state instanceof Tensor))) fail('value', op, `the initial state must be ${cell.states === 1 ? 'a tensor' : 'a pair of tensors [h, c]'}, or left out for zeros`)
  initial?.forEach((state, i) => { checkState(op, cell, i, state, weights, n) })
  const lengths = lengthsOf(op, options.lengths, steps, n, given)
  const stateOf = (k: number): Tensor[] | undefined => initial?.map(state => reshape(narrow(state, 0, k, 1), state.shape.slice(1)))
  const last: (readonly Tensor[])[] = []
  let y = x
  for (let k = 0; k < weights.length; k += directions) {
    const input = k === 0 ? x : dropout(y, p, { training, ...generator && { generator } })
    const ways = Array.from({ length: directions }, (_, d): Recurred => recur(kind, rule, checked(op, cell, input, weights[k + d]!), weights[k + d]!, { initial: stateOf(k + d), reverse: d === 1, lengths }))
    y = ways.length === 1 ? ways[0]!.y : concat(ways.map(way => way.y), 2)
    last.push(...ways.map(way => way.last))
  }
  return { y: batchFirst ? transpose(y, [1, 0, 2]) : y, last: Array.from({ length: cell.states }, (_, i) => stack(last.map(state => state[i]!))) }
}

/** One sequence without a batch: [steps, features]. */
function oneSequence(op: string, kind: RecurrenceKind, x: Tensor, weights: readonly RecurrentWeights[], initial: readonly Tensor[] | undefined, options: RecurrentOptions, rule: CellRule): { y: Tensor; last: Tensor[] } {
  const { y, last } = layers(op, kind, unsqueeze(x, 1), weights, initial?.map(state => unsqueeze(state, 1)), { ...options, batchFirst: false }, rule)
  const [steps, , size] = y.shape as [number, number, number]
  return { y: reshape(y, [steps, size]), last: last.map(state => reshape(state, state.shape.toSpliced(1, 1))) }
}

function checkState(op: string, cell: Cell, i: number, state: Tensor, weights: readonly RecurrentWeights[], n: number): void {
  const { hh, hr } = weights[0]!
  const size = i === 0 && hr ? hr.shape[0]! : hh.shape[0]! / cell.gates
  const wanted = [weights.length, n, size]
  if (!sameShape(state.shape, wanted)) fail('shape', op, `the initial ${i === 0 ? 'h' : 'c'} must be [layers·directions, n, size] = [${wanted.join(',')}], got ${describe(state)}`)
}

function checked(op: string, cell: Cell, x: Tensor, { ih, hh, hr }: RecurrentWeights): Tensor {
  const fits = ih.rank === 2 && hh.rank === 2 && ih.shape[0] === hh.shape[0] && ih.shape[0]! % cell.gates === 0 && hh.shape[1] === (hr ? hr.shape[0] : hh.shape[0]! / cell.gates)
  if (!fits) fail('shape', op, `weights must be [${cell.gates}·hidden, features] and [${cell.gates}·hidden, size of the output], got ${describe(ih)} and ${describe(hh)}`)
  if (x.shape.at(-1) !== ih.shape[1]) fail('shape', op, `the input of a layer has ${x.shape.at(-1)} features (${describe(x)}), its weight ${describe(ih)} takes ${ih.shape[1]}`)
  return x
}
