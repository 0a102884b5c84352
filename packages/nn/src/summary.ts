// What a model is made of: its layers, their output shapes and parameters.

import type { DType, Shape, Tensor } from '@bp/core'
import { trace } from '@bp/core/extend'
import type { AnyModule, Module, Parameter } from './module.ts'

/** One layer of a {@link Summary}. */
export interface SummaryRow {
  /** The path of the layer's field. */
  readonly name: string
  /** Its class. */
  readonly type: string
  readonly outputShape: Shape
  /** Elements of its own parameters. */
  readonly parameters: number
}

/** A model's layers in the order in which they run. */
export interface Summary {
  readonly rows: readonly SummaryRow[]
  readonly totalParameters: number
  /** The layers as a table. */
  toString(): string
}

const count = (parameters: readonly Parameter[]): number => parameters.reduce((n, p) => n + p.size, 0)

/**
 * Lists the innermost layers of a model with the shapes they give for an input of the given shape. Nothing is computed:
 * the model is traced.
 *
 * @example
 * ```ts
 * import { Linear, ReLU, Sequential, summary } from '@bp/nn'
 * summary(new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2)), [1, 4]).totalParameters // => 58
 * ```
 */
export function summary(model: Module, inputShape: Shape, dtype: DType = 'float32'): Summary {
  const rows: SummaryRow[] = []
  const layers = model.namedModules().filter(([, module]) => module.namedModules().length === 1)
  const restore = layers.map(([name, module]) => watch(module, y => { rows.push({ name, type: module.constructor.name, outputShape: y.shape, parameters: count(module.parameters()) }) }))
  try {
    trace(x => model.forward(x), [{ shape: inputShape, dtype }])
  } finally {
    for (const undo of restore) undo()
  }
  const totalParameters = count(model.parameters())
  return { rows, totalParameters, toString: () => layerTable(rows, totalParameters) }
}

/** Reports each result of a module's forward; returns how to stop. */
export function watch(module: AnyModule, see: (y: Tensor) => void): () => void {
  const forward = module.forward.bind(module) as (...args: unknown[]) => unknown
  Object.defineProperty(module, 'forward', {
    configurable: true,
    value: (...args: unknown[]) => {
      const y = forward(...args)
      see(y as Tensor)
      return y
    },
  })
  return () => { Reflect.deleteProperty(module, 'forward') }
}

const layerTable = (rows: readonly SummaryRow[], total: number): string => table([
  ['layer', 'type', 'output', 'parameters'],
  ...rows.map(({ name, type, outputShape, parameters }) => [name, type, `[${outputShape.join(', ')}]`, parameters.toLocaleString('en')]),
  ['', '', 'total', total.toLocaleString('en')],
])

/** Lines up columns: text to the left, numbers to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => row[i]!.length)))
  const right = (text: string): boolean => /^[\d,.]+( B)?$/.test(text) || text === 'parameters' || text === 'predicted' || text === 'measured'
  return rows.map(row => row.map((text, i) => right(text) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)).join('  ').trimEnd()).join('\n')
}
