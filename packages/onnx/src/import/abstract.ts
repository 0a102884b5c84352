// Runs a model on shapes alone: what each value is for inputs of given sizes, with nothing computed but small whole numbers.

import { BpError, noGrad, Tensor, Variable } from '@bp/core'
import { Aval, defaultBackend, flopsOfGraph, isFloat, sizeOf, trace } from '@bp/core/extend'
import { type ElementType, isNarrow, type NarrowType } from '../proto/elementType.ts'
import type { Context } from '../operators/operator.ts'
import { type Work, within } from './budget.ts'
import type { ModelNode } from './load.ts'
import { type Frame, type Results, Runner, type Step, type Values } from './run.ts'
import { Carried, elementTypeOf, Known, knownLimit, Optional, Sequence, StringTensor, Unknown, type Value } from './value.ts'

/** What is known of a value: its element type, and its sizes (`null`: depends on data). */
export interface Seen {
  readonly type: ElementType | null
  readonly sizes: readonly (number | null)[] | null
}

/** What a pass over the shapes has found. */
export interface Pass {
  /** Of every value by name, those inside nodes too. */
  readonly values: Map<string, Seen>
  /** Operations of every node that could be run on shapes. */
  readonly flops: Map<ModelNode, number>
}

type Recompute = Context['recompute']

/** Steps that a pass may take inside nodes; loops that would take more are not followed. */
const mostSteps = 4000

/** Axes longer than this are taken as unknown: operators that lay out weights by their sizes would take long. */
const longestAxis = 2 ** 20

/** What operators may lay out in a pass: more makes their results unknown. */
const work: Work = { entries: 2 ** 18, steps: Infinity, collected: Infinity }

/** A target shape that is not known may be of so many axes. */
const mostAxes = 64

/** Thrown where a loop has taken more steps than it may. */
class TooLong extends Error {}

/** A tensor without elements. */
export const blank = (type: Aval): Tensor => new Tensor(type, null, defaultBackend())

/** A tensor as a value of an element type that its dtype carries, or is. */
export const typedAs = (type: ElementType, x: Tensor): Tensor | Carried => isNarrow(type) ? new Carried(type, x) : x

/** A runner within a trace, where whole numbers are computed at once if they are few. */
export class TracingRunner extends Runner {
  protected override literally(run: () => Results): Results {
    const results = run()
    const small = results.every(value => !(value instanceof Tensor) || (value.size <= knownLimit && !isFloat(value.dtype)))
    return small ? super.literally(run) : results
  }
}

/** Runs steps on tensors without elements; see {@link Unknown} for what depends on data. */
class AbstractRunner extends TracingRunner {
  readonly pass: Pass = { values: new Map(), flops: new Map() }
  private left = mostSteps
  /** How many nodes the present one stands in. */
  private depth = 0
  override step(step: Step, values: Values, frame: Frame, recompute: Recompute): Results {
    const inputs = step.node.inputs.map(name => values.get(name))
    const rule = Object.hasOwn(rules, step.node.operator) ? rules[step.node.operator] : undefined
    const results = this.attempt(step, values, frame, recompute) ?? rule?.(step, inputs, values, this, frame) ?? []
    const made = step.node.outputs.map((_, i) => bounded(results[i] ?? new Unknown()))
    step.node.outputs.forEach((name, i) => { if (name !== '') this.pass.values.set(name, seen(made[i]!)) })
    return made
  }

  /** What a graph makes that may never run; `null` where it cannot run on these shapes, which is no contradiction then. */
  maybe(step: Step, attribute: string, values: Values, frame: Frame, feeds: Results = []): Results | null {
    const body = step.bodies.get(attribute)
    if (!body) return null
    try {
      return this.body(body, step.node, values, feeds, frame)
    } catch (error) {
      if (isContradiction(error)) return null
      throw error
    }
  }

  override body(...args: Parameters<Runner['body']>): Results {
    this.depth++
    try {
      this.take()
      return super.body(...args)
    } finally {
      this.depth--
    }
  }

  private take(): void {
    if (this.depth > 0 && this.left-- <= 0) throw new TooLong()
  }

  /** The results of running the operator on shapes; `null` where that needs what is unknown. */
  private attempt(step: Step, values: Values, frame: Frame, recompute: Recompute): Results | null {
    if (step.node.inputs.some(name => values.get(name) instanceof Unknown)) return null
    this.take()
    // a node with graphs inside may take half of what is left, so that the rest is there to look at one step of it
    const kept = step.bodies.size > 0 ? Math.ceil(this.left / 2) : 0
    this.left -= kept
    let results: Results = []
    try {
      const graph = trace(() => {
        results = noGrad(() => this.compute(step, values, frame, recompute)).map(value => value && emptied(value))
        return []
      }, [])
      this.pass.flops.set(step.node, (this.pass.flops.get(step.node) ?? 0) + flopsOfGraph(graph))
      return results
    } catch (error) {
      if (error instanceof TooLong && step.bodies.size === 0) throw error
      if (isContradiction(error)) throw error
      return null
    } finally {
      this.left += kept
    }
  }
}

const isContradiction = (error: unknown): boolean => error instanceof BpError && error.code === 'shape'

