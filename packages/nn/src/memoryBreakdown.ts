// The memory that a training step holds: predicted from shapes, measured from what the backend has allocated, side by side.

import { autocast, checkpointSequential, enableGrad, gradients, tapeMemory, type Tensor } from '@bp/core'
import { provisionally } from '@bp/core/extend'
import { mean, narrow } from '@bp/ops'
import { Sequential } from './layers/containers.ts'
import type { Module, Parameter } from './module.ts'
import type { AnyOptimizer } from './optim/optimizer.ts'
import { bytesOf, type LayerMemory, predictTape } from './predictTape.ts'
import { table } from './summary.ts'

/** Options of {@link memoryBreakdown}. */
export interface MemoryOptions {
  /** What is differentiated, a scalar made of the model's output; its mean unless given. */
  readonly loss?: (output: Tensor) => Tensor
}

/** One line of a {@link MemoryBreakdown}. */
export interface MemoryRow {
  readonly what: string
  /** How it grows: P parameters, m batch, L layers, d their width, n inputs. */
  readonly formula: string
  /** By shapes alone. */
  readonly predictedBytes: number
  /** By the backend's own account of what is alive; `null` where the loss that was given fits the whole batch only. */
  readonly measuredBytes: number | null
}

/** What training holds in memory between the forward and the backward pass. */
export interface MemoryBreakdown {
  /** Parameters, gradients, optimiser states, activations, input, and their total. */
  readonly rows: readonly MemoryRow[]
  /**
   * What would be left of the activations under autocast (float16 copies of weights among them), by checkpointing (of a `Sequential`),
   * and in four micro-batches, whose gradients take another P to be added up.
   */
  readonly savings: readonly MemoryRow[]
  /** The activations layer by layer, in the order in which they run. */
  readonly layers: readonly LayerMemory[]
  toString(): string
}

const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/**
 * The memory of one training step, predicted and measured: parameters P, gradients P, states of the optimiser (2P for Adam),
 * activations m·L·d and input m·n.
 *
 * Activations are what the graph of the loss keeps for the backward pass. They are predicted from a trace of the model on shapes:
 * each op keeps what its derivative reads (a product its operands, relu its result, an addition nothing), a value that several ops
 * keep counts once, and views, parameters and the input cost nothing. They are measured by running the step: a forward and a
 * backward pass and, where the optimiser has no states yet, a step. Parameters, buffers, `.grad`, the optimiser and random
 * generators are afterwards as they were. This is a step op by op; what a compiled one takes up at once, `compile(step).bytes` tells.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Adam, Linear, memoryBreakdown, ReLU, Sequential } from '@bp/nn'
 * const model = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2))
 * const { rows } = memoryBreakdown(model, new Adam(model.parameters()), ones([16, 4]))
 * rows.map(({ what, predictedBytes, measuredBytes }) => `${what} ${predictedBytes} ${measuredBytes}`).slice(0, 4) // => [parameters 232 232, gradients 232 232, optimiser states 464 464, activations 520 520]
 * ```
 */
export function memoryBreakdown(model: Module, optimiser: AnyOptimizer, input: Tensor, { loss = mean }: MemoryOptions = {}): MemoryBreakdown {
  const step = (x: Tensor): Tensor => loss(model.forward(x))
  const layers = predictTape(model, step, input)
  const measured = measureStep(model, optimiser, step, input)
  const trained = model.parameters().filter(p => p.requiresGrad)
  const owned = total(optimiser.parameters().map(p => p.size))
  const elements = total(measured.states.map(({ size }) => size))
  const rows: MemoryRow[] = [
    { what: 'parameters', formula: 'P', predictedBytes: total(model.parameters().map(bytesOf)), measuredBytes: bytesAlive(model.parameters()) },
    { what: 'gradients', formula: 'P', predictedBytes: total(trained.map(bytesOf)), measuredBytes: measured.gradients },
    { what: 'optimiser states', formula: elements === 0 ? '0' : `${Number((elements / owned).toPrecision(2))}·P`, predictedBytes: total(measured.states.map(bytesOf)), measuredBytes: measured.stateBytes },
    { what: 'activations', formula: 'm·L·d', predictedBytes: total(layers.map(({ bytes }) => bytes)), measuredBytes: measured.activations },
    { what: 'input', formula: 'm·n', predictedBytes: bytesOf(input), measuredBytes: bytesAlive([input]) },
  ]
  rows.push({ what: 'total', formula: '', predictedBytes: total(rows.map(row => row.predictedBytes)), measuredBytes: total(rows.map(row => row.measuredBytes!)) })
  const savings = savingsOf(model, loss, input, loss === mean)
  return { rows, savings, layers, toString: () => print(rows, savings) }
}

