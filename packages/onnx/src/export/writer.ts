// Writes traced programs, and the decompositions and functions inside them, into a graph under construction.

import { noGrad, type Tensor, type Variable } from '@bp/core'
import { type AnyRow, bind, fail, type Id, isFloat, outside, sizeOf } from '@bp/core/extend'
import type { Builder } from './builder.ts'
import { compositeEmitters } from './composites.ts'
import type { CustomOperators, CustomWriter } from './custom.ts'
import type { Emission, Emitters } from './emit.ts'
import { Fuser } from './fuse.ts'
import { maps } from './maps.ts'
import { randomEmitters } from './random.ts'
import { recurrentEmitters } from './recurrent.ts'
import { openConstant, sameTensor } from './openConstant.ts'
import { isFixed } from './sizes.ts'
import { printParams, traceTwin, type Twin, type TwinAval, type TwinNode } from './twin.ts'
import { views } from './views.ts'

const emitters: Emitters = { ...maps, ...views, ...compositeEmitters, ...recurrentEmitters, ...randomEmitters }

/** How a {@link Writer} writes. */
export interface WriterOptions {
  /** What variables are called; those without a name get one. */
  readonly names: ReadonlyMap<Variable, string>
  /** Whether composites are written as one operator where ONNX has it; true unless given. */
  readonly composites?: boolean
  /** Rows written as operators of other domains. */
  readonly custom?: { readonly operators: CustomOperators; readonly write: CustomWriter }
}

/** Whole numbers that are known when a model is written are computed then, up to this many. */
const foldLimit = 1024

/** The results of an op on whole numbers that are known. */
function fold(twin: Twin, { row, params, inputs, outputs }: TwinNode, known: ReadonlyMap<Id, Tensor>): Tensor[] | null {
  const whole = outputs.every(id => {
    const { dtype, sizes } = twin.avals.get(id)!
    return !isFloat(dtype) && sizes.every(isFixed) && sizeOf(sizes.map(([n]) => n!)) <= foldLimit
  })
  if (!whole || !inputs.every(id => known.has(id)) || !sameParams(params)) return null
  return [outside(() => noGrad(() => bind(row, inputs.map(id => known.get(id)!), params[0]) as Tensor | Tensor[]))].flat()
}

const sameParams = (params: readonly unknown[]): boolean => params.every(p => p === params[0] || printParams(p) === printParams(params[0]))

/** Writes programs into one builder. */
export class Writer {
  private readonly b: Builder
  private readonly options: WriterOptions
  private readonly written = new Map<Variable, string>()

  constructor(b: Builder, options: WriterOptions) {
    this.b = b
    this.options = options
  }

  /** Writes the whole program and returns the names of its outputs. */
  write(twin: Twin, inputs: readonly string[], outputNames?: readonly string[]): string[] {
    if (outputNames && outputNames.length !== twin.outputs.length) fail('value', 'exportOnnx', `the model has ${twin.outputs.length} outputs, got ${outputNames.length} names for them`)
    const outputs = twin.outputs.map((_, i) => this.b.claim(outputNames?.[i] ?? (twin.outputs.length === 1 ? 'output' : `output_${i}`)))
    this.b.rename(this.inline(twin, inputs), outputs)
    return outputs
  }

  /** Writes the ops of a program on operands that have names, and returns the names of its results. Constants stand before their first reader. */
  inline(twin: Twin, inputs: readonly string[]): string[] {
    const values = new Map<Id, string>()
    const later = new Map<Id, () => string>()
    const known = new Map<Id, Tensor>()
    const set = (id: Id, name: string): void => {
      values.set(id, name)
      this.b.dims.learn(name, twin.avals.get(id)!.sizes)
    }
    const name = (id: Id): string => {
      const make = later.get(id)
      if (make && !values.has(id)) set(id, make())
      return values.get(id)!
    }
    const setKnown = (id: Id, values: readonly Tensor[]): void => {
      const [value] = values as [Tensor]
      const same = values.every(other => other === value || sameTensor(other, value))
      later.set(id, () => same ? this.b.constant(value.dtype, value.shape, value.dataSync()) : openConstant(this.b, values, twin.avals.get(id)!))
      if (same && !isFloat(value.dtype) && value.size <= foldLimit) known.set(id, value)
    }
    twin.inputs.forEach((id, i) => { set(id, inputs[i]!) })
    for (const { id, value } of twin.variables) set(id, this.variable(value))
    for (const { id, values } of twin.constants) setKnown(id, values)
    const fuser = new Fuser(twin, this.options.composites ?? true)
    const done = new Set<TwinNode>()
    twin.nodes.forEach((node, i) => {
      if (done.has(node)) return
      const folded = fold(twin, node, known)
      if (folded) {
        node.outputs.forEach((id, k) => { setKnown(id, [folded[k]!]) })
        return
      }
      const fusion = fuser.at(node, this.b)
      if (fusion) {
        for (const swallowed of fusion.swallowed) done.add(swallowed)
        set(fusion.output, fusion.emit(name))
        return
      }
      const write = (): string[] => this.node(twin, node, node.inputs.map(name), `${node.row.name} (op ${i + 1} of ${twin.nodes.length})`)
      if (node.row.fuse === 'source' && node.outputs.length === 1) {
        later.set(node.outputs[0]!, () => write()[0]!)
        return
      }
      const results = write()
      node.outputs.forEach((id, k) => { set(id, results[k]!) })
    })
    return twin.outputs.map(name)
  }

  /** The program that a row stands for. */
  decomposed({ row, params }: TwinNode, xs: readonly TwinAval[]): Twin {
    return traceTwin((ys, point) => row.decompose!(ys, params[point]), xs, this.b.dims.open.points, !sameParams(params))
  }

  private node(twin: Twin, node: TwinNode, inputs: readonly string[], where: string): string[] {
    const { row } = node
    const xs = node.inputs.map(id => twin.avals.get(id)!)
    const emission: Emission = { node, inputs, xs, ys: node.outputs.map(id => twin.avals.get(id)!), where }
    const { custom } = this.options
    if (custom && Object.hasOwn(custom.operators, row.name)) return custom.write(this.b, emission, custom.operators[row.name]!, row.decompose && (() => this.decomposed(node, xs)))
    const emitter = this.emitter(row)
    const result = emitter?.(this.b, emission) ?? null
    if (result !== null) return [result].flat()
    if (row.decompose === null) return fail('value', 'exportOnnx', `${where} has no counterpart in ONNX and no decomposition. Give its row a decompose in terms of ops that have one`)
    return this.inline(this.decomposed(node, xs), inputs)
  }

  private emitter(row: AnyRow): Emitters[string] | undefined {
    if (row.diff.kind === 'composite' && this.options.composites === false) return undefined
    return Object.hasOwn(emitters, row.name) ? emitters[row.name] : undefined
  }

  private variable(value: Variable): string {
    const known = this.written.get(value)
    if (known !== undefined) return known
    const given = this.options.names.get(value)
    const name = given === undefined ? this.b.fresh('parameter') : this.b.claim(given)
    this.b.initialise(name, value)
    this.written.set(value, name)
    return name
  }
}
