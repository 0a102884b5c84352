// Simplifying: numbers are computed, sums and products gathered into like terms, by the laws of real numbers.

import { addRow, type AnyRow, Aval, broadcastToRow, isFloat, mulRow, sameShape, sumToRow } from '@bp/core/extend'
import { divRow, negRow, subRow } from '../rows/arithmetic.ts'
import { castRow, equalRow, lessEqualRow, lessRow, selectRow } from '../rows/compare.ts'
import { cosRow, sinRow } from '../rows/trigonometric.ts'
import { expRow, logRow, powRow, sqrtRow, tanhRow } from '../rows/exponential.ts'
import { reshapeRow } from '../rows/view.ts'
import { type Expression, type Expressions, partsOf } from './expression.ts'

/** Rewrites an op whose operands are simple already; nothing where it has no law. */
type Law = (e: Simplifier, args: readonly Expression[], part: Expression) => Expression | undefined

/** c₁·t₁ + c₂·t₂ + … + constant */
interface Sum {
  constant: number
  readonly terms: Map<Expression, number>
}

/** coefficient · b₁^n₁ · b₂^n₂ · … */
interface Product {
  coefficient: number
  readonly powers: Map<Expression, number>
}

const isNumber = (e: Expression | undefined, value?: number): e is Expression => e?.kind === 'number' && (value === undefined || e.value === value)

class Simplifier {
  readonly make: Expressions

  constructor(make: Expressions) {
    this.make = make
  }

  /** A number for an operand: it broadcasts. */
  number(value: number, like: Aval): Expression {
    return this.make.number(value, new Aval([], like.dtype))
  }

  /** An op of two, of the shape they broadcast to. */
  pair(row: AnyRow, a: Expression, b: Expression): Expression {
    return this.make.op(row, [a, b], undefined, row.infer!([a.aval, b.aval], undefined) as Aval)
  }

  /** The same values in a shape that they broadcast to. */
  fit(e: Expression, aval: Aval): Expression {
    if (e.kind === 'number') return this.make.number(e.value, aval)
    return sameShape(e.aval.shape, aval.shape) ? e : this.make.op(broadcastToRow, [e], { shape: aval.shape }, aval)
  }

  /** Adds factor·e to a sum, term by term. */
  gather(sum: Sum, e: Expression, factor: number): void {
    if (e.kind === 'number') sum.constant += factor * e.value
    else if (e.row === addRow) for (const arg of e.args) this.gather(sum, arg, factor)
    else if (e.row === mulRow && isNumber(e.args[0])) this.gather(sum, e.args[1]!, factor * e.args[0].value)
    else if (e.row === divRow && isNumber(e.args[0]) && e.args[0].value !== 1) this.gather(sum, this.pair(divRow, this.number(1, e.aval), e.args[1]!), factor * e.args[0].value)
    else sum.terms.set(e, (sum.terms.get(e) ?? 0) + factor)
  }

  sum(parts: readonly (readonly [Expression, number])[], aval: Aval): Expression {
    const sum: Sum = { constant: 0, terms: new Map() }
    for (const [e, factor] of parts) this.gather(sum, e, factor)
    const terms = [...sum.terms].filter(([, factor]) => factor !== 0).sort(([a], [b]) => b.size - a.size || a.id - b.id)
      .map(([e, factor]) => ({ factor, e: factor === 1 ? e : this.scaled(factor, e) }))
    if (sum.constant !== 0) terms.push({ factor: sum.constant, e: this.number(sum.constant, aval) })
    // a formula reads better when it does not begin with a minus
    const first = terms.findIndex(({ factor }) => factor > 0)
    if (first > 0) terms.unshift(...terms.splice(first, 1))
    const [head, ...rest] = terms.map(({ e }) => e)
    return this.fit(head ? rest.reduce((a, b) => this.pair(addRow, a, b), head) : this.number(0, aval), aval)
  }

  private scaled(factor: number, e: Expression): Expression {
    if (e.row === divRow && isNumber(e.args[0], 1)) return this.pair(divRow, this.number(factor, e.aval), e.args[1]!)
    return this.pair(mulRow, this.number(factor, e.aval), e)
  }

  /** Multiplies e^n into a product, factor by factor. */
  multiply(product: Product, e: Expression, n: number): void {
    const [a, b] = e.args
    if (e.kind === 'number') product.coefficient *= e.value ** n
    else if (e.row === mulRow && Number.isInteger(n)) for (const arg of e.args) this.multiply(product, arg, n)
    else if (e.row === divRow && Number.isInteger(n)) {
      this.multiply(product, a!, n)
      this.multiply(product, b!, -n)
    } else if (e.row === powRow && isNumber(b) && Number.isInteger(n)) this.multiply(product, a!, n * b.value)
    else product.powers.set(e, (product.powers.get(e) ?? 0) + n)
  }

