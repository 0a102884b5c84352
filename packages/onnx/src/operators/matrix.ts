// Matrix products: MatMul, Gemm, Einsum.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail, sizeOf } from '@bp/core/extend'
import { dot } from '@bp/ops/extend'
import { matmul, reshape, sum, transpose } from '@bp/ops'
import { unsupported } from '../import/errors.ts'
import type { ModelNode } from '../import/load.ts'
import { aligned } from './legacy.ts'
import { onTensors, type Operator, type Operators } from './operator.ts'

/** y = α·A·B + β·C, A and B read transposed where asked */
const gemm: Operator = onTensors(2, ([a, b, c], attributes, node) => {
  if (a!.rank !== 2 || b!.rank !== 2) fail('shape', node.operator, `needs matrices, got ${describe(a!)} and ${describe(b!)}`)
  const product = dot(a!, b!, attributes.int('transA', 0) !== 0, attributes.int('transB', 0) !== 0)
  const alpha = attributes.float('alpha', 1)
  const beta = attributes.float('beta', 1)
  const y = alpha === 1 ? product : mul(product, alpha)
  if (!c || beta === 0) return y
  const bias = aligned(y, c, attributes, node)
  return add(y, beta === 1 ? bias : mul(bias, beta))
})

/** One operand of an einsum: a tensor and the letter of each of its axes. */
interface Term {
  readonly x: Tensor
  readonly letters: string
}

/**
 * Einstein summation by pairs: axes that no later operand and no result needs are summed first, then each pair is one
 * batched matrix product. An ellipsis stands for axes named by digits, aligned at the end.
 */
function einsum(equation: string, xs: readonly Tensor[], node: ModelNode): Tensor {
  const [left, right] = equation.replaceAll(' ', '').split('->') as [string, string | undefined]
  const named = left.split(',')
  if (named.length !== xs.length) fail('data', node.operator, `the equation ${JSON.stringify(equation)} has ${named.length} operands, the node ${xs.length}`)
  const most = Math.max(0, ...named.map((letters, i) => letters.includes('...') ? xs[i]!.rank - letters.replace('...', '').length : 0))
  const dots = '0123456789'.slice(0, most)
  const spell = (letters: string, rank: number): string => letters.replace('...', dots.slice(most - (rank - letters.replace('...', '').length)))
  const terms = named.map((letters, i): Term => ({ x: xs[i]!, letters: spell(letters, xs[i]!.rank) }))
  for (const { x, letters } of terms) {
    if (letters.length !== x.rank) fail('shape', node.operator, `${JSON.stringify(equation)} gives ${letters.length} axes to ${describe(x)}`)
    if (new Set(letters).size !== letters.length) unsupported(node.operator, `a letter twice in one operand, as in ${JSON.stringify(equation)},`)
  }
  const all = terms.map(({ letters }) => letters).join('')
  const implicit = dots + [...new Set(all)].filter(letter => /[a-z]/i.test(letter) && all.indexOf(letter) === all.lastIndexOf(letter)).sort().join('')
  const target = right === undefined ? implicit : right.replace('...', dots)
  const result = terms.reduce((a, b, i) => pair(a, b, target + terms.slice(i + 1).map(({ letters }) => letters).join('')))
  const { x, letters } = summed(result, target)
  return transpose(x, Array.from(target).map(letter => letters.indexOf(letter)))
}

/** Sums the axes of a term that nothing needs any more. */
function summed({ x, letters }: Term, needed: string): Term {
  const axes = Array.from(letters).flatMap((letter, i) => needed.includes(letter) ? [] : i)
  return axes.length === 0 ? { x, letters } : { x: sum(x, axes), letters: Array.from(letters).filter(letter => needed.includes(letter)).join('') }
}

function pair(first: Term, second: Term, needed: string): Term {
  const a = summed(first, second.letters + needed)
  const b = summed(second, first.letters + needed)
  const shared = Array.from(a.letters).filter(letter => b.letters.includes(letter))
  const batch = shared.filter(letter => needed.includes(letter))
  const inner = shared.filter(letter => !needed.includes(letter))
  const ofA = Array.from(a.letters).filter(letter => !shared.includes(letter))
  const ofB = Array.from(b.letters).filter(letter => !shared.includes(letter))
  const sizes = new Map([...Array.from(a.letters).map((letter, i) => [letter, a.x.shape[i]!] as const), ...Array.from(b.letters).map((letter, i) => [letter, b.x.shape[i]!] as const)])
  const count = (letters: readonly string[]): number => sizeOf(letters.map(letter => sizes.get(letter)!))
  const ordered = (term: Term, letters: readonly string[]): Tensor => transpose(term.x, letters.map(letter => term.letters.indexOf(letter)))
  const left = reshape(ordered(a, [...batch, ...ofA, ...inner]), [count(batch), count(ofA), count(inner)])
  const rightSide = reshape(ordered(b, [...batch, ...inner, ...ofB]), [count(batch), count(inner), count(ofB)])
  const letters = [...batch, ...ofA, ...ofB]
  return { x: reshape(dot(left, rightSide), letters.map(letter => sizes.get(letter)!)), letters: letters.join('') }
}

/** Matrix products by name. */
export const matrix: Operators = {
  MatMul: onTensors(2, ([a, b]) => matmul(a!, b!)),
  Gemm: gemm,
  Einsum: onTensors(1, (xs, attributes, node) => einsum(attributes.string('equation', ''), xs, node)),
}
