// Collects the nodes, initialisers and constants of the graph being written, under names that never clash.

import type { DType, Shape, Tensor, TypedArray } from '@bp/core'
import { convert, fail, sizeOf } from '@bp/core/extend'
import { type AttributeProto, attributeType, type NodeProto, type TensorProto } from '../proto/proto.ts'
import { codeOf } from '../proto/elementType.ts'
import { writeTensor } from '../proto/tensor.ts'
import { Dimensions } from './dimensions.ts'
import { Origins } from './origins.ts'
import { isFixed, OpenDimensions, type Size } from './sizes.ts'

/** An attribute: a whole number or a text, a list of either, or a float where it is wrapped as such. */
export type AttributeValue = number | readonly number[] | string | readonly string[] | Float

/** Marks a number as a float attribute. */
export class Float {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

function attribute(name: string, value: AttributeValue): AttributeProto {
  if (value instanceof Float) return { name, type: attributeType('FLOAT'), f: value.value }
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
  if (typeof value === 'string') return { name, type: attributeType('STRING'), s: bytes(value) }
  if (typeof value === 'number') return { name, type: attributeType('INT'), i: value }
  return areTexts(value) ? { name, type: attributeType('STRINGS'), strings: value.map(bytes) } : { name, type: attributeType('INTS'), ints: [...value] }
}

const areTexts = (list: readonly number[] | readonly string[]): list is readonly string[] => typeof list[0] === 'string'

/** Each dtype with those whose every number it holds. */
const subsets: Readonly<Record<DType, readonly DType[]>> = {
  bool: ['bool'], uint8: ['bool', 'uint8'], int32: ['bool', 'uint8', 'int32'], int64: ['bool', 'uint8', 'int32', 'int64'],
  float16: ['bool', 'uint8', 'float16'], float32: ['bool', 'uint8', 'float16', 'float32'], float64: ['bool', 'uint8', 'int32', 'float16', 'float32', 'float64'],
}

/** Whether a dtype holds every number of another. */
const holds = (dtype: DType, other: DType): boolean => subsets[dtype].includes(other)

/** An end beyond any axis: the largest whole number that survives as a double. */
export const toTheEnd: number = Number.MAX_SAFE_INTEGER

/** The graph under construction. */
export class Builder {
  nodes: NodeProto[] = []
  readonly initialisers: TensorProto[] = []
  readonly opset: number
  readonly dims: Dimensions
  readonly origins = new Origins()
  private readonly made = new Map<string, readonly string[]>()
  private readonly makers = new Map<string, NodeProto>()
  private readonly casts = new Map<string, { readonly x: string; readonly from: DType }>()
  private readonly taken = new Set<string>()
  private readonly generated = new Set<string>()
  private readonly counts = new Map<string, number>()
  private readonly shared = new Map<string, string>()

  /** `sources` says on which axis of which input each open dimension is found. */
  constructor(opset: number, open: OpenDimensions = new OpenDimensions([]), sources: ReadonlyMap<string, { readonly name: string; readonly axis: number }> = new Map()) {
    this.opset = opset
    this.dims = new Dimensions(this, open, sources)
  }

  /** Reserves a name; throws where it is taken. */
  claim(name: string): string {
    if (this.taken.has(name)) fail('value', 'exportOnnx', `two values would have the name ${JSON.stringify(name)}. Rename an input, output or parameter`)
    this.taken.add(name)
    return name
  }

  /** A new name that begins with the given text. */
  fresh(base: string, after = ''): string {
    for (;;) {
      const n = this.counts.get(base) ?? 0
      this.counts.set(base, n + 1)
      const name = `${n === 0 ? base : `${base}_${n}`}${after}`
      if (this.taken.has(name)) continue
      this.generated.add(name)
      return this.claim(name)
    }
  }

  /** Adds a node with one output and returns its name. */
  add(operator: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    return this.addMany(operator, inputs, 1, attributes)[0]!
  }

  /** Adds a node with several outputs; what has been computed before is not computed again. */
  addMany(operator: string, inputs: readonly string[], outputs: number, attributes: Readonly<Record<string, AttributeValue>> = {}, domain = ''): string[] {
    const key = `${domain}:${operator}:${outputs}${JSON.stringify([inputs, attributes])}`
    const known = this.made.get(key)
    if (known) return [...known]
    const names = Array.from({ length: outputs }, () => this.fresh(`/${operator}`, '_output_0'))
    this.emit(operator, inputs, names, attributes, domain)
    this.made.set(key, names)
    return names
  }