  product(parts: readonly (readonly [Expression, number])[], aval: Aval): Expression {
    const product: Product = { coefficient: 1, powers: new Map() }
    for (const [e, n] of parts) this.multiply(product, e, n)
    if (product.coefficient === 0) return this.make.number(0, aval)
    const factors = [...product.powers].filter(([, n]) => n !== 0).sort(([a], [b]) => a.size - b.size || a.id - b.id)
    const power = ([e, n]: readonly [Expression, number]): Expression => n === 1 ? e : this.pair(powRow, e, this.number(n, aval))
    const times = (list: readonly Expression[]): Expression | undefined => list.length > 0 ? list.reduce((a, b) => this.pair(mulRow, a, b)) : undefined
    const above = times(factors.filter(([, n]) => n > 0).map(power))
    const below = times(factors.filter(([, n]) => n < 0).map(([e, n]) => power([e, -n])))
    const c = this.number(product.coefficient, aval)
    if (!above) return this.fit(below ? this.pair(divRow, c, below) : c, aval)
    const quotient = below ? this.pair(divRow, above, below) : above
    return this.fit(product.coefficient === 1 ? quotient : this.pair(mulRow, c, quotient), aval)
  }
}

const compare = (test: (a: number, b: number) => boolean): Law => (s, [a, b], { aval }) =>
  isNumber(a) && isNumber(b) ? s.make.number(Number(test(a.value, b.value)), aval) : undefined

/** f(x) = y at one point that formulas often come to. */
const known = (x: number, y: number): Law => (s, [a], { aval }) => isNumber(a, x) ? s.make.number(y, aval) : undefined

/** An op that changes the shape, or nothing. */
const shape: Law = (s, [a], { aval }) => sameShape(a!.aval.shape, aval.shape) ? a : undefined

const laws: ReadonlyMap<AnyRow, Law> = /* @__PURE__ */ new Map<AnyRow, Law>([
  [addRow, (s, [a, b], { aval }) => s.sum([[a!, 1], [b!, 1]], aval)],
  [subRow, (s, [a, b], { aval }) => s.sum([[a!, 1], [b!, -1]], aval)],
  [negRow, (s, [a], { aval }) => s.sum([[a!, -1]], aval)],
  [mulRow, (s, [a, b], { aval }) => s.product([[a!, 1], [b!, 1]], aval)],
  [divRow, (s, [a, b], { aval }) => isNumber(b, 0) ? undefined : s.product([[a!, 1], [b!, -1]], aval)],
  [powRow, (s, [a, b], { aval }) => isNumber(b) && !isNumber(a, 0) ? s.product([[a!, b.value]], aval) : undefined],
  [equalRow, compare((a, b) => a === b)],
  [lessRow, compare((a, b) => a < b)],
  [lessEqualRow, compare((a, b) => a <= b)],
  [selectRow, (s, [c, a, b], { aval }) => isNumber(c) ? s.fit(c.value !== 0 ? a! : b!, aval) : a === b ? s.fit(a!, aval) : undefined],
  [castRow, (s, [a], { aval }) => a!.aval.dtype === aval.dtype ? a : isNumber(a) && isFloat(aval.dtype) ? s.make.number(a.value, aval) : undefined],
  [broadcastToRow, (s, [a], { aval }) => isNumber(a) ? s.make.number(a.value, aval) : sameShape(a!.aval.shape, aval.shape) ? a : undefined],
  [sumToRow, shape], [reshapeRow, shape],
  [sinRow, known(0, 0)], [cosRow, known(0, 1)], [expRow, known(0, 1)], [logRow, known(1, 0)], [tanhRow, known(0, 0)], [sqrtRow, known(1, 1)],
])

const arithmetic: ReadonlySet<AnyRow> = /* @__PURE__ */ new Set<AnyRow>([addRow, subRow, negRow, mulRow, divRow, powRow])

/**
 * The expression with like terms and powers gathered, numbers computed and what does nothing left out. It holds for real
 * numbers: 0·x becomes 0 also where x may be infinite, and rounding may differ.
 */
export function simplify(make: Expressions, expression: Expression): Expression {
  const s = new Simplifier(make)
  const simple = new Map<Expression, Expression>()
  for (const part of partsOf(expression)) {
    if (part.kind !== 'op') {
      simple.set(part, part)
      continue
    }
    const args = part.args.map(arg => simple.get(arg)!)
    const law = isFloat(part.aval.dtype) || !arithmetic.has(part.row!) ? laws.get(part.row!) : undefined
    simple.set(part, law?.(s, args, part) ?? make.op(part.row!, args, part.params, part.aval))
  }
  return simple.get(expression)!
}
