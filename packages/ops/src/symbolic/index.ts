// @bp/ops/symbolic: functions as formulas that are differentiated, simplified, printed, counted and drawn.

import { type DType, grad, type Shape, type Tensor } from '@bp/core'
import { fail, type Graph, runGraph, toDot, toMermaid, trace } from '@bp/core/extend'
import { type Expression, Expressions, partsOf } from './expression.ts'
import { print } from './print.ts'
import { simplify } from './simplify.ts'

/** A variable of a formula: its name, and its shape and dtype, a float32 scalar unless given. */
export type Argument = string | { readonly name: string; readonly shape?: Shape; readonly dtype?: DType }

/** How many symbols an expression has. */
export interface ExpressionSize {
  /** With equal parts written once and referred to: the graph that reverse mode walks. */
  readonly shared: number
  /** With everything written out: the formula of symbolic differentiation, which swells. */
  readonly unshared: number
}

/**
 * A function as a formula. Made by {@link symbolic}; `derivative` and `simplify` give new ones.
 */
export class Formula {
  /** The traced program that the formula was read from. */
  readonly graph: Graph
  private readonly names: readonly string[]
  private readonly make: Expressions
  private readonly expression: Expression

  constructor(graph: Graph, names: readonly string[], make = new Expressions(), expression = make.read(graph, names)) {
    this.graph = graph
    this.names = names
    this.make = make
    this.expression = expression
  }

  /**
   * The derivative by one variable, the first unless named: the backward pass traced as a graph of its own, so that it can be
   * differentiated again. The formula must be a scalar.
   *
   * @example
   * ```ts
   * import { add, mul } from '@bp/core'
   * import { symbolic } from '@bp/ops/symbolic'
   * const f = symbolic(x => add(mul(x, x), x), ['x'])
   * f.derivative().simplify() // => 2*x + 1
   * ```
   */
  derivative(by = this.names[0] ?? ''): Formula {
    const argnum = this.names.indexOf(by)
    if (argnum < 0) fail('value', 'derivative', `there is no variable ${by}. The formula has ${this.names.join(', ')}`)
    const f = (...xs: Tensor[]): Tensor => runGraph(this.graph, xs)[0]!
    return new Formula(trace((...xs) => grad(f, { argnum })(...xs), this.graph.inputs.map(({ aval }) => aval)), this.names)
  }

  /** The same formula with like terms gathered and numbers computed, by the laws of real numbers. */
  simplify(): Formula {
    return new Formula(this.graph, this.names, this.make, simplify(this.make, this.expression))
  }

  /** The value where the variables have the values given. */
  evaluate(values: Readonly<Record<string, Tensor>>): Tensor {
    return this.make.evaluate(this.expression, values)
  }

  /** How many symbols the formula has, with equal parts shared and without. */
  get size(): ExpressionSize {
    return { shared: partsOf(this.expression).length, unshared: this.expression.size }
  }

  /** The formula as people write it, `2*x + 1`. */
  toString(): string {
    return print(this.expression)
  }

  /** The program as a graph in Graphviz' DOT language. */
  toDot(): string {
    return toDot(this.graph, this.names)
  }

  /** The program as a Mermaid flowchart. */
  toMermaid(): string {
    return toMermaid(this.graph, this.names)
  }
}

/**
 * Traces a function to a formula of named variables.
 *
 * Symbolic differentiation gives exact derivatives as formulas, and its formulas swell: written out, a derivative repeats
 * every part of the function that it needs, and so does the derivative of that. Where equal parts are shared it does not
 * (Griewank & Walther 2008, "Evaluating Derivatives", §1); `size` counts both.
 *
 * @example
 * ```ts
 * import { mul } from '@bp/core'
 * import { sin } from '@bp/ops'
 * import { symbolic } from '@bp/ops/symbolic'
 * const f = symbolic((x, y) => mul(sin(mul(x, x)), y), ['x', 'y'])
 * f // => sin(x*x)*y
 * f.derivative('x').simplify() // => 2*x*y*cos(x^2)
 * f.derivative('y').simplify() // => sin(x^2)
 * ```
 */
export function symbolic(f: (...xs: Tensor[]) => Tensor, args: readonly Argument[]): Formula {
  const specs = args.map(arg => typeof arg === 'string' ? { name: arg } : arg)
  const graph = trace(f, specs.map(({ shape = [], dtype = 'float32' }: { shape?: Shape; dtype?: DType }) => ({ shape, dtype })))
  return new Formula(graph, specs.map(({ name }) => name))
}
