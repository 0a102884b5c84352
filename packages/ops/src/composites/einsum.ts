// Einstein's summation convention, and the contractions that are said more briefly: tensordot, inner, outer, bilinear.

import { add, type Shape, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { contract } from './contraction.ts'
import { type ContractionOrder, contractionOrder, span } from './contractionOrder.ts'
import { equationOf, labelSizes, parseEquation, type Sublist } from './equation.ts'

/**
 * Sums of products by their labels: `ij,jk->ik` is the matrix product. Letters that are not in the result are summed over;
 * without an arrow the result has the letters that occur once, in alphabetical order, capitals first. A letter twice in one
 * term takes the diagonal, `...` stands for axes that broadcast and, where the result leaves them out, are summed. Axes of
 * one letter must be equal or 1. Instead of an equation each operand may be followed by a list of axis numbers.
 * Three and more operands are contracted two at a time in the order that {@link einsumPath} tells.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { einsum } from '@bp/ops'
 * const m = tensor([[1, 2], [3, 4]])
 * einsum('ij,j->i', m, tensor([1, 10])) // => tensor([21, 43], float32)
 * einsum('ii', m) // => tensor(5, float32)
 * einsum(m, [0, 1], m, [0, 1], [0]) // => tensor([5, 25], float32)
 * ```
 */
export function einsum(equation: string, ...operands: Tensor[]): Tensor
export function einsum(...operandsAndSublists: (Tensor | Sublist)[]): Tensor
export function einsum(...args: (string | Tensor | Sublist)[]): Tensor {
  const xs = args.filter((arg): arg is Tensor => typeof arg !== 'string' && !isSublist(arg))
  const lists = args.filter(isSublist)
  if (xs.length === 0) fail('value', 'einsum', 'needs at least one operand')
  if (typeof args[0] !== 'string' && (lists.length < xs.length || lists.length > xs.length + 1)) fail('value', 'einsum', `${xs.length} operand(s) need a sublist each, and the result may have one more; got ${lists.length}`)
  const equation = typeof args[0] === 'string' ? args[0] : equationOf(lists.slice(0, xs.length), lists[xs.length])
  return contract('einsum', xs, parseEquation(equation, xs.map(x => x.shape)))
}

const isSublist = (arg: string | Tensor | Sublist): arg is Sublist => Array.isArray(arg)

/** What {@link einsumPath} tells. */
export interface EinsumPath extends ContractionOrder {
  /** Multiplications that summing all operands at once would take. */
  readonly direct: number
}

/**
 * The order in which {@link einsum} contracts operands of the given shapes, as NumPy's `einsum_path` writes it: each pair
 * of positions is taken out of the list of operands, and their product put at its end. Up to eight operands every order is
 * compared; beyond, the pair that shrinks the total size most comes first.
 *
 * @example
 * ```ts
 * import { einsumPath } from '@bp/ops'
 * const { path, multiplications, direct } = einsumPath('ij,jk,k->i', [100, 100], [100, 100], [100])
 * path // => [[1, 2], [0, 1]]
 * multiplications // => 20000
 * direct // => 1000000
 * ```
 */
export function einsumPath(equation: string, ...shapes: Shape[]): EinsumPath {
  const { operands, result } = parseEquation(equation, shapes)
  const sizes = labelSizes('einsum', operands, shapes)
  const own = operands.map((labels, i) => [...new Set(labels.filter((label, axis) => shapes[i]![axis] === sizes.get(label)))])
  const needed = own.map((labels, i) => labels.filter(label => result.includes(label) || own.some((others, j) => j !== i && others.includes(label))))
  return { ...contractionOrder(needed, result, sizes), direct: span(sizes.keys(), sizes) }
}

/**
 * Σ a·b over axes of both: the last n of a with the first n of b (2 unless given), or those listed, in pairs. The result has
 * the other axes of a, then those of b. Paired axes must be equal or 1.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { tensordot } from '@bp/ops'
 * tensordot(tensor([[1, 2], [3, 4]]), tensor([[1, 10], [100, 1000]]), [[0, 1], [1, 0]]) // => tensor(4231, float32)
 * ```
 */
export function tensordot(a: Tensor, b: Tensor, axes: number | readonly [readonly number[], readonly number[]] = 2): Tensor {
  const [left, right] = typeof axes === 'number' ? between(a, b, axes) : axes
  if (left.length !== right.length) fail('axis', 'tensordot', `axes come in pairs, got [${left.join(',')}] and [${right.join(',')}]`)
  const as = a.shape.map((_, i) => `a${i}`)
  const bs = b.shape.map((_, i) => `b${i}`)
  const [paired, partners] = [left.map(axis => normaliseAxis('tensordot', axis, a.rank)), right.map(axis => normaliseAxis('tensordot', axis, b.rank))]
  for (const list of [paired, partners]) if (new Set(list).size < list.length) fail('axis', 'tensordot', `an axis stands twice in [${list.join(',')}]. Each can be summed over once`)
  paired.forEach((axis, i) => {
    const [m, n] = [a.shape[axis]!, b.shape[partners[i]!]!]
    if (m !== n && m !== 1 && n !== 1) fail('shape', 'tensordot', `paired axes must be equal or 1, got ${m} and ${n} for axis ${axis} of ${describe(a)} and axis ${partners[i]!} of ${describe(b)}. Pair other axes`)
    bs[partners[i]!] = as[axis]!
  })
  return contract('tensordot', [a, b], { operands: [as, bs], result: [...as.filter((_, i) => !paired.includes(i)), ...bs.filter((_, i) => !partners.includes(i))] })
}

/** The last n axes of a and the first n of b. */
function between(a: Tensor, b: Tensor, n: number): [number[], number[]] {
  if (!Number.isInteger(n) || n < 0 || n > Math.min(a.rank, b.rank)) fail('axis', 'tensordot', `${n} axes of ${describe(a)} and ${describe(b)} cannot be summed over. Use 0 to ${Math.min(a.rank, b.rank)}`)
  return [Array.from({ length: n }, (_, i) => a.rank - n + i), Array.from({ length: n }, (_, i) => i)]
}

/**
 * yₖ = x₁ᵀ·W[k]·x₂ + bₖ over the last axes: x₁: [..., i], x₂: [..., j], w: [out, i, j], b: [out] → [..., out].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { bilinear } from '@bp/ops'
 * bilinear(tensor([1, 2]), tensor([3, 4]), tensor([[[1, 0], [0, 1]]])) // => tensor([11], float32)
 * ```
 */
export function bilinear(x1: Tensor, x2: Tensor, w: Tensor, b?: Tensor): Tensor {
  if (w.rank !== 3 || x1.shape.at(-1) !== w.shape[1] || x2.shape.at(-1) !== w.shape[2]) fail('shape', 'bilinear', `a weight ${describe(w)} must be [out, i, j] for inputs that end in i and j, got ${describe(x1)} and ${describe(x2)}`)
  const y = einsum('...i,kij,...j->...k', x1, w, x2)
  return b ? add(y, b) : y
}
