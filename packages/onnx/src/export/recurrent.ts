// Layers of recurrent networks as ONNX's operators; those that ONNX does not know are written step by step.

import { relu, sigmoid, tanh } from '@bp/ops'
import type { Activation, CellRule, RecurrenceOperand, RecurrenceParams } from '@bp/ops/extend'
import { type AttributeValue, type Builder, Float } from './builder.ts'
import { type Emission, type Emitter, type Emitters, fixedParams } from './emit.ts'

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
function ordered(b: Builder, w: string, order: readonly number[], hidden: number): string {
  if (order.length === 1) return w
  return b.add('Concat', order.map(i => b.add('Slice', [w, b.list([i * hidden]), b.list([(i + 1) * hidden]), b.list([0])])), { axis: 0 })
}

/** Writes a layer in one direction; a projection has no counterpart, nor have lone biases. */
const layer = ({ operator, order, attributes = {} }: Form, usual: readonly Activation[]): Emitter => (b, e) => {
  const { rule, reverse, given } = fixedParams<RecurrenceParams>(e)
  const own = activations(rule, usual)
  const has = (name: RecurrenceOperand): boolean => given.includes(name)
  if (own === null || has('hr') || has('biasIh') !== has('biasHh')) return null
  const name = (operand: RecurrenceOperand): string => has(operand) ? e.inputs[given.indexOf(operand)]! : ''
  const hidden = hiddenOf(e, given)
  const front = (x: string): string => x === '' ? '' : b.add('Unsqueeze', [x, b.list([0])])
  const weight = (operand: RecurrenceOperand): string => front(ordered(b, name(operand), order, hidden))
  const bias = has('biasIh') ? front(b.add('Concat', [ordered(b, name('biasIh'), order, hidden), ordered(b, name('biasHh'), order, hidden)], { axis: 0 })) : ''
  const peepholes = has('pi') ? front(b.add('Concat', [name('pi'), name('po'), name('pf')], { axis: 0 })) : ''
  const states = [front(name('h')), ...operator === 'LSTM' ? [front(name('c')), peepholes] : []]
  const results = b.addMany(operator, withoutTail([name('x'), weight('ih'), weight('hh'), bias, name('lengths'), ...states]), e.ys.length, {
    hidden_size: hidden, direction: reverse ? 'reverse' : 'forward', ...attributes, ...own,
    ...rule.clip !== undefined && { clip: new Float(rule.clip) }, ...rule.coupled && { input_forget: 1 },
  })
  return results.map((y, i) => b.add('Squeeze', [y, b.list([i === 0 ? 1 : 0])]))
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