/** A value as it goes on: tensors that were traced lose what traced them. */
function emptied(value: Value): Value {
  if (value instanceof Carried) return new Carried(value.type, emptied(value.carrier) as Tensor | Known)
  if (value instanceof Sequence) return new Sequence(value.items.map(emptied))
  if (value instanceof Optional) return new Optional(value.value && emptied(value.value))
  return value instanceof Tensor && !(value instanceof Variable) ? blank(new Aval(value.shape, value.dtype)) : value
}

/** The value, unknown where an axis is too long to go on with. */
const bounded = (value: Value): Value =>
  (value instanceof Tensor || value instanceof Carried) && (value.shape.some(n => n > longestAxis) || !Number.isSafeInteger(sizeOf(value.shape))) ? new Unknown(elementTypeOf(value), value.shape) : value

function seen(value: Value): Seen {
  if (value instanceof Unknown) return { type: value.type, sizes: value.sizes }
  if (value instanceof Sequence || value instanceof Optional) return { type: null, sizes: null }
  return { type: elementTypeOf(value), sizes: value.shape }
}

/** What is so of both values. */
function meet(a: Value | undefined, b: Value | undefined): Value {
  if (!a || !b) return new Unknown()
  if (a instanceof Known && b instanceof Known && a.dtype === b.dtype && a.shape.join() === b.shape.join() && a.data.every((n: number | bigint, i: number) => n === b.data[i])) return a
  const [p, q] = [seen(a), seen(b)]
  const type = p.type === q.type ? p.type : null
  const sizes = p.sizes && q.sizes?.length === p.sizes.length ? p.sizes.map((n, i) => n === q.sizes![i] ? n : null) : null
  if (type === null || sizes === null || sizes.includes(null) || a instanceof Unknown || b instanceof Unknown || a instanceof StringTensor) return new Unknown(type, sizes)
  return a instanceof Carried ? new Carried(a.type, blank(a.aval)) : blank((a as Tensor | Known).aval)
}

/** What is known of the results of an operator that could not be run on shapes; `null`: nothing. */
type Rule = (step: Step, inputs: Results, values: Values, runner: AbstractRunner, frame: Frame) => Results | null

/** Both branches are looked at. One that cannot run on these shapes is not taken. */
const branches: Rule = (step, _inputs, values, runner, frame) => {
  const [then, otherwise] = ['then_branch', 'else_branch'].map(name => runner.maybe(step, name, values, frame))
  return then && otherwise ? step.node.outputs.map((_, i) => meet(then[i], otherwise[i])) : then ?? otherwise ?? null
}

/** One step is looked at, and a second where the first changes the shape of what is carried. */
const loop: Rule = (step, inputs, values, runner, frame) => {
  const carried = inputs.slice(2)
  const counter = [blank(new Aval([], 'int64')), blank(new Aval([], 'bool'))]
  const once = (state: Results): Results | null => runner.maybe(step, 'body', values, frame, [...counter, ...state])
  let state: Results = carried.map(value => value instanceof Known ? blank(value.aval) : value)
  let made = once(state)
  if (!made) return null
  const joined = state.map((value, i) => meet(value, made![1 + i]))
  if (joined.some(value => value instanceof Unknown)) made = once(state = joined) ?? []
  const collected = made.slice(1 + carried.length).map(value => {
    const { type, sizes } = value ? seen(value) : { type: null, sizes: null }
    return new Unknown(type, sizes && [null, ...sizes])
  })
  return [...state.map((value, i) => meet(value, made[1 + i])), ...collected]
}

const rules: Readonly<Record<string, Rule>> = {
  If: branches, Loop: loop,
  NonZero: (_step, [x]) => [new Unknown('int64', [x && !(x instanceof Unknown) ? x.shape.length : null, null])],
  NonMaxSuppression: () => [new Unknown('int64', [null, 3])],
  Reshape: (_step, [x, target]) => {
    const count = target && seen(target).sizes?.[0]
    return [new Unknown(x ? seen(x).type : null, count == null || count > mostAxes ? null : new Array<null>(count).fill(null))]
  },
}

/** What {@link abstractly} needs of a model. */
export interface Abstracted {
  readonly steps: readonly Step[]
  readonly variables: ReadonlyMap<string, Tensor>
  /** The element types of variables that are kept in a wider dtype. */
  readonly narrow: ReadonlyMap<string, NarrowType>
  readonly constants: ReadonlyMap<string, Value>
}

/**
 * Runs a model on inputs of which only the shapes count, in the mode that the file says. Throws a `shape` error that names the node where shapes
 * contradict each other; other errors, and what depends on data, make what follows unknown.
 */
export function abstractly({ steps, variables: kept, narrow, constants }: Abstracted, feeds: ReadonlyMap<string, Value>): Pass {
  const variables = new Map<string, Value>([...kept].map(([name, x]) => [name, typedAs(narrow.get(name) ?? x.dtype, x)]))
  const runner = new AbstractRunner(null, variables)
  const given: Values = new Map<string, Value | undefined>([...variables, ...constants, ...[...feeds].map(([name, value]) => [name, bounded(value)] as const)])
  for (const [name, value] of given) runner.pass.values.set(name, seen(value!))
  within(work, () => runner.run(steps, () => new Map(given)))
  return runner.pass
}
