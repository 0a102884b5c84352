// A node's attributes, read by name and type, with the default that the operator's documentation gives.

import { fail } from '@bp/core/extend'
import { type AttributeProto, type GraphProto, type Int64, toNumber } from '../proto/proto.ts'
import { type Literal, readStored, readTensor, type Stored } from '../proto/tensor.ts'

/* What an attribute holds is told by `type`; files from before IR version 2 leave it 0, so presence is by name alone. */
const typeNames = ['', 'FLOAT', 'INT', 'STRING', 'TENSOR', 'GRAPH', 'FLOATS', 'INTS', 'STRINGS', 'TENSORS', 'GRAPHS']

const text = (bytes: Uint8Array | null | undefined): string => new TextDecoder().decode(bytes ?? new Uint8Array())

/** The attributes of one node. Reading one under a wrong type is a `data` error that names the node. */
export class Attributes {
  private readonly byName: ReadonlyMap<string, AttributeProto>
  private readonly where: string

  constructor(list: readonly AttributeProto[], where: string) {
    this.byName = new Map(list.map(attribute => [attribute.name ?? '', attribute]))
    this.where = where
  }

  /** The names of all attributes given. */
  get names(): string[] {
    return [...this.byName.keys()]
  }

  has(name: string): boolean {
    return this.byName.has(name)
  }

  /** A whole number; `fallback` where it is not given. */
  int(name: string, fallback: number): number {
    const a = this.find(name, 2)
    return a ? toNumber(a.i as Int64) : fallback
  }

  float(name: string, fallback: number): number {
    const a = this.find(name, 1)
    return a ? a.f ?? 0 : fallback
  }

  string(name: string, fallback: string): string {
    const a = this.find(name, 3)
    return a ? text(a.s) : fallback
  }

  /** A list of whole numbers, or `null` where it is not given. */
  ints(name: string): number[] | null {
    return this.find(name, 7)?.ints?.map(n => toNumber(n as Int64)) ?? null
  }

  floats(name: string): number[] | null {
    const a = this.find(name, 6)
    return a ? [...a.floats ?? []] : null
  }

  strings(name: string): string[] | null {
    return this.find(name, 8)?.strings?.map(text) ?? null
  }

  /** A tensor of numbers, not yet on any backend. */
  tensor(name: string): Literal | null {
    const a = this.find(name, 4)
    return a?.t ? readTensor('importOnnx', a.t, `attribute ${name} of ${this.where}`) : null
  }

  /** A tensor of numbers or texts. */
  stored(name: string): Stored | null {
    const a = this.find(name, 4)
    return a?.t ? readStored('importOnnx', a.t, `attribute ${name} of ${this.where}`) : null
  }

  graph(name: string): GraphProto | null {
    return this.find(name, 5)?.g ?? null
  }

  private find(name: string, type: number): AttributeProto | undefined {
    const a = this.byName.get(name)
    const got: number = a?.type ?? 0
    if (got !== 0 && got !== type) fail('data', 'importOnnx', `attribute ${name} of ${this.where} is of type ${typeNames[got] ?? got}, not ${typeNames[type]!}. The file is damaged or of a newer version`)
    if (a?.refAttrName) fail('data', 'importOnnx', `attribute ${name} of ${this.where} refers to an attribute of a function, but the node is in no function. The file is damaged`)
    return a
  }
}
