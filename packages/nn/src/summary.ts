// What a model is made of: its layers, their output shapes and parameters.

import { type DType, type Shape, Tensor } from '@bp/core'
import { bytesPerElement, flopsOfGraph, type Graph, type InputSpec, trace } from '@bp/core/extend'
import type { AnyModule, Parameter } from './module.ts'

/** One layer of a {@link Summary}. */
export interface SummaryRow {
  /** The path of the layer's field. */
  readonly name: string
  /** Its class. */
  readonly type: string
  /** Of its first result; `null` where the layer did not run. */
  readonly outputShape: Shape | null
  /** Elements of its own parameters that no row before has counted: a layer that runs twice counts once. */
  readonly parameters: number
}

/** A model's layers in the order in which they run. */
export interface Summary {
  readonly rows: readonly SummaryRow[]
  readonly totalParameters: number
  /** Elements of the parameters that are not frozen. */
  readonly trainableParameters: number
  /** Bytes of all parameters and buffers. */
  readonly bytes: number
  /** Operations of one forward pass: multiplications and additions of products and convolutions, one an element for other ops. */
  readonly flops: number
  /** The layers as a table. */
  toString(): string
}

const count = (parameters: readonly Parameter[]): number => parameters.reduce((n, p) => n + p.size, 0)

/**
 * Lists the layers of a model with the shapes they give for inputs of the given shapes: the innermost modules, and others that
 * have parameters of their own. Nothing is computed: the model is traced. Layers that did not run come last.
 *
 * @example
 * ```ts
 * import { Embedding, Linear, ReLU, Sequential, summary } from '@bp/nn'
 * summary(new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2)), [1, 4]).totalParameters // => 58
 * summary(new Embedding(10, 4), [{ shape: [2, 3], dtype: 'int32' }]).rows[0]!.outputShape // => [2, 3, 4]
 * ```
 */
export function summary(model: AnyModule, inputs: Shape | readonly InputSpec[], dtype: DType = 'float32'): Summary {
  const specs = inputs.every(size => typeof size === 'number') ? [{ shape: inputs, dtype }] : inputs
  const rows: SummaryRow[] = []
  const counted = new Set<Parameter>()
  const note = (name: string, module: AnyModule, outputShape: Shape | null): void => {
    const own = ownParameters(module).filter(p => !counted.has(p))
    own.forEach(p => counted.add(p))
    rows.push({ name, type: module.constructor.name, outputShape, parameters: count(own) })
  }
  const layers = model.namedModules().filter(([, module]) => module.children().length === 0 || ownParameters(module).length > 0)
  const idle = new Set(layers.map(([, module]) => module))
  const restore = layers.map(([name, module]) => watch(module, ys => {
    idle.delete(module)
    note(name, module, tensorsIn(ys)[0]?.shape ?? null)
  }))
  const graph = tracing(model, specs, restore)
  for (const [name, module] of layers) if (idle.has(module)) note(name, module, null)
  const parameters = model.parameters()
  const bytes = [...parameters, ...model.buffers()].reduce((n, p) => n + p.size * bytesPerElement(p.dtype), 0)
  const totals = { totalParameters: count(parameters), trainableParameters: count(parameters.filter(p => p.requiresGrad)), bytes, flops: flopsOfGraph(graph) }
  return { rows, ...totals, toString: () => layerTable(rows, totals) }
}

function tracing(model: AnyModule, specs: readonly InputSpec[], restore: readonly (() => void)[]): Graph {
  try {
    return trace((...xs) => tensorsIn(model.forward(...xs as never)), specs)
  } finally {
    for (const undo of restore) undo()
  }
}

/** The tensors in a result, however nested. */
export const tensorsIn = (result: unknown): Tensor[] =>
  result instanceof Tensor ? [result] : typeof result === 'object' && result !== null ? Object.values(result).flatMap(tensorsIn) : []

/** The parameters in a module's fields that are not in a module below it. */
function ownParameters(module: AnyModule): Parameter[] {
  const below = new Set(module.children().flatMap(child => child.parameters()))
  return module.parameters().filter(p => !below.has(p))
}

/** Reports each result of a module's forward; returns how to stop. */
export function watch(module: AnyModule, see: (ys: unknown) => void): () => void {
  const forward = module.forward.bind(module) as (...args: unknown[]) => unknown
  Object.defineProperty(module, 'forward', {
    configurable: true,
    value: (...args: unknown[]) => {
      const ys = forward(...args)
      see(ys)
      return ys
    },
  })
  return () => { Reflect.deleteProperty(module, 'forward') }
}

const grouped = (n: number): string => n.toLocaleString('en')

function layerTable(rows: readonly SummaryRow[], { totalParameters, trainableParameters, bytes, flops }: Omit<Summary, 'rows' | 'toString'>): string {
  const frozen = totalParameters - trainableParameters
  return table([
    ['layer', 'type', 'output', 'parameters'],
    ...rows.map(({ name, type, outputShape, parameters }) => [name, type, outputShape ? `[${outputShape.join(', ')}]` : 'did not run', grouped(parameters)]),
    ['', '', 'total', grouped(totalParameters)],
    ...frozen > 0 ? [['', '', 'trainable', grouped(trainableParameters)], ['', '', 'frozen', grouped(frozen)]] : [],
    ['', '', 'bytes', grouped(bytes)],
    ['', '', 'operations', grouped(flops)],
  ])
}

/** Lines up columns: text to the left, numbers to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => row[i]!.length)))
  const right = (text: string): boolean => /^[\d,.]+( B)?$/.test(text) || text === 'parameters' || text === 'predicted' || text === 'measured'
  return rows.map(row => row.map((text, i) => right(text) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)).join('  ').trimEnd()).join('\n')
}
