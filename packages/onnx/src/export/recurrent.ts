// Layers of recurrent networks as ONNX's operators; those that ONNX does not know are written step by step.

import { relu, sigmoid, tanh } from '@bp/ops'
import type { Activation, CellRule, RecurrenceOperand, RecurrenceParams } from '@bp/ops/extend'
import { type AttributeValue, type Builder, Float } from './builder.ts'
import { type Emission, type Emitter, type Emitters, fixedParams } from './emit.ts'
import type { Size } from './sizes.ts'
import { concatOf, cut, reshapeTo } from './views.ts'

/** How an operator of ONNX differs from its row. */
interface Form {
  readonly operator: string
  /** The file's gates, by their places in ours. */
  readonly order: readonly number[]
  readonly attributes?: Readonly<Record<string, AttributeValue>>
}

/** The names that ONNX has for functions that cells usually have. */
const names = /* @__PURE__ */ new Map<Activation, string>([[tanh, 'Tanh'], [sigmoid, 'Sigmoid'], [relu, 'Relu']])

/** The activations of a rule where they are not the usual ones; `null` where ONNX has no name for one. */
function activations(rule: CellRule, usual: readonly Activation[]): Readonly<Record<string, AttributeValue>> | null {
  const own = [rule.gate, rule.candidate, rule.output].slice(0, usual.length).map((f, i) => f ?? usual[i]!)
  if (own.every((f, i) => f === usual[i])) return {}
  const known = own.map(f => names.get(f))
  return known.includes(undefined) ? null : { activations: known as string[] }
}

/** Gates in the file's order. */
function ordered(b: Builder, x: string, order: readonly number[], hidden: number, where: string): string {
  if (order.length === 1) return x
  const [size, each] = [order.length * hidden, hidden].map(n => b.dims.open.fixed(n)) as [Size, Size]
  const gate = (i: number): string => cut(b, { x, axis: 0, size, start: b.dims.open.fixed(i * hidden), end: b.dims.open.fixed((i + 1) * hidden) }, where)
  return concatOf(b, order.map(gate), 0, order.map(() => each))
}

/** Writes a layer in one direction; a projection has no counterpart, nor have lone biases. */
const layer = ({ operator, order, attributes = {} }: Form, usual: readonly Activation[]): Emitter => (b, e) => {
  const { rule, reverse, given } = fixedParams<RecurrenceParams>(e)
  const own = activations(rule, usual)
  const has = (name: RecurrenceOperand): boolean => given.includes(name)
  if (own === null || has('hr') || has('biasIh') !== has('biasHh')) return null
  const name = (operand: RecurrenceOperand): string => has(operand) ? e.inputs[given.indexOf(operand)]! : ''
  const hidden = hiddenOf(e, given)
  const fixed = (n: number): Size => b.dims.open.fixed(n)
  const { dtype } = e.xs[0]!
  const rows = order.length * hidden
  const sizesOf = (operand: RecurrenceOperand): readonly Size[] => e.xs[given.indexOf(operand)]!.sizes
  const front = (x: string, sizes: readonly Size[]): string => reshapeTo(b, x, { dtype, sizes }, [fixed(1), ...sizes], e.where)
  const weight = (operand: RecurrenceOperand): string => front(ordered(b, name(operand), order, hidden, e.where), sizesOf(operand))
  const bias = has('biasIh') ? front(concatOf(b, [name('biasIh'), name('biasHh')].map(x => ordered(b, x, order, hidden, e.where)), 0, [fixed(rows), fixed(rows)]), [fixed(2 * rows)]) : ''
  const peepholes = has('pi') ? front(concatOf(b, [name('pi'), name('po'), name('pf')], 0, [hidden, hidden, hidden].map(fixed)), [fixed(3 * hidden)]) : ''
  const state = (operand: RecurrenceOperand): string => has(operand) ? front(name(operand), sizesOf(operand)) : ''
  const results = b.addMany(operator, withoutTail([name('x'), weight('ih'), weight('hh'), bias, name('lengths'), state('h'), ...operator === 'LSTM' ? [state('c'), peepholes] : []]), e.ys.length, {
    hidden_size: hidden, direction: reverse ? 'reverse' : 'forward', ...attributes, ...own,
    ...rule.clip !== undefined && { clip: new Float(rule.clip) }, ...rule.coupled && { input_forget: 1 },
  })
  return results.map((y, i) => {
    const sizes = e.ys[i]!.sizes
    return reshapeTo(b, y, { dtype, sizes: sizes.toSpliced(i === 0 ? 1 : 0, 0, fixed(1)) }, sizes, e.where)
  })
}

const hiddenOf = (e: Emission, given: readonly RecurrenceOperand[]): number => e.xs[given.indexOf('hh')]!.sizes[1]![0]!

/** Inputs without those left out at the end. */
const withoutTail = (inputs: readonly string[]): string[] => inputs.slice(0, inputs.findLastIndex(input => input !== '') + 1)

/** Layers of recurrent networks. */
export const recurrentEmitters: Emitters = {
  rnnLayer: layer({ operator: 'RNN', order: [0] }, [tanh]),
  lstmLayer: layer({ operator: 'LSTM', order: [0, 3, 1, 2] }, [sigmoid, tanh, tanh]),
  gruLayer: layer({ operator: 'GRU', order: [1, 0, 2], attributes: { linear_before_reset: 1 } }, [sigmoid, tanh]),
  gruResetFirstLayer: layer({ operator: 'GRU', order: [1, 0, 2] }, [sigmoid, tanh]),
}
