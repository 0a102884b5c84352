// Batching: an interpreter in which a tensor stands for one entry of a batch, and ops work on all entries at once.

import { Aval } from './aval.ts'
import { reshape } from './axes.ts'
import { applyToBatch } from './batchRules.ts'
import { bindComposite } from './composite.ts'
import { record as recordCustom, seal } from './custom.ts'
import { fail } from './errors.ts'
import { type CustomRules, type Interpreter, runIn } from './interpreter.ts'
import { record } from './node.ts'
import type { AnyRow } from './row.ts'
import { describe } from './shape.ts'
import { Tensor, type Variable } from './tensor.ts'
import { broadcastTo, sumTo } from './vector.ts'

/** One entry's view of a tensor: where it is batched, `value` has the entries along its first axis. */
class Batched extends Tensor {
  readonly value: Tensor
  readonly batched: boolean
  readonly level: Batch

  constructor(value: Tensor, batched: boolean, level: Batch) {
    super(batched ? new Aval(value.shape.slice(1), value.dtype) : value.aval, null, value.backend)
    this.value = value
    this.batched = batched
    this.level = level
  }

  override parts(): readonly Tensor[] {
    return [this.value]
  }
}

/** The interpreter of one `vmap`. */
export class Batch implements Interpreter {
  recording: boolean
  readonly outer: Interpreter
  private readonly size: number

  constructor(outer: Interpreter, size: number) {
    this.outer = outer
    this.size = size
    this.recording = outer.recording
  }

  /** A tensor of this level: entries along the first axis, or the same for all. */
  enter(value: Tensor, batched: boolean): Tensor {
    return new Batched(value, batched, this)
  }

  /** The entries of a result along its first axis. */
  leave(y: Tensor): Tensor {
    const { value, batched } = this.own(y)
    return batched ? value : broadcastTo(reshape(value, [1, ...value.shape]), [this.size, ...value.shape])
  }

  bind(row: AnyRow, xs: Tensor[], params: unknown): Tensor | Tensor[] {
    if (!xs.some(x => x instanceof Batched && x.level === this)) return runIn(this.outer, () => this.outer.bind(row, xs, params))
    if (row.decompose !== null && row.diff.kind === 'composite') return bindComposite(this, row, xs, params, null)
    const own = xs.map(x => this.own(x))
    const values = own.map(({ value }) => value)
    const batched = own.map(x => x.batched)
    const any = batched.includes(true)
    const result = runIn(this.outer, () => this.wrap(any ? applyToBatch(row, values, batched, this.size, params) : this.outer.bind(row, values, params), any))
    if (this.recording) record(row, params, own, result)
    return result
  }

  lift(x: Tensor): Tensor {
    const { value, batched } = this.own(x)
    return new Batched(value, batched, this)
  }

  assign(variable: Variable, value: Tensor): void {
    const own = this.own(value)
    if (own.batched) fail('value', 'vmap', `a variable ${describe(variable)} was assigned a value that differs from entry to entry. Return the value instead, and assign it outside`)
    runIn(this.outer, () => { this.outer.assign(variable, own.value) })
  }

  read(variable: Variable): Tensor {
    return runIn(this.outer, () => this.outer.read(variable))
  }

  /** The values are sealed outside, by rules that run the given ones on all entries; here by those themselves. */
  seal(rules: CustomRules, xs: Tensor[], residuals: Tensor[], ys: Tensor[]): Tensor[] {
    const [operands, saved, results] = [xs, residuals, ys].map(list => list.map(x => this.own(x))) as [Batched[], Batched[], Batched[]]
    const values = (list: readonly Batched[]): Tensor[] => list.map(({ value }) => value)
    const { size } = this
    const outside: CustomRules = {
      name: rules.name,
      backward: rules.backward && ((kept, cts, want) => {
        const level = new Batch(this.outer, size)
        const entered = kept.map((x, i) => level.enter(x, saved[i]!.batched))
        const out = runIn(level, () => rules.backward!(entered, cts.map((ct, i) => level.enter(ct, results[i]!.batched)), want))
        // an operand that all entries share receives from each of them
        return out.map((dx, i) => dx && (operands[i]!.batched ? level.leave(dx) : reshape(sumTo(level.leave(dx), [1, ...dx.shape]), dx.shape)))
      }),
      pushforward: rules.pushforward && ((kept, ts) => {
        const level = new Batch(this.outer, size)
        const entered = kept.map((x, i) => level.enter(x, saved[i]!.batched))
        return runIn(level, () => rules.pushforward!(entered, ts.map((t, i) => level.enter(t, operands[i]!.batched)))).map((t, i) => results[i]!.batched ? level.leave(t) : level.own(t).value)
      }),
    }
    const sealed = runIn(this.outer, () => seal(outside, values(operands), values(saved), values(results)))
    const own = sealed.map((y, i) => new Batched(y, results[i]!.batched, this))
    recordCustom(rules, operands, saved, own)
    return own
  }

  /** A value as this level records it: what comes from outside is the same for all entries. */
  private own(x: Tensor): Batched {
    return x instanceof Batched && x.level === this ? x : new Batched(x, false, this)
  }

  private wrap(ys: Tensor | Tensor[], batched: boolean): Tensor | Tensor[] {
    return Array.isArray(ys) ? ys.map(y => new Batched(y, batched, this)) : new Batched(ys, batched, this)
  }
}