  /** Adds a node whose outputs are already named. */
  emit(operator: string, inputs: readonly string[], outputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}, domain = ''): void {
    const node = { ...domain !== '' && { domain }, opType: operator, name: outputs[0]!.replace(/_output_0$/, ''), input: [...inputs], output: [...outputs], attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)) }
    this.nodes.push(node)
    for (const output of outputs) this.makers.set(output, node)
  }

  /** The operands of the node that makes a value, where it is of the operator named. */
  operandsOf(name: string, operator: string): readonly string[] | null {
    const node = this.makers.get(name)
    return node?.opType === operator ? node.input ?? [] : null
  }

  /** A constant, once for each value; named so that importers tell it from a parameter. */
  constant(dtype: DType, shape: Shape, data: TypedArray): string {
    const small = data.length <= 64
    const key = small ? `${dtype}[${shape.join(',')}]${Array.from<number | bigint, string>(data, x => Object.is(x, -0) ? '-0' : String(x)).join(',')}` : ''
    const known = small ? this.shared.get(key) : undefined
    if (known !== undefined) return known
    const name = this.fresh('/Constant', '_output_0')
    this.nodes.push({ opType: 'Constant', name: name.replace(/_output_0$/, ''), input: [], output: [name], attribute: [{ name: 'value', type: attributeType('TENSOR'), t: writeTensor('', { dtype, shape, data }) }] })
    if (small) this.shared.set(key, name)
    if (data.every((x: number | bigint) => x === 0 || x === 0n)) this.origins.zeros.add(name)
    return name
  }

  scalar(value: number, dtype: DType): string {
    return this.constant(dtype, [], convert([value], dtype))
  }

  /** A list of whole numbers as int64. */
  list(values: readonly number[]): string {
    return this.constant('int64', [values.length], convert(values, 'int64'))
  }

  /**
   * Gives results their names as outputs, by an Identity where a value is an output twice or no result of a node; drops what none
   * needs, puts constants before their first readers, and numbers everything anew.
   */
  rename(results: readonly string[], outputs: readonly string[]): void {
    const made = new Map(this.nodes.flatMap(node => (node.output ?? []).map(name => [name, node] as const)))
    const renamed = new Map<string, string>()
    results.forEach((name, i) => {
      if (made.has(name) && !renamed.has(name) && made.get(name)!.opType !== 'Constant') renamed.set(name, outputs[i]!)
      else this.emit('Identity', [renamed.get(name) ?? name], [outputs[i]!])
    })
    this.renameAll(renamed)
    this.sweep(outputs)
    this.settleConstants()
    for (const name of this.generated) this.taken.delete(name)
    this.counts.clear()
    this.renameAll(new Map(this.nodes.flatMap(node => (node.output ?? []).filter(name => this.generated.has(name) && name.startsWith('/')).map(name => [name, this.fresh(`/${node.opType}`, '_output_0')] as const))))
  }

  /** Puts each constant before its first reader. */
  private settleConstants(): void {
    const constants = new Map(this.nodes.flatMap(node => node.opType === 'Constant' ? [[node.output![0]!, node] as const] : []))
    this.nodes = this.nodes.filter(({ opType }) => opType !== 'Constant').flatMap(node => {
      const first = [...new Set(node.input)].flatMap(name => constants.get(name) ?? [])
      for (const constant of first) constants.delete(constant.output![0]!)
      return [...first, node]
    })
  }

  private renameAll(names: ReadonlyMap<string, string>): void {
    for (const node of this.nodes) {
      node.input = (node.input ?? []).map(name => names.get(name) ?? name)
      node.output = (node.output ?? []).map(name => names.get(name) ?? name)
      node.name = node.output[0]!.replace(/_output_0$/, '')
    }
  }

  /** Stores a tensor under a name. */
  initialise(name: string, value: Tensor): void {
    this.initialisers.push(writeTensor(name, { dtype: value.dtype, shape: value.shape, data: value.dataSync() }))
  }

  /** Drops the nodes that none of the outputs needs. */
  private sweep(outputs: readonly string[]): void {
    const needed = new Set(outputs)
    this.nodes = this.nodes.toReversed().filter(node => {
      if (!node.output?.some(name => needed.has(name))) return false
      for (const name of node.input ?? []) needed.add(name)
      return true
    }).reverse()
  }

  /** Cast from one dtype to another; of two casts, the first of which loses nothing, one is left at most. */
  cast(x: string, from: DType, to: DType): string {
    const before = this.casts.get(x)
    const [operand, of] = before && holds(from, before.from) ? [before.x, before.from] : [x, from]
    if (of === to) return operand
    const name = this.add('Cast', [operand], { to: codeOf(to) })
    this.casts.set(name, { x: operand, from: of })
    return name
  }

  /** A reduction, with its axes where the operator set has them. */
  reduce(operator: string, x: string, axes: readonly number[], keepDims: boolean): string {
    const inInput = operator === 'ReduceSum' || this.opset >= 18
    return inInput
      ? this.add(operator, [x, this.list(axes)], { keepdims: Number(keepDims) })
      : this.add(operator, [x], { axes, keepdims: Number(keepDims) })
  }

  /** A tensor of one value, given at all sample points. */
  fill(values: Size, dtype: DType, sizes: readonly Size[], where: string): string {
    const value = values[0]!
    const same = values.every(other => Object.is(value, other))
    const scalar = same ? this.scalar(value, dtype) : this.dims.number(values, dtype, where)
    if (sizes.length === 0) return scalar
    if (same && sizes.every(isFixed) && sizeOf(sizes.map(([n]) => n!)) <= 16) {
      const shape = sizes.map(([n]) => n!)
      return this.constant(dtype, shape, convert(new Array<number>(sizeOf(shape)).fill(value), dtype))
    }
    return this.add('Expand', [scalar, this.dims.list(sizes, where)])
  }
}
