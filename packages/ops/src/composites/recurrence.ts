// Runs a recurrent cell along a sequence, in either direction, with sequences of different lengths side by side.

import { add, full, type Tensor, tensor } from '@bp/core'
import { type Abstract, Aval, bindMany, defineComposite, describe, fail, type Row, sameShape } from '@bp/core/extend'
import { cast, less, select } from '../rows/compare.ts'
import { iota } from '../rows/source.ts'
import { reshape } from '../rows/view.ts'
import { stack } from './arrange.ts'
import type { Lengths } from './losses/ctc.ts'
import { linear } from './matmul.ts'
import { type Cell, type CellRule, gruOf, gruResetFirstOf, lstmOf, rnnOf, type StateWeights } from './recurrentSteps.ts'
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
  /** How many steps of each sequence count, int32[n]; all unless given. */
  readonly lengths?: Tensor | undefined
}

/** Outputs of all steps, [steps, n, size], and the state after the last step of each sequence. */
export interface Recurred {
  readonly y: Tensor
  readonly last: readonly Tensor[]
}

/** What a layer's row may have for operands. */
export type RecurrenceOperand = 'x' | 'ih' | 'hh' | 'biasIh' | 'biasHh' | 'hr' | 'pi' | 'pf' | 'po' | 'lengths' | 'h' | 'c'

/** The parameters of a layer's row. */
export interface RecurrenceParams {
  readonly rule: CellRule
  readonly reverse: boolean
  /** Which operands there are, in their order. */
  readonly given: readonly RecurrenceOperand[]
}

/** The row of one layer in one direction. Results: outputs, and the last states. Their shapes are told without taking the steps, of which there may be many. */
const rowOf = <const Name extends string>(name: Name, of: (rule: CellRule) => Cell): Row<Name, 'n', RecurrenceParams> => defineComposite({
  name, arity: 'n', fuse: 'opaque',
  infer: (xs, { rule, given }: RecurrenceParams) => {
    const [x, ih, hh, hr] = (['x', 'ih', 'hh', 'hr'] as const).map(operand => xs[given.indexOf(operand)]) as [Abstract, Abstract, Abstract, Abstract?]
    const { gates, states } = of(rule)
    const [steps, n, features] = x.shape as [number, number, number]
    const hidden = hh.shape[0]! / gates
    const size = hr?.shape[0] ?? hidden
    if (ih.shape[0] !== hh.shape[0] || ih.shape[1] !== features || hh.shape[1] !== size) fail('shape', name, `the weights ${describe(ih)} and ${describe(hh)} do not fit ${describe(x)}: they must be [${gates}·hidden, ${features}] and [${gates}·hidden, ${size}]`)
    return [new Aval([steps, n, size], x.dtype), ...Array.from({ length: states }, (_, i) => new Aval([n, i === 0 ? size : hidden], x.dtype))]
  },
  decompose: (xs, { rule, reverse, given }: RecurrenceParams) => {
    const { x, ih, hh, biasIh, biasHh, hr, pi, pf, po, lengths, h, c } = Object.fromEntries(given.map((operand, i) => [operand, xs[i]!])) as Partial<Record<RecurrenceOperand, Tensor>>
    const weights = { ih: ih!, hh: hh!, biasIh, biasHh, hr, peepholes: pi && pf && po && [pi, pf, po] as const }
    const { y, last } = unrolled(of(rule), x!, weights, { reverse, lengths, initial: h && [h, ...c ? [c] : []] })
    return [y, ...last]
  },
})

/** A layer of {@link rnnOf} cells. */
export const rnnLayerRow = /* @__PURE__ */ rowOf('rnnLayer', rnnOf)
/** A layer of {@link lstmOf} cells. */
export const lstmLayerRow = /* @__PURE__ */ rowOf('lstmLayer', lstmOf)
/** A layer of {@link gruOf} cells. */
export const gruLayerRow = /* @__PURE__ */ rowOf('gruLayer', gruOf)
/** A layer of {@link gruResetFirstOf} cells. */
export const gruResetFirstLayerRow = /* @__PURE__ */ rowOf('gruResetFirstLayer', gruResetFirstOf)

/** A layer of cells of a kind: its row, which exporters may know, and the cell by its rule. */
export interface RecurrenceKind {
  readonly row: Row<string, 'n', RecurrenceParams>
  readonly of: (rule: CellRule) => Cell
}

/**
 * One layer in one direction: x [steps, n, features]. A step that does not count leaves the state as it is and gives zeros, so that the
 * reverse direction begins at each sequence's own end.
 */
export function recur({ row }: RecurrenceKind, rule: CellRule, x: Tensor, { ih, hh, biasIh, biasHh, hr, peepholes }: RecurrentWeights, { initial, reverse = false, lengths }: RecurOptions = {}): Recurred {
  const [pi, pf, po] = peepholes ?? []
  const [h, c] = initial ?? []
  const operands = Object.entries({ x, ih, hh, biasIh, biasHh, hr, pi, pf, po, lengths, h, c }).filter((entry): entry is [RecurrenceOperand, Tensor] => entry[1] !== undefined)
  const [y, ...last] = bindMany(row, operands.map(([, operand]) => operand), { rule, reverse, given: operands.map(([name]) => name) })
  return { y: y!, last }
}

/** The layer step by step, the input's part of all gates as one product. */
function unrolled(cell: Cell, x: Tensor, weights: RecurrentWeights, { initial, reverse = false, lengths }: RecurOptions): Recurred {
  const [steps, n] = x.shape as [number, number]
  const valid = lengths && reshape(less(reshape(iota(steps, 'int32', x.backend), [steps, 1]), lengths), [steps, n, 1])
  const inputs = unbind(linear(valid ? select(valid, x, 0) : x, weights.ih, inputBias(cell, weights)))
  const counts = valid && unbind(valid)
  const step = cell.step(weights)
  let state = initial ?? noState(cell, inputs[0]!, weights)
  const ys = new Array<Tensor>(steps)
  for (let k = 0; k < steps; k++) {
    const t = reverse ? steps - 1 - k : k
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

/** How many steps of each sequence count, as int32[n], or nothing where all do. Throws where a list of lengths does not fit. */
export function lengthsOf(op: string, lengths: Lengths | undefined, steps: number, n: number, like: Tensor): Tensor | undefined {
  if (lengths === undefined) return undefined
  if (Array.isArray(lengths)) {
    const list = lengths as readonly number[]
    checkLengths(op, list, steps, like)
    if (list.length === n && list.every(length => length === steps)) return undefined
  }
  const given = Array.isArray(lengths) ? tensor(lengths as readonly number[], { dtype: 'int32', backend: like.backend }) : cast(lengths as Tensor, 'int32')
  if (!sameShape(given.shape, [n])) fail('shape', op, `lengths must hold one number for each of the ${n} sequences, got ${describe(given)}`)
  if (given.storage && given.backend.readSync) checkLengths(op, Array.from(given.dataSync(), Number), steps, like)
  return given
}

function checkLengths(op: string, lengths: readonly number[], steps: number, like: Tensor): void {
  const bad = lengths.find(length => !Number.isInteger(length) || length < 1 || length > steps)
  if (bad !== undefined) fail('value', op, `a length must be a whole number from 1 to the ${steps} steps of ${describe(like)}, got ${bad}`)
}
