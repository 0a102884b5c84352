// Sequences: lists of values that grow and shrink while a model runs.

import { fail, normaliseAxis } from '@bp/core/extend'
import { concat, reshape, split, stack } from '@bp/ops'
import { entries, take } from '../import/budget.ts'
import type { ModelNode } from '../import/load.ts'
import { int64s, Sequence, toNumbers, toTensor, type Value } from '../import/value.ts'
import { perPart } from './geometry.ts'
import { onValues, type Operator, type Operators } from './operator.ts'

const itemsOf = (value: Value, node: ModelNode): readonly Value[] =>
  value instanceof Sequence ? value.items : fail('data', node.operator, 'its first input is no sequence. The file is damaged')

/** A place among the first `count` of a list, counted from the end of its `length` entries where negative. */
function placeOf(position: Value, length: number, count: number, node: ModelNode): number {
  const given = toNumbers(position)[0]!
  const place = given < 0 ? given + length : given
  return place >= 0 && place < count ? place : fail('value', node.operator, `the position ${given} is outside of a sequence of ${length}`)
}

/** Parts along an axis: of the sizes given, of one size, or single entries, which lose the axis without `keepdims`. */
const splitUp: Operator = onValues(1, ([x, sizes], attributes, node) => {
  const whole = toTensor(x!)
  const axis = normaliseAxis(node.operator, attributes.int('axis', 0), whole.rank)
  const total = whole.shape[axis]!
  const size = sizes && sizes.shape.length > 0 ? 0 : sizes ? toNumbers(sizes)[0]! : 1
  const each = size === 0 ? toNumbers(sizes!) : Array.from({ length: entries(node.operator, perPart * Math.ceil(total / size)) / perPart }, (_, i) => Math.min(size, total - i * size))
  const parts = split(whole, each, axis)
  return new Sequence(sizes || attributes.int('keepdims', 1) !== 0 ? parts : parts.map(part => reshape(part, part.shape.toSpliced(axis, 1))))
})

/** Runs its body on each entry of the first sequence, with those at its place in other sequences, and all tensors as they are. */
const mapped: Operator = onValues(1, ([list, ...others], _attributes, node, context) => {
  const rows = itemsOf(list!, node).map((item, i) => {
    take('steps', node.operator, 1)
    return context.run('body', [item, ...others.map(other => other instanceof Sequence ? other.items[i] : other)])
  })
  return node.outputs.map((_, i) => new Sequence(rows.map(row => row[i]!)))
})

/** Sequences by name. */
export const sequences: Operators = {
  SequenceEmpty: () => new Sequence([]),
  SequenceConstruct: inputs => new Sequence(inputs.filter(value => value !== undefined)),
  SequenceInsert: onValues(2, ([list, value, position], _attributes, node) => {
    const items = itemsOf(list!, node)
    return new Sequence(items.toSpliced(position ? placeOf(position, items.length, items.length + 1, node) : items.length, 0, value!))
  }),
  SequenceErase: onValues(1, ([list, position], _attributes, node) => {
    const items = itemsOf(list!, node)
    return new Sequence(items.toSpliced(position ? placeOf(position, items.length, items.length, node) : items.length - 1, 1))
  }),
  SequenceAt: onValues(2, ([list, position], _attributes, node) => {
    const items = itemsOf(list!, node)
    return items[placeOf(position!, items.length, items.length, node)]!
  }),
  SequenceLength: onValues(1, ([list], _attributes, node) => int64s([itemsOf(list!, node).length], [])),
  ConcatFromSequence: onValues(1, ([list], attributes, node) => {
    const parts = itemsOf(list!, node).map(toTensor)
    return attributes.int('new_axis', 0) === 0 ? concat(parts, attributes.int('axis', 0)) : stack(parts, attributes.int('axis', 0))
  }),
  SplitToSequence: splitUp, SequenceMap: mapped,
}
