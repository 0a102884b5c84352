// einsum's notation: which label each axis of the operands and of the result has.

import type { Shape } from '@bp/core'
import { fail } from '@bp/core/extend'

/** The labels of every axis; an ellipsis is spelled out, its last axis as `.0`, the one before as `.1` and so on. */
export interface Labelling {
  readonly operands: readonly (readonly string[])[]
  readonly result: readonly string[]
}

/** The axes of an operand by number, as in `[0, '...', 1]`: another way to write a term of an equation. */
export type Sublist = readonly (number | '...')[]

/** The labels of an equation such as `ij,jk->ik` for operands of the given shapes; throws where they do not fit. */
export function parseEquation(equation: string, shapes: readonly Shape[]): Labelling {
  const [left = '', right, ...more] = equation.replaceAll(/\s/g, '').split('->')
  const terms = left.split(',')
  if (more.length > 0) fail('value', 'einsum', `"${equation}" has more than one arrow. Write the result once, as in "ij,jk->ik"`)
  if (terms.length !== shapes.length) fail('value', 'einsum', `"${equation}" names ${terms.length} operand(s), but ${shapes.length} are given. Separate the terms by commas`)
  const operands = terms.map((term, i) => termLabels(equation, term, shapes[i]!))
  const unnamed = spread(Math.max(0, ...operands.map(labels => labels.filter(label => label.startsWith('.')).length)))
  return { operands, result: right === undefined ? [...unnamed, ...once(operands)] : resultLabels(equation, right, unnamed, operands) }
}

/** The labels that stand for `count` axes under an ellipsis, aligned at the last. */
const spread = (count: number): string[] => Array.from({ length: count }, (_, i) => `.${count - 1 - i}`)

/** The letters that occur once, in the order of their characters: what is left where no result is written. */
function once(operands: Labelling['operands']): string[] {
  const all = operands.flat().filter(label => !label.startsWith('.'))
  return all.filter(label => all.indexOf(label) === all.lastIndexOf(label)).sort()
}

function termLabels(equation: string, term: string, shape: Shape): string[] {
  const [before, after] = letters(equation, term)
  const named = before.length + (after?.length ?? 0)
  if (after === undefined ? named !== shape.length : named > shape.length) {
    fail('shape', 'einsum', `the term "${term}" of "${equation}" names ${named} axes, the operand is [${shape.join(',')}]. Give each axis a letter, or write ... for the rest`)
  }
  return [...before, ...spread(after ? shape.length - named : 0), ...after ?? []]
}

function resultLabels(equation: string, term: string, unnamed: readonly string[], operands: Labelling['operands']): string[] {
  const [before, after] = letters(equation, term)
  const labels = [...before, ...after ? unnamed : [], ...after ?? []]
  const known = new Set(operands.flat())
  for (const [i, label] of labels.entries()) {
    if (!known.has(label)) fail('value', 'einsum', `the result of "${equation}" names ${label}, which no operand has. Add it with unsqueeze afterwards`)
    if (labels.indexOf(label) !== i) fail('value', 'einsum', `the result of "${equation}" names ${label} twice. Each axis can stand in the result once`)
  }
  return labels
}

/** The letters before and after a term's ellipsis; without one, only those before. */
function letters(equation: string, term: string): [before: string[], after?: string[]] {
  const [before = '', after, ...more] = term.split('...')
  if (more.length > 0 || !/^[a-zA-Z]*$/.test(before + (after ?? ''))) fail('value', 'einsum', `the term "${term}" of "${equation}" must be letters with at most one ... among them`)
  return after === undefined ? [Array.from(before)] : [Array.from(before), Array.from(after)]
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** The equation that sublists stand for: 0 … 25 are the capital letters, 26 … 51 the small ones. */
export function equationOf(operands: readonly Sublist[], result: Sublist | undefined): string {
  const term = (sublist: Sublist): string => sublist.map(axis => axis === '...' ? axis : alphabet[axis] ?? fail('value', 'einsum', `a sublist holds ${axis}. Number the axes 0 … ${alphabet.length - 1}`)).join('')
  return operands.map(term).join() + (result ? `->${term(result)}` : '')
}

/** The size of each label: that of every axis that has it, or 1, which is repeated. Throws where sizes disagree. */
export function labelSizes(op: string, operands: Labelling['operands'], shapes: readonly Shape[]): Map<string, number> {
  const sizes = new Map<string, number>()
  for (const [i, labels] of operands.entries()) {
    for (const [axis, label] of labels.entries()) {
      const size = shapes[i]![axis]!
      const known = sizes.get(label) ?? 1
      const own = shapes[i]![labels.indexOf(label)]!
      if (own !== size) fail('shape', op, `axes of one operand with the same label ${label} must be equal, got ${own} and ${size} in [${shapes[i]!.join(',')}]`)
      if (known !== size && known !== 1 && size !== 1) fail('shape', op, `axes with the same label ${label} must be equal or 1, got ${known} and ${size} in operand ${i}, [${shapes[i]!.join(',')}]`)
      sizes.set(label, size === 1 ? known : size)
    }
  }
  return sizes
}
