// Collects the nodes, initialisers and constants of the graph being written, under names that never clash.

import type { DType, Shape, TypedArray } from '@bp/core'
import { convert, fail, sizeOf } from '@bp/core/extend'
import { type AttributeProto, attributeType, type NodeProto, type TensorProto } from '../proto/proto.ts'
import { codeOf } from '../proto/elementType.ts'
import { writeTensor } from '../proto/tensor.ts'
import { isFixed, type Size } from './twin.ts'

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

/** Where the batch size of a running model can be read: an input and its axis. */
export interface BatchSource {
  readonly name: string
  readonly batches: Size
}

/** An end beyond any axis: the largest whole number that survives as a double. */
export const toTheEnd: number = Number.MAX_SAFE_INTEGER

/** The graph under construction. */
export class Builder {
  nodes: NodeProto[] = []
  readonly initialisers: TensorProto[] = []
  readonly opset: number
  private readonly taken = new Set<string>()
  private readonly counts = new Map<string, number>()
  private readonly shared = new Map<string, string>()
  private readonly batch: BatchSource | null

  constructor(opset: number, batch: BatchSource | null) {
    this.opset = opset
    this.batch = batch
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
      if (!this.taken.has(name)) return this.claim(name)
    }
  }

  /** Adds a node with one output and returns its name. */
  add(operator: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    return this.addMany(operator, inputs, 1, attributes)[0]!
  }

  /** Adds a node with several outputs. */
  addMany(operator: string, inputs: readonly string[], outputs: number, attributes: Readonly<Record<string, AttributeValue>> = {}): string[] {
    const names = Array.from({ length: outputs }, () => this.fresh(`/${operator}`, '_output_0'))
    this.emit(operator, inputs, names, attributes)
    return names
  }

  /** Adds a node whose outputs are already named. */
  emit(operator: string, inputs: readonly string[], outputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): void {
    this.nodes.push({ opType: operator, name: outputs[0]!.replace(/_output_0$/, ''), input: [...inputs], output: [...outputs], attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)) })
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
    return name
  }

  scalar(value: number, dtype: DType): string {
    return this.constant(dtype, [], convert([value], dtype))
  }

  /** A list of whole numbers as int64. */
  list(values: readonly number[]): string {
    return this.constant('int64', [values.length], convert(values, 'int64'))
  }

  /** A shape as a value: a constant, or computed from the batch where it depends on that. */
  shape(sizes: readonly Size[], where: string): string {
    if (sizes.every(isFixed)) return this.list(sizes.map(([a]) => a))
    const groups: string[] = []
    let fixed: number[] = []
    const flush = (): void => {
      if (fixed.length > 0) groups.push(this.list(fixed))
      fixed = []
    }
    for (const size of sizes) {
      if (isFixed(size)) fixed.push(size[0])
      else {
        flush()
        groups.push(this.multiple(this.timesBatch(size, where)))
      }
    }
    flush()
    return groups.length === 1 ? groups[0]! : this.once(`shape:${groups.join()}`, () => this.add('Concat', groups, { axis: 0 }))
  }

  /** How many times the batch a size is; throws where it is no multiple. */
  timesBatch([a, b]: Size, where: string): number {
    const [n, m] = this.batch!.batches
    const times = a / n
    if (!Number.isInteger(times) || b !== times * m) fail('value', 'exportOnnx', `${where} has a size of ${a} at batch ${n} and of ${b} at batch ${m}, which is no multiple of the batch. Export without dynamicBatch`)
    return times
  }

  /** The batch size of the running model, times a number, as a list of one. */
  private multiple(times: number): string {
    const batch = this.once('batch', () => this.add('Slice', [this.add('Shape', [this.batch!.name]), this.list([0]), this.list([1])]))
    return times === 1 ? batch : this.once(`batch*${times}`, () => this.add('Mul', [batch, this.list([times])]))
  }

  /**
   * A number that is p at one batch size and q at the other, as a scalar computed from the batch: times·batch + plus.
   * Throws where it is not of that form, as far as two sizes can tell, in whole numbers.
   */
  ofBatch([p, q]: Size, dtype: DType, where: string): string {
    const [n, m] = this.batch!.batches
    const times = (q - p) / (m - n)
    const plus = p - times * n
    if (!Number.isInteger(times) || !Number.isInteger(plus)) fail('value', 'exportOnnx', `${where} uses a number that is ${p} at batch ${n} and ${q} at batch ${m}, which is no whole multiple of the batch. Export without dynamicBatch`)
    return this.once(`number:${times}:${plus}:${dtype}`, () => {
      const scaled = this.multiple(times)
      const moved = plus === 0 ? scaled : this.add('Add', [scaled, this.list([plus])])
      const scalar = this.add('Squeeze', [moved, this.list([0])])
      return dtype === 'int64' ? scalar : this.cast(scalar, dtype)
    })
  }

  private once(key: string, make: () => string): string {
    const known = this.shared.get(key)
    if (known !== undefined) return known
    const name = make()
    this.shared.set(key, name)
    return name
  }

  /** Drops the nodes that none of the outputs needs. */
  sweep(outputs: readonly string[]): void {
    const needed = new Set(outputs)
    this.nodes = this.nodes.toReversed().filter(node => {
      if (!node.output?.some(name => needed.has(name))) return false
      for (const name of node.input ?? []) needed.add(name)
      return true
    }).reverse()
  }

  /** Cast to a dtype. */
  cast(x: string, dtype: DType): string {
    return this.add('Cast', [x], { to: codeOf(dtype) })
  }

  /** A reduction, with its axes where the operator set has them. */
  reduce(operator: string, x: string, axes: readonly number[], keepDims: boolean): string {
    const inInput = operator === 'ReduceSum' || this.opset >= 18
    return inInput
      ? this.add(operator, [x, this.list(axes)], { keepdims: Number(keepDims) })
      : this.add(operator, [x], { axes, keepdims: Number(keepDims) })
  }

  /** A tensor of one value, given at both batch sizes. */
  fill(values: Size, dtype: DType, sizes: readonly Size[], where: string): string {
    const value = values[0]
    const same = Object.is(value, values[1])
    const scalar = same ? this.scalar(value, dtype) : this.ofBatch(values, dtype, where)
    if (sizes.length === 0) return scalar
    if (same && sizes.every(isFixed) && sizeOf(sizes.map(([a]) => a)) <= 16) {
      const shape = sizes.map(([a]) => a)
      return this.constant(dtype, shape, convert(new Array<number>(sizeOf(shape)).fill(value), dtype))
    }
    return this.add('Expand', [scalar, this.shape(sizes, where)])
  }
}
