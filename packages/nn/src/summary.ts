// What a model is made of: its layers, their output shapes and parameters, and the memory that training it takes.

import type { DType, Shape, Tensor } from '@bp/core'
import { tapeMemory } from '@bp/core'
import { bytesPerElement, sizeOf, trace } from '@bp/core/extend'
import type { Module} from './module.ts';
import { type AnyModule, type Parameter } from './module.ts'
import type { AnyOptimizer } from './optim/optimizer.ts'

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
function watch(module: AnyModule, see: (y: Tensor) => void): () => void {
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
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => row[i]!.length)))
  const right = (text: string): boolean => /^[\d,.]+( B)?$/.test(text) || text === 'parameters' || text === 'predicted' || text === 'measured'
  return rows.map(row => row.map((text, i) => right(text) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)).join('  ').trimEnd()).join('\n')
}

/** One line of a {@link MemoryBreakdown}. */
export interface MemoryRow {
  readonly what: string
  /** How it grows: P parameters, m batch, L layers, d their width, n inputs. */
  readonly formula: string
  readonly predictedBytes: number
  readonly measuredBytes: number
}

/** What training holds in memory at the end of a forward pass. */
export interface MemoryBreakdown {
  readonly rows: readonly MemoryRow[]
  toString(): string
}

/**
 * The memory of one training step, predicted by formula and measured from the storages themselves. Call it after a step, so
 * that gradients and optimiser states exist, with a fresh loss whose graph is still there.
 *
 * Activations are predicted as the outputs of all layers, m·Σ nˡ, and measured as what the graph of the loss keeps alive:
 * an op may save less than its output (relu in place of its input) or more (the indices of a pooling).
 */
export function memoryBreakdown(model: Module, optimiser: AnyOptimizer, loss: Tensor, input: Tensor): MemoryBreakdown {
  const parameters = model.parameters()
  const bytes = (tensors: readonly Tensor[]): number => tensors.reduce((n, x) => n + (x.storage ? x.backend.bytes(x.storage) : 0), 0)
  const size = parameters.reduce((n, p) => n + p.size * bytesPerElement(p.dtype), 0)
  const states = optimiser.stateVariables()
  const perParameter = parameters.length > 0 ? Math.round(states.reduce((n, s) => n + s.size, 0) / count(parameters)) : 0
  const layers = summary(model, input.shape, input.dtype).rows.reduce((n, row) => n + sizeOf(row.outputShape), 0)
  const grads = parameters.flatMap(p => p.grad ?? [])
  const rows: MemoryRow[] = [
    { what: 'parameters', formula: 'P', predictedBytes: size, measuredBytes: bytes(parameters) },
    { what: 'gradients', formula: 'P', predictedBytes: size, measuredBytes: bytes(grads) },
    { what: 'optimiser states', formula: `${perParameter}·P`, predictedBytes: perParameter * size, measuredBytes: bytes(states) },
    { what: 'activations', formula: 'm·L·d', predictedBytes: layers * bytesPerElement(input.dtype), measuredBytes: tapeMemory(loss, [...parameters, input]).bytes },
    { what: 'input', formula: 'm·n', predictedBytes: input.size * bytesPerElement(input.dtype), measuredBytes: bytes([input]) },
  ]
  const number = (n: number): string => `${n.toLocaleString('en')} B`
  return {
    rows,
    toString: () => table([['memory', 'formula', 'predicted', 'measured'], ...rows.map(row => [row.what, row.formula, number(row.predictedBytes), number(row.measuredBytes)])]),
  }
}
