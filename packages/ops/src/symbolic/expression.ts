// Expressions: a traced program as a formula, whose equal parts are one object.

import type { Tensor } from '@bp/core'
import type { Aval} from '@bp/core/extend';
import { type AnyRow, bindMany, broadcastToRow, describe, fail, fillRow, type Graph, sameShape } from '@bp/core/extend'

/** A formula: a variable, a number, or an op of formulas. Made by an {@link Expressions}, which makes equal ones one object. */
export interface Expression {
  readonly kind: 'variable' | 'number' | 'op'
  /** Shape and dtype of its value. */
  readonly aval: Aval
  /** The variable's name; empty in other kinds. */
  readonly name: string
  /** The number; NaN in other kinds. */
  readonly value: number
  /** The op; `null` in other kinds. */
  readonly row: AnyRow | null
  readonly params: unknown
  readonly args: readonly Expression[]
  /** The order in which it was made: operands before results. */
  readonly id: number
  /** How many symbols it is written with, where nothing is shared. */
  readonly size: number
}

/** Makes expressions; those that are equal are one. */
export class Expressions {
  private readonly known = new Map<string, Expression>()
  private readonly rows = new Map<AnyRow, number>()
  private readonly constants = new Map<string, Tensor>()

  /** A variable. */
  variable(name: string, aval: Aval): Expression {
    return this.intern(`v ${name} ${describe(aval)}`, { kind: 'variable', aval, name, value: NaN, row: null, params: undefined, args: [] })
  }

  /** A number, repeated over a shape. */
  number(value: number, aval: Aval): Expression {
    return this.intern(`n ${Object.is(value, -0) ? '-0' : value} ${describe(aval)}`, { kind: 'number', aval, name: '', value, row: null, params: undefined, args: [] })
  }

  /** An op of expressions. */
  op(row: AnyRow, args: readonly Expression[], params: unknown, aval: Aval): Expression {
    if (!this.rows.has(row)) this.rows.set(row, this.rows.size)
    return this.intern(`o ${this.rows.get(row)} ${JSON.stringify(params)} ${describe(aval)} ${args.map(({ id }) => id).join(' ')}`, { kind: 'op', aval, name: '', value: NaN, row, params, args })
  }

  /** The first output of a graph, its inputs named in order; tensors that it closed over become numbers, or variables c0, c1, …. */
  read(graph: Graph, names: readonly string[]): Expression {
    if (names.length !== graph.inputs.length) fail('value', 'symbolic', `the function takes ${graph.inputs.length} arguments, got ${names.length} names: ${names.join(', ')}. Give one for each`)
    const values = new Map<number, Expression>()
    graph.inputs.forEach(({ id, aval }, i) => values.set(id, this.variable(names[i]!, aval)))
    ;[...graph.constants, ...graph.variables].forEach(({ id, aval, value }, i) => {
      if (value.size === 1) values.set(id, this.number(value.item(), aval))
      else {
        values.set(id, this.variable(`c${i}`, aval))
        this.constants.set(`c${i}`, value)
      }
    })
    for (const { row, params, inputs, outputs, avals } of graph.nodes) {
      if (outputs.length !== 1) fail('value', 'symbolic', `${row.name} has ${outputs.length} results, and a formula one. Take a part of the function without it`)
      const args = inputs.map(id => values.get(id)!)
      const aval = avals[0]!
      values.set(outputs[0]!, row === (fillRow as AnyRow) ? this.number((params as { readonly value: number }).value, aval) : this.op(row, args, params, aval))
    }
    return values.get(graph.outputs[0]!)!
  }

  /** The value of an expression where its variables have values. Each shared part is computed once. */
  evaluate(expression: Expression, given: Readonly<Record<string, Tensor>>): Tensor {
    const like = Object.values(given)[0]?.backend
    const values = new Map<Expression, Tensor>()
    for (const part of partsOf(expression)) values.set(part, this.valueOf(part, given, values, like))
    const y = values.get(expression)!
    return sameShape(y.shape, expression.aval.shape) ? y : one(broadcastToRow, [y], { shape: expression.aval.shape })
  }

  private valueOf({ kind, name, value, row, params, args, aval }: Expression, given: Readonly<Record<string, Tensor>>, values: ReadonlyMap<Expression, Tensor>, backend: Tensor['backend'] | undefined): Tensor {
    if (kind === 'variable') return given[name] ?? this.constants.get(name) ?? fail('value', 'evaluate', `the variable ${name} has no value. Give { ${name}: tensor }`)
    if (kind === 'number') return one(fillRow, [], { value, shape: aval.shape, dtype: aval.dtype, ...backend && { backend } })
    return one(row!, args.map(arg => values.get(arg)!), params)
  }

  private intern(key: string, parts: Omit<Expression, 'id' | 'size'>): Expression {
    const known = this.known.get(key)
    if (known) return known
    const size = parts.args.reduce((sum, arg) => sum + arg.size, 1)
    const made: Expression = { ...parts, id: this.known.size, size }
    this.known.set(key, made)
    return made
  }
}

const one = (row: AnyRow, xs: Tensor[], params: unknown): Tensor => bindMany(row, xs, params) as unknown as Tensor

/** Every distinct part of an expression, operands before results, without recursion. */
export function partsOf(expression: Expression): Expression[] {
  const seen = new Set<Expression>([expression])
  const pending = [expression]
  for (let part = pending.pop(); part; part = pending.pop()) {
    for (const arg of part.args) {
      if (seen.has(arg)) continue
      seen.add(arg)
      pending.push(arg)
    }
  }
  return [...seen].sort((a, b) => a.id - b.id)
}
