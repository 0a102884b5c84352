// Forward mode: an interpreter that carries a tangent beside every value.

import { bindComposite } from './composite.ts'
import { pushforwardOf, record as recordCustom, seal } from './custom.ts'
import { alike } from './grad.ts'
import { current, type CustomRules, type Interpreter, runIn } from './interpreter.ts'
import { record } from './node.ts'
import { pullbackOf } from './pull.ts'
import type { AnyRow } from './row.ts'
import { jvpRule, vjpRule } from './rules.ts'
import { Tensor, type Variable } from './tensor.ts'
import { flatten, type Tree, unflatten } from './tree.ts'
import { full, zerosLike } from './vector.ts'

/** A value and its tangent, at one level of nesting; `null` is a tangent of zeros. */
class Dual extends Tensor {
  readonly primal: Tensor
  readonly tangent: Tensor | null
  readonly level: Jvp

  constructor(primal: Tensor, tangent: Tensor | null, level: Jvp) {
    super(primal.aval, null, primal.backend)
    this.primal = primal
    this.tangent = tangent
    this.level = level
  }

  override parts(): readonly Tensor[] {
    return this.tangent ? [this.primal, this.tangent] : [this.primal]
  }
}

class Jvp implements Interpreter {
  recording: boolean
  readonly outer: Interpreter

  constructor(outer: Interpreter) {
    this.outer = outer
    this.recording = outer.recording
  }

  primal(x: Tensor): Tensor {
    return x instanceof Dual && x.level === this ? x.primal : x
  }

  tangent(x: Tensor): Tensor | null {
    return x instanceof Dual && x.level === this ? x.tangent : null
  }

  bind(row: AnyRow, xs: Tensor[], params: unknown): Tensor | Tensor[] {
    if (!xs.some(x => x instanceof Dual && x.level === this)) return runIn(this.outer, () => this.outer.bind(row, xs, params))
    if (row.decompose !== null && (row.diff.kind === 'composite')) return bindComposite(this, row, xs, params, null)
    const primals = xs.map(x => this.primal(x))
    const ts = xs.map(x => this.tangent(x))
    const result = runIn(this.outer, () => {
      const ys = this.outer.bind(row, primals, params)
      const list = Array.isArray(ys) ? ys : [ys]
      const tangents = jvpRule(row, primals, list, params, ts, () => transposed(row, primals, list, params, ts))
      const duals = list.map((y, i) => new Dual(y, tangents[i] ?? null, this))
      return Array.isArray(ys) ? duals : duals[0]!
    })
    if (this.recording) record(row, params, xs.map(x => this.own(x)), result)
    return result
  }

  /** The values are sealed outside; their tangents are those of the rules. */
  seal(rules: CustomRules, xs: Tensor[], residuals: Tensor[], ys: Tensor[]): Tensor[] {
    const own = runIn(this.outer, () => {
      const operands = xs.map(x => this.primal(x))
      const saved = residuals.map(x => this.primal(x))
      const values = seal(rules, operands, saved, ys.map(y => this.primal(y)))
      const ts = xs.map(x => this.tangent(x))
      const tangents = ts.some(t => t !== null) ? pushforwardOf(rules, operands, saved, values, ts) : []
      return values.map((y, i) => new Dual(y, tangents[i] ?? null, this))
    })
    recordCustom(rules, xs.map(x => this.own(x)), residuals, own)
    return own
  }

  lift(x: Tensor): Tensor {
    return new Dual(this.primal(x), this.tangent(x), this)
  }

  assign(variable: Variable, value: Tensor): void {
    runIn(this.outer, () => { this.outer.assign(variable, this.primal(value)) })
  }

  read(variable: Variable): Tensor {
    return runIn(this.outer, () => this.outer.read(variable))
  }

  /** A value as this level records it: what comes from outside is recorded there, and constant here. */
  private own(x: Tensor): Tensor {
    return x instanceof Dual && x.level === this ? x : new Dual(x, null, this)
  }
}

/**
 * The pushforward of a custom op from its pullback: ct ↦ vjp(ct) is linear, so pulling the tangents back through it, at
 * any ct, gives the transpose of the transpose (Radul et al. 2022, "You Only Linearize Once").
 */
function transposed(row: AnyRow, xs: Tensor[], ys: Tensor[], params: unknown, ts: (Tensor | null)[]): Tensor[] {
  const want = ts.map(t => t !== null)
  const zero = ys.map(y => zerosLike(y))
  const pulled = pullbackOf(cts => {
    const out = vjpRule(row, xs, ys, params, cts, want, y => full(y.shape, 0, y.dtype, xs[0]?.backend))
    return out.filter((_, i) => want[i]).map((ct, i) => ct ?? zerosLike(xs.filter((_, j) => want[j])[i]!))
  }, zero)
  return pulled.pullback(ts.filter(t => t !== null))
}

/**
 * The value of `f` at `primals` and its derivative along `tangents`: J·t, at the cost of about two evaluations.
 *
 * @example
 * ```ts
 * import { tensor, mul, jvp } from '@bp/core'
 * const [y, dy] = jvp(x => mul(x, x), [tensor(3)], [tensor(1)])
 * y // => tensor(9, float32)
 * dy // => tensor(6, float32)
 * ```
 */
export function jvp<A extends readonly Tree[], R extends Tree>(f: (...args: A) => R, primals: readonly [...A], tangents: readonly [...A]): [R, R] {
  const xs = flatten('jvp', primals)
  const ts = flatten('jvp', tangents)
  xs.forEach((x, i) => { alike('jvp', 'tangent', ts[i]!, 'primal', x) })
  const level = new Jvp(current)
  const duals = xs.map((x, i) => new Dual(x, ts[i]!, level))
  const out = runIn(level, () => f(...unflatten(primals as unknown as A, duals)))
  const ys = flatten('jvp', out)
  return [
    unflatten(out, ys.map(y => level.primal(y))),
    unflatten(out, ys.map(y => level.tangent(y) ?? zerosLike(level.primal(y)))),
  ]
}
