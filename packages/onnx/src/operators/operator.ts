// What an operator of the importer is, and the checks that all of them share.

import type { Tensor } from '@bp/core'
import { type Abstract, describe, fail } from '@bp/core/extend'
import type { Attributes } from '../import/attributes.ts'
import { unsupported } from '../import/errors.ts'
import type { ModelNode } from '../import/load.ts'
import { type Known, toNumbers, toTensor, type Value } from '../import/value.ts'

/** What a running model tells its operators. */
export interface Context {
  /** Training or evaluation as `train()` and `eval()` have set it; `null`: as the file says. */
  readonly training: boolean | null
  /** Gives the variable behind an input (running statistics) a new value, where there is one. */
  readonly update: (input: number, value: Tensor) => void
  /** Runs the graph that an attribute holds on values for its inputs, and returns its outputs. */
  readonly run: (attribute: string, feeds: readonly (Value | undefined)[]) => readonly (Value | undefined)[]
  /** A value of the node's graph as it would be if the named values were those given. */
  readonly recompute: (name: string, given: ReadonlyMap<string, Value>) => Value
}

/** Computes one node. An input left out is `undefined`; so may be an output that nothing reads. */
export type Operator = (inputs: readonly (Value | undefined)[], attributes: Attributes, node: ModelNode, context: Context) => Value | readonly (Value | undefined)[]

/** Computes one node whose inputs are all known without tensors; `null` leaves it to the {@link Operator}. */
export type KnownOperator = (inputs: readonly Known[], attributes: Attributes, node: ModelNode) => Known | null

/** Operators by name. */
export type Operators = Readonly<Record<string, Operator>>

/** An operator on tensors that needs at least so many of them. */
export function onTensors(least: number, f: (xs: readonly Tensor[], attributes: Attributes, node: ModelNode, context: Context) => Value | readonly (Value | undefined)[]): Operator {
  return onValues(least, (inputs, attributes, node, context) => f(inputs.map(value => value && toTensor(value)) as Tensor[], attributes, node, context))
}

/** An operator on values that needs at least so many of them. */
export function onValues(least: number, f: Operator): Operator {
  return (inputs, attributes, node, context) => {
    for (let i = 0; i < least; i++) if (inputs[i] === undefined) fail('data', node.operator, `needs at least ${least} input(s); input ${i} is missing. The file is damaged`)
    return f(inputs, attributes, node, context)
  }
}

/** Numbers that an attribute gives in older versions and an input in newer ones; `null` where neither does. */
export function numbersOf(name: string, input: number, inputs: readonly (Value | undefined)[], attributes: Attributes): number[] | null {
  const value = inputs[input]
  return value ? toNumbers(value) : attributes.ints(name)
}

/** Throws where an attribute has a value other than the one that is implemented. */
export function only(node: ModelNode, what: string, got: number | string, ...allowed: readonly (number | string)[]): void {
  if (!allowed.includes(got)) unsupported(node.operator, `${what} ${JSON.stringify(got)}`)
}

/** A list with one entry per axis of something, or a `shape` error. */
export function perAxis(node: ModelNode, what: string, list: readonly number[], count: number, x: Abstract): readonly number[] {
  return list.length === count ? list : fail('shape', node.operator, `${what} has ${list.length} entries where ${describe(x)} needs ${count}. The file does not fit its input`)
}