/** What a step has allocated. */
interface Measured {
  readonly activations: number
  readonly gradients: number
  readonly states: readonly Tensor[]
  readonly stateBytes: number
}

/** Runs `f` for its results alone: variables keep what they hold, generators and optimisers do not count. */
const inVain = <R>(f: () => R): R => provisionally({ choose: () => null, held: () => false }, f)

const bytesAlive = (tensors: readonly Tensor[]): number => {
  const storages = new Map(tensors.flatMap(x => x.storage ? [[x.storage, x.backend] as const] : []))
  return total([...storages].map(([storage, backend]) => backend.bytes(storage)))
}

function tapeOf(model: Module, step: (x: Tensor) => Tensor, input: Tensor): { readonly y: Tensor; readonly bytes: number } {
  const y = inVain(() => enableGrad(() => step(input)))
  return { y, bytes: tapeMemory(y, [...model.stateDict().values(), input]).bytes }
}

function measureStep(model: Module, optimiser: AnyOptimizer, step: (x: Tensor) => Tensor, input: Tensor): Measured {
  const { y, bytes: activations } = tapeOf(model, step, input)
  const trained = model.parameters().filter(p => p.requiresGrad)
  const found = trained.length === 0 ? [] : gradients(y, trained)
  const grads = new Map(trained.map((p, i) => [p, found[i] ?? null]))
  return { activations, gradients: bytesAlive(found.filter(g => g !== null)), ...statesOf(optimiser, grads) }
}

/** The optimiser's states; where it has none, those that its first step makes, which are blank again afterwards. */
function statesOf(optimiser: AnyOptimizer, grads: ReadonlyMap<Parameter, Tensor | null>): Pick<Measured, 'states' | 'stateBytes'> {
  const now = (): Pick<Measured, 'states' | 'stateBytes'> => {
    const states = optimiser.stateVariables()
    return { states, stateBytes: bytesAlive(states) }
  }
  if (optimiser.stateVariables().length > 0) return now()
  const blank = optimiser.stateDict()
  const before = [...grads.keys()].map(p => [p, p.grad] as const)
  try {
    for (const [p, grad] of grads) p.grad = grad
    inVain(() => { optimiser.step() })
    return now()
  } finally {
    for (const [p, grad] of before) p.grad = grad
    optimiser.loadStateDict(blank)
  }
}

/** The activations that three remedies leave. */
function savingsOf(model: Module, loss: (output: Tensor) => Tensor, input: Tensor, anyBatch: boolean): MemoryRow[] {
  const row = (what: string, formula: string, step: (x: Tensor) => Tensor, x = input): MemoryRow =>
    ({ what, formula, predictedBytes: total(predictTape(model, step, x).map(({ bytes }) => bytes)), measuredBytes: tapeOf(model, step, x).bytes })
  const plain = (x: Tensor): Tensor => loss(model.forward(x))
  const rows = [row('under autocast', 'products in 2 bytes', x => autocast(() => plain(x)))]
  if (model instanceof Sequential && model.layers.length > 3) {
    const layers = model.layers.map(layer => (x: Tensor) => layer.forward(x))
    rows.push(row('checkpointed', '√L·m·d + one of √L parts', x => loss(checkpointSequential(layers, x))))
  }
  const m = input.shape[0] ?? 1
  const parts = Math.min(4, m)
  if (parts < 2) return rows
  const what = `in ${parts} micro-batches`
  const formula = `m·L·d/${parts}`
  if (anyBatch) return [...rows, row(what, formula, plain, narrow(input, 0, 0, Math.ceil(m / parts)))]
  const whole = total(predictTape(model, plain, input).map(({ bytes }) => bytes))
  return [...rows, { what, formula, predictedBytes: Math.round(whole * Math.ceil(m / parts) / m), measuredBytes: null }]
}

function print(rows: readonly MemoryRow[], savings: readonly MemoryRow[]): string {
  const cells = ({ what, formula, predictedBytes, measuredBytes }: MemoryRow): string[] => [what, formula, ...[predictedBytes, measuredBytes].map(n => n === null ? '' : `${n.toLocaleString('en')} B`)]
  return table([['memory', 'formula', 'predicted', 'measured'], ...rows.map(cells), ['activations left', '', '', ''], ...savings.map(cells).map(([what, ...rest]) => [`  ${what}`, ...rest])])
}
