// Recurrent networks, RNN, LSTM and GRU, and the reversal of sequences.

import { broadcastTo, full, type Tensor } from '@bp/core'
import { describe, fail, sameShape } from '@bp/core/extend'
import { cast, concat, iota, less, narrow, reshape, select, stack, sub, takeAlong, transpose } from '@bp/ops'
import { type CellRule, gruLayerRow, gruOf, gruResetFirstLayerRow, gruResetFirstOf, lengthsOf, lstmLayerRow, lstmOf, recur, type Recurred, type RecurrenceKind, rnnLayerRow, rnnOf } from '@bp/ops/extend'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { Known, toNumbers, toTensor, type Value } from '../import/value.ts'
import { activationsOf } from './gates.ts'
import { only, onTensors, onValues, type Operator, type Operators } from './operator.ts'

/** What tells the three operators apart. */
interface Kind {
  /** The activations of one direction, unless the file gives others. */
  readonly activations: readonly string[]
  /** The gates in our order, by their places in the file's. */
  readonly order: readonly number[]
  readonly states: number
  readonly of: (attributes: Attributes) => RecurrenceKind
}

/* What each function of a list is for; a plain cell has the first alone. */
const roles = ['gate', 'candidate', 'output'] as const

const rnn: Kind = { activations: ['Tanh'], order: [0], states: 1, of: () => ({ row: rnnLayerRow, of: rnnOf }) }

/** i, o, f, g in the file. */
const lstm: Kind = { activations: ['Sigmoid', 'Tanh', 'Tanh'], order: [0, 2, 3, 1], states: 2, of: () => ({ row: lstmLayerRow, of: lstmOf }) }

/** z, r, n in the file. */
const gru: Kind = {
  activations: ['Sigmoid', 'Tanh'], order: [1, 0, 2], states: 1,
  of: attributes => attributes.int('linear_before_reset', 0) !== 0 ? { row: gruLayerRow, of: gruOf } : { row: gruResetFirstLayerRow, of: gruResetFirstOf },
}

/* Made once for each node: a fused step is known by its functions. */
const rules = /* @__PURE__ */ new WeakMap<ModelNode, readonly CellRule[]>()

/** The rule of each direction. */
function rulesOf(kind: Kind, attributes: Attributes, node: ModelNode, directions: number): readonly CellRule[] {
  const known = rules.get(node)
  if (known) return known
  const functions = activationsOf(node, attributes, kind.activations, directions)
  const made = Array.from({ length: directions }, (_, d): CellRule => ({
    ...Object.fromEntries(functions.slice(d * kind.activations.length, (d + 1) * kind.activations.length).map((f, i) => [roles[i]!, f])),
    ...attributes.has('clip') && { clip: attributes.float('clip', 0) },
    ...attributes.int('input_forget', 0) !== 0 && { coupled: true },
  }))
  rules.set(node, made)
  return made
}

/** Entry d of the first axis. */
const entry = (x: Tensor, d: number): Tensor => reshape(narrow(x, 0, d, 1), x.shape.slice(1))

const inOrder = (w: Tensor, order: readonly number[]): Tensor => {
  const size = w.shape[0]! / order.length
  return order.length === 1 ? w : concat(order.map(i => narrow(w, 0, i * size, size)))
}

