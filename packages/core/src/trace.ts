// Tracing: an interpreter that writes ops down as a graph instead of running them.

import { Aval } from './aval.ts'
import { type Backend, defaultBackend } from './backend.ts'
import type { DType } from './dtype.ts'
import type { Graph, Guard, Id } from './graph.ts'
import { shapesOf } from './infer.ts'
import { current, type Interpreter, runIn, type Setting } from './interpreter.ts'
import { bindComposite } from './composite.ts'
import { type Node, record } from './node.ts'
import { disowned, forGood } from './ownership.ts'
import type { AnyRow } from './row.ts'
import type { Shape } from './shape.ts'
import { Tensor, Variable } from './tensor.ts'
import { flatten, type Tree } from './tree.ts'

/** A value of the traced program: a shape, a dtype, and the number by which the graph knows it. */
class Symbolic extends Tensor {
  readonly id: Id
  readonly trace: Trace

  constructor(aval: Aval, id: Id, trace: Trace, backend: Backend) {
    super(aval, null, backend)
    this.id = id
    this.trace = trace
  }
}

/** Whether an op is written down as what it is made of. */
export type Inlines = (row: AnyRow, xs: readonly Tensor[], params: unknown) => boolean

/** The number by which a graph that is being traced knows a tensor; `null` of one from outside. */
export const idOf = (x: Tensor): Id | null => x instanceof Symbolic ? x.id : null

class Trace implements Interpreter {
  recording = true
  readonly outer: Interpreter
  readonly nodes: Graph['nodes'] = []
  readonly constants = new Map<Tensor, Symbolic>()
  /** What each variable holds at this point of the program. */
  readonly assigned = new Map<Variable, Symbolic>()
  readonly lives: { readonly symbol: Symbolic; readonly read: () => number }[] = []
  readonly effects: (() => void)[] = []
  /** By what was read; `null` where the function had set it itself. */
  readonly guards = new Map<object, Guard | null>()
  /** Leaves whose `.grad` was set while tracing: what they hold then means nothing afterwards. */
  readonly grads = new Set<Node>()
  private fences = 0
  private readonly inlines: Inlines
  private next = 0

  constructor(outer: Interpreter, inlines: Inlines) {
    this.outer = outer
    this.inlines = inlines
  }

  fresh(aval: Aval, backend: Backend): Symbolic {
    return new Symbolic(aval, this.next++, this, backend)
  }

  bind(row: AnyRow, xs: Tensor[], params: unknown): Tensor | Tensor[] {
    const inputs = xs.map(x => this.symbol(x))
    if (row.decompose !== null && this.inlines(row, inputs, params)) return bindComposite(this, row, inputs, params, null)
    const backend = xs[0]?.backend ?? (params as { readonly backend?: Backend } | undefined)?.backend ?? defaultBackend()
    const out = shapesOf(row, inputs, params)
    const list = Array.isArray(out) ? out : [out]
    const ys = list.map(aval => this.fresh(aval, backend))
    const node = { row, params, inputs: inputs.map(x => x.id), outputs: ys.map(y => y.id), avals: list }
    this.nodes.push(this.fences === 0 ? node : { ...node, fence: this.fences })
    const result = Array.isArray(out) ? ys : ys[0]!
    if (this.recording) record(row, params, inputs, result)
    return result
  }

  lift(x: Tensor): Tensor {
    const { aval, id, backend } = this.symbol(x)
    return new Symbolic(aval, id, this, backend)
  }

  assign(variable: Variable, value: Tensor): void {
    this.symbol(variable)
    const { aval, id, backend } = this.symbol(value)
    // the variable's own leaf, whatever the value was made of
    const present = new Symbolic(aval, id, this, backend)
    present.node = variable.node
    present.slot = variable.slot
    this.assigned.set(variable, present)
  }

  read(variable: Variable): Tensor {
    return this.lift(variable)
  }

  live(read: () => number, dtype: DType): Tensor {
    const symbol = this.fresh(new Aval([], dtype), defaultBackend())
    this.lives.push({ symbol, read })
    return symbol
  }

  guard(owner: object, read: () => Setting, value: Setting): void {
    if (!this.guards.has(owner)) this.guards.set(owner, { read, value })
  }

  settled(owner: object): void {
    if (!this.guards.has(owner)) this.guards.set(owner, null)
  }

  fence(): void {
    this.fences++
  }

  effect(happen: () => void): void {
    this.effects.push(happen)
  }

  /** What stands in the graph for `x`: itself, a variable's present value, or a constant. */
  symbol(x: Tensor): Symbolic {
    if (x instanceof Symbolic && x.trace === this) return x
    const known = (x instanceof Variable ? this.assigned.get(x) : undefined) ?? this.constants.get(x)
    if (known) return known
    const symbol = this.fresh(x.aval, x.backend)
    symbol.node = x.node
    symbol.slot = x.slot
    this.constants.set(x, symbol)
    // the graph outlives any scope
    if (x.storage !== null) disowned(x.storage)
    return symbol
  }
}

/** The shape and dtype of an argument to trace with. */
export interface InputSpec {
  readonly shape: Shape
  readonly dtype: DType
}

/** Options of {@link trace}. */
export interface TraceOptions {
  /** Which ops with a decomposition are written down as that; none unless given. */
  readonly inlines?: Inlines
}

/**
 * Writes down what `f` does to arguments of the given shapes, as a graph. Tensors that `f` closes over become the graph's
 * constants, variables stay variables, and `assign` becomes an update at the graph's end. Composites stay whole,
 * unless `inlines` says otherwise.
 *
 * @example
 * ```ts
 * import { add, mul } from '@bp/core'
 * import { trace } from '@bp/core/extend'
 * const graph = trace(x => add(mul(x, x), x), [{ shape: [2], dtype: 'float32' }])
 * graph.nodes.map(node => node.row.name) // => [mul, add]
 * ```
 */
export function trace(f: (...xs: Tensor[]) => Tree, inputs: readonly InputSpec[], { inlines = () => false }: TraceOptions = {}): Graph {
  const level = new Trace(current, inlines)
  const xs = inputs.map(({ shape, dtype }) => level.fresh(new Aval(shape, dtype), defaultBackend()))
  let ys: Symbolic[]
  try {
    ys = forGood(() => flatten('trace', runIn(level, () => f(...xs))).map(y => level.symbol(y)))
  } finally {
    for (const leaf of level.grads) leaf.grad = null
  }
  const captured = [...level.constants].map(([value, { id, aval }]) => ({ id, aval, value }))
  return {
    inputs: xs.map(({ id, aval }) => ({ id, aval })),
    constants: captured.filter(({ value }) => !(value instanceof Variable)),
    variables: captured.filter((entry): entry is typeof entry & { value: Variable } => entry.value instanceof Variable),
    nodes: level.nodes,
    outputs: ys.map(y => y.id),
    updates: [...level.assigned].map(([variable, { id }]) => ({ variable, id })),
    live: level.lives.map(({ symbol: { id, aval }, read }) => ({ id, aval, read })),
    effects: level.effects,
    guards: [...level.guards.values()].flatMap(guard => guard ?? []),
  }
}
