// Contraction of labelled tensors: diagonals, sums, and one batched matrix product for each pair of operands.

import { mul, type Tensor } from '@bp/core'
import { describe, fail, sizeOf } from '@bp/core/extend'
import { dot } from '../rows/contract.ts'
import { sum } from '../rows/reduce.ts'
import { reshape, transpose } from '../rows/view.ts'
import { contractionOrder } from './contractionOrder.ts'
import { diagonal } from './diagonal.ts'
import { labelSizes, type Labelling } from './equation.ts'

/** A tensor with a label for each axis. */
interface Term {
  readonly x: Tensor
  readonly labels: readonly string[]
}

/**
 * y[result] = Σ Π operands over the labels that are not in the result. Axes of one label must be equal or 1; a label twice
 * in one operand takes its diagonal. Three and more operands are contracted two at a time, in the cheapest order.
 */
export function contract(op: string, xs: readonly Tensor[], { operands, result }: Labelling): Tensor {
  for (const x of xs) if (x.dtype !== xs[0]!.dtype) fail('dtype', op, `operands must have one dtype, got ${describe(xs[0]!)} and ${describe(x)}. Convert one with cast`)
  const sizes = labelSizes(op, operands, xs.map(x => x.shape))
  const whole = xs.map((x, i) => ownAxes(diagonals({ x, labels: operands[i]! }), sizes))
  const terms = whole.map((term, i) => summed(term, new Set([...result, ...whole.flatMap(({ labels }, j) => i === j ? [] : labels)])))
  for (const [i, j] of contractionOrder(terms.map(({ labels }) => labels), result, sizes).path) {
    const [b] = terms.splice(j, 1)
    const [a] = terms.splice(i, 1)
    terms.push(pair(a!, b!, new Set([...result, ...terms.flatMap(({ labels }) => labels)]), sizes))
  }
  return arranged(terms[0]!, result)
}

/** The labels in another order. */
const arranged = ({ x, labels }: Term, order: readonly string[]): Tensor => transpose(x, order.map(label => labels.indexOf(label)))

/** The diagonal of every label that occurs twice, as the last axis. */
function diagonals({ x, labels }: Term): Term {
  const second = labels.findIndex((label, i) => labels.indexOf(label) !== i)
  if (second < 0) return { x, labels }
  const twice = labels[second]!
  const first = labels.indexOf(twice)
  return diagonals({ x: diagonal(x, { axes: [first, second] }), labels: [...labels.filter((_, i) => i !== first && i !== second), twice] })
}

/** Without the axes of size 1 that another operand's axis is repeated along. */
function ownAxes({ x, labels }: Term, sizes: ReadonlyMap<string, number>): Term {
  const own = labels.map((label, i) => x.shape[i] === sizes.get(label))
  return { x: reshape(x, x.shape.filter((_, i) => own[i])), labels: labels.filter((_, i) => own[i]) }
}

/** Summed over every label that is not kept. */
function summed({ x, labels }: Term, kept: ReadonlySet<string>): Term {
  const gone = labels.flatMap((label, i) => kept.has(label) ? [] : i)
  return gone.length === 0 ? { x, labels } : { x: sum(x, gone), labels: labels.filter(label => kept.has(label)) }
}

/** The product of two terms, summed over the labels that both have and nobody else needs. */
function pair(a: Term, b: Term, kept: ReadonlySet<string>, sizes: ReadonlyMap<string, number>): Term {
  const shared = a.labels.filter(label => b.labels.includes(label))
  const batch = shared.filter(label => kept.has(label))
  const inner = shared.filter(label => !kept.has(label))
  const rows = a.labels.filter(label => !shared.includes(label))
  const columns = b.labels.filter(label => !shared.includes(label))
  const labels = [...batch, ...rows, ...columns]
  const shape = (list: readonly string[]): number[] => list.map(label => sizes.get(label)!)
  if (inner.length === 0) {
    const x = reshape(arranged(a, [...batch, ...rows]), [...shape(batch), ...shape(rows), ...columns.map(() => 1)])
    const y = reshape(arranged(b, [...batch, ...columns]), [...shape(batch), ...rows.map(() => 1), ...shape(columns)])
    return { x: mul(x, y), labels }
  }
  const lead = batch.length === 0 ? [] : [sizeOf(shape(batch))]
  const [m, k, n] = [rows, inner, columns].map(list => sizeOf(shape(list))) as [number, number, number]
  const ta = inOrder(a, [...batch, ...inner, ...rows])
  const tb = inOrder(b, [...batch, ...columns, ...inner])
  const x = reshape(ta ? a.x : arranged(a, [...batch, ...rows, ...inner]), [...lead, ...ta ? [k, m] : [m, k]])
  const y = reshape(tb ? b.x : arranged(b, [...batch, ...inner, ...columns]), [...lead, ...tb ? [n, k] : [k, n]])
  return { x: reshape(dot(x, y, ta, tb), shape(labels)), labels }
}

const inOrder = ({ labels }: Term, order: readonly string[]): boolean => labels.every((label, i) => label === order[i])