/** A recurrent operator: X, W, R, B, lengths, initial states and an LSTM's peepholes to Y and the last states. */
const recurrent = (kind: Kind): Operator => onValues(3, (inputs, attributes, node) => {
  const [x0, w, r, b, , h0, c0, p] = inputs.map(value => value && toTensor(value)) as [Tensor, Tensor, Tensor, Tensor?, Tensor?, Tensor?, Tensor?, Tensor?]
  const direction = attributes.string('direction', 'forward')
  only(node, 'direction', direction, 'forward', 'reverse', 'bidirectional')
  const directions = direction === 'bidirectional' ? 2 : 1
  const batchFirst = attributes.int('layout', 0) !== 0
  const swap = (t: Tensor): Tensor => batchFirst ? transpose(t, [1, 0, 2]) : t
  checkWeights(kind, node, x0, w, r, directions)
  const x = swap(x0)
  const [steps, n] = x.shape as [number, number]
  const hidden = r.shape[2]!
  const lengths = countsOf(inputs[4], node, steps, n, x)
  const states = [h0, c0].slice(0, kind.states).map(state => state && swap(state))
  for (const state of states) if (state && !sameShape(state.shape, [directions, n, hidden])) fail('shape', node.operator, `an initial state must be [${[directions, n, hidden].join(',')}], got ${describe(state)}. The file does not fit its input`)
  const rows = kind.order.length * hidden
  const ways = rulesOf(kind, attributes, node, directions).map((rule, d): Recurred => {
    const biases = b ? [0, 1].map(i => inOrder(narrow(entry(b, d), 0, i * rows, rows), kind.order)) : []
    const peep = p && [0, 2, 1].map(i => narrow(entry(p, d), 0, i * hidden, hidden)) as [Tensor, Tensor, Tensor]
    const initial = states.some(state => state) ? states.map(state => state ? entry(state, d) : full([n, hidden], 0, x.dtype, x.backend)) : undefined
    const weights = { ih: inOrder(entry(w, d), kind.order), hh: inOrder(entry(r, d), kind.order), biasIh: biases[0], biasHh: biases[1], peepholes: peep }
    return recur(kind.of(attributes), rule, x, weights, { initial, reverse: d === 1 || direction === 'reverse', lengths })
  })
  const y = stack(ways.map(way => way.y), 1)
  return [batchFirst ? transpose(y, [2, 0, 1, 3]) : y, ...states.map((_, i) => swap(stack(ways.map(way => way.last[i]!))))]
})

function checkWeights(kind: Kind, node: ModelNode, x: Tensor, w: Tensor, r: Tensor, directions: number): void {
  const rows = kind.order.length * (r.shape[2] ?? 0)
  const fits = x.rank === 3 && w.rank === 3 && r.rank === 3 && sameShape(w.shape, [directions, rows, x.shape[2]!]) && sameShape(r.shape.slice(0, 2), [directions, rows])
  if (!fits) fail('shape', node.operator, `needs X of three axes, W [${directions}, ${kind.order.length}·hidden, features] and R [${directions}, ${kind.order.length}·hidden, hidden], got ${[x, w, r].map(describe).join(', ')}. The file does not fit its input`)
}

/** How many steps count; nothing where lengths are not given, or known to be all of them. */
const countsOf = (value: Value | undefined, node: ModelNode, steps: number, n: number, x: Tensor): Tensor | undefined =>
  value === undefined || (value instanceof Known && toNumbers(value).every(length => length === steps)) ? undefined : lengthsOf(node.operator, toTensor(value), steps, n, x)

/** The first entries of each sequence in reverse, as many as its length says. */
const reverseSequence: Operator = onTensors(2, ([x, lengths], attributes, node) => {
  const [time, batch] = [attributes.int('time_axis', 0), attributes.int('batch_axis', 1)]
  if (time + batch !== 1 || x!.rank < 2) fail('value', node.operator, `time_axis and batch_axis must be 0 and 1, got ${time} and ${batch} for ${describe(x!)}. The file is damaged`)
  const along = (v: Tensor, axis: number): Tensor => reshape(v, x!.shape.map((_, i) => i === axis ? v.size : 1))
  const t = along(iota(x!.shape[time]!, 'int32', x!.backend), time)
  const length = along(cast(lengths!, 'int32'), batch)
  return takeAlong(x!, broadcastTo(select(less(t, length), sub(sub(length, 1), t), t), x!.shape), time)
})

/** Recurrent operators by name. */
export const recurrentOperators: Operators = { RNN: recurrent(rnn), LSTM: recurrent(lstm), GRU: recurrent(gru), ReverseSequence: reverseSequence }
