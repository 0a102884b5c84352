// Rows written as operators of other domains: a node each, and by default a function that says in ordinary operators what it does.

import { fail } from '@bp/core/extend'
import { encodeModel, type FunctionProto } from '../proto/proto.ts'
import { type AttributeValue, Builder } from './builder.ts'
import type { Emission } from './emit.ts'
import { printParams, type Twin } from './twin.ts'

/** How a row is written as an operator of another domain. */
export interface CustomOperatorExport {
  /** `acme`; anything but ONNX's own domain. */
  readonly domain: string
  /** The operator's name in the domain. */
  readonly operator: string
  /** The version of the domain; 1 unless given. */
  readonly version?: number
  /** The node's attributes, from the parameters of the op; none unless given. A number that is no float is wrapped as `float(x)`. */
  readonly attributes?: (params: never) => Readonly<Record<string, AttributeValue>>
  /** Whether the file says in a function what the operator does, so that any runtime can run it; true unless given. Needs a decomposition. */
  readonly body?: boolean
}

/** Rows by name, `acme/snake`, and what becomes of them. */
export type CustomOperators = Readonly<Record<string, CustomOperatorExport>>

/** Writes one op as a node of another domain; `body` traces what it is made of. */
export type CustomWriter = (b: Builder, e: Emission, how: CustomOperatorExport, body: (() => Twin) | null) => string[]

/** The functions and domains of a file under construction. */
export class CustomDomains {
  readonly functions: FunctionProto[] = []
  readonly versions = new Map<string, number>()
  private readonly bodies = new Map<string, string>()
  private readonly inline: (b: Builder, twin: Twin, inputs: readonly string[]) => string[]

  /** `inline` writes a program into a graph of its own. */
  constructor(inline: (b: Builder, twin: Twin, inputs: readonly string[]) => string[]) {
    this.inline = inline
  }

  readonly write: CustomWriter = (b, e, how, body) => {
    const { domain, operator, version = 1, attributes = () => ({}) } = how
    if (domain === '' || domain === 'ai.onnx') fail('value', 'exportOnnx', `${e.where} cannot be written into ONNX's own domain. Choose a domain of your own`)
    const before = this.versions.get(domain) ?? version
    if (before !== version) fail('value', 'exportOnnx', `the operators of ${domain} have the versions ${before} and ${version}; a file imports one version of a domain`)
    this.versions.set(domain, version)
    const settings = attributes(e.node.params[0] as never)
    const other = e.node.params.findIndex(params => printParams(attributes(params as never)) !== printParams(settings))
    if (other >= 0) fail('value', 'exportOnnx', `${e.where} has attributes that depend on an open dimension. Export at fixed sizes`)
    const name = how.body === false ? operator : this.function(b, e, how, Object.keys(settings), body)
    return b.addMany(name, e.inputs, e.ys.length, settings, domain)
  }

  /** The name under which the body stands in the file: the operator's; a further one is numbered where the body is another. */
  private function(outer: Builder, e: Emission, { domain, operator }: CustomOperatorExport, attribute: string[], body: (() => Twin) | null): string {
    if (!body) return fail('value', 'exportOnnx', `${e.where} has no decomposition to write as the body of ${domain}:${operator}. Give its row a decompose, or say body: false`)
    const b = new Builder(outer.opset, outer.dims.open)
    const inputs = e.xs.map((_, i) => b.claim(`x${i}`))
    const outputs = e.ys.map((_, i) => b.claim(e.ys.length === 1 ? 'y' : `y${i}`))
    b.rename(this.inline(b, body(), inputs), outputs)
    if (b.initialisers.length > 0) return fail('value', 'exportOnnx', `${e.where} reads variables, which the body of ${domain}:${operator} cannot. Pass them as operands, or say body: false`)
    const proto: FunctionProto = { domain, input: inputs, output: outputs, attribute, node: b.nodes, opsetImport: [{ domain: '', version: b.opset }] }
    const key = `${domain}:${operator}:${encodeModel({ functions: [proto] }).join()}`
    const known = this.bodies.get(key)
    if (known !== undefined) return known
    const count = this.functions.filter(({ domain: other, name }) => other === domain && (name === operator || name?.startsWith(`${operator}_`))).length
    const name = count === 0 ? operator : `${operator}_${count + 1}`
    this.functions.push({ name, ...proto })
    this.bodies.set(key, name)
    return name
  }
}
