// The element type and shape of every value of a model, in terms of the open sizes of its inputs.

import { BpError } from '@bp/core'
import { Aval, bytesPerElement, fail, sizeOf } from '@bp/core/extend'
import { Parameter } from '@bp/nn'
import { carrierOf, type ElementType, elementType } from '../proto/elementType.ts'
import { abstractly, blank, typedAs, type Pass, type Seen } from './abstract.ts'
import type { Declared, ModelNode } from './load.ts'
import { type ModelParts, OnnxModule } from './module.ts'
import type { Step } from './run.ts'
import { formula, type Point, familiesOf } from './sizes.ts'
import { Unknown, type Value } from './value.ts'

/** What is known of a value without running the model. */
export interface ValueShape {
  /** `null` where it is unknown, and of lists. */
  readonly type: ElementType | null
  /**
   * Each size as a number, a formula in the open sizes of the inputs such as `batch` or `floor((width + 1)/2)`, or `?` where it depends on data
   * or on the open sizes in another way; `null` where even the number of axes is unknown.
   */
  readonly shape: readonly (number | string)[] | null
}

/** A node with what goes in and comes out. */
export interface NodeShapes {
  readonly node: ModelNode
  /** By input; `null` for one left out. */
  readonly inputs: readonly (ValueShape | null)[]
  readonly outputs: readonly (ValueShape | null)[]
  /** Elements of the parameters that no node before reads. */
  readonly parameters: number
  /** Operations at the sizes of {@link InferredShapes.at}, of all steps of a loop; `null` where they depend on data. */
  readonly flops: number | null
  /** Bytes of the outputs at those sizes; `null` where they depend on data. */
  readonly bytes: number | null
}

/** What `inferShapes` finds. */
export interface InferredShapes {
  /** Every value by name, those inside nodes too. */
  readonly values: ReadonlyMap<string, ValueShape>
  /** Every node but constants, each followed by those inside it. */
  readonly nodes: readonly NodeShapes[]
  /** The open sizes for which operations and bytes are given. */
  readonly at: Readonly<Record<string, number>>
  /** Open sizes that the model needs to be equal though the file gives them several names; shapes are given in the second of each. */
  readonly equal: readonly (readonly [name: string, other: string])[]
  /** Where what the file says of inner values contradicts what they are; runtimes ignore it. */
  readonly contradictions: readonly string[]
}

/** What `inferShapes` does, to a model that has been prepared; see there. */
export function shapesOf(model: OnnxModule, dims: Readonly<Record<string, number>> = {}): InferredShapes {
  const parts = OnnxModule.partsOf(model)
  const open = openSizes(parts)
  const unknown = Object.keys(dims).find(name => !open.includes(name))
  if (unknown !== undefined) fail('value', 'inferShapes', `no input has an open size named ${unknown}; open are ${open.join(', ') || 'none'}. Use the names in the shapes of model.inputs`)
  const equal = equalitiesOf(parts, open.filter(name => !Object.hasOwn(dims, name)), dims)
  const inner = open.filter(name => !Object.hasOwn(dims, name) && !equal.has(name))
  const { kept, passes } = passesAt(parts, inner, familiesFor(inner, dims, equal))
  const varying = kept.map(point => Object.fromEntries(inner.map(name => [name, point[name]!])))
  const values = new Map([...passes[0]!.values.keys()].map(name => [name, joined(varying, passes.map(pass => pass.values.get(name) ?? nothing))]))
  for (const { name } of checkable(parts)) checkOutput(name, values.get(name), parts.declared.get(name))
  return { values, nodes: nodesOf(parts, values, passes[0]!), at: kept[0]!, equal: [...equal], contradictions: contradictionsOf(parts, values) }
}

/** Checks a model that leaves no size open; see `inferShapes`. */
export function checkShapes(model: OnnxModule): void {
  const parts = OnnxModule.partsOf(model)
  if (!parts.inputs.every(({ name }) => parts.declared.get(name)?.sizes?.every(size => typeof size === 'number'))) return
  const pass = abstractly(parts, feedsAt(parts, {}))
  for (const { name } of checkable(parts)) checkOutput(name, pass.values.has(name) ? joined([{}], [pass.values.get(name)!]) : undefined, parts.declared.get(name))
}

const nothing: Seen = { type: null, sizes: null }

/** The names of the sizes that the inputs leave open. */
const openSizes = ({ inputs }: ModelParts): string[] => [...new Set(inputs.flatMap(({ shape }) => shape?.filter(size => typeof size === 'string') ?? []))]

/** Inputs without elements; of those of which the file says no shape, of strings and of lists nothing is known. */
const feedsAt = ({ inputs }: ModelParts, point: Point): Map<string, Value> => new Map(inputs.map(({ name, kind, type, dtype, shape }): [string, Value] => {
  if (kind !== 'tensor') return [name, new Unknown()]
  const sizes = shape?.map(size => typeof size === 'number' ? size : point[size]!) ?? null
  if (sizes === null || type === 'string') return [name, new Unknown(type, sizes)]
  return [name, typedAs(type ?? dtype, blank(new Aval(sizes, dtype)))]
}))

/** A pass at a point, or the error that says why the sizes do not fit the model. */
function passAt(parts: ModelParts, point: Point): Pass | BpError {
  try {
    return abstractly(parts, feedsAt(parts, point))
  } catch (error) {
    if (error instanceof BpError) return error
    throw error
  }
}

/** How many values a pass tells. */
const told = (pass: Pass | BpError): number => pass instanceof BpError ? -1 : [...pass.values.values()].filter(({ sizes }) => sizes && !sizes.includes(null)).length

/**
 * Looks at a model for the sizes of the family whose first tells most, and keeps those that tell as much. Throws the first error where no
 * sizes fit.
 */
function passesAt(parts: ModelParts, open: readonly string[], families: readonly (readonly Point[])[]): { readonly kept: readonly Point[]; readonly passes: readonly Pass[] } {
  const firsts = families.map(([point]) => passAt(parts, point!))
  const scores = firsts.map(told)
  const best = scores.indexOf(Math.max(...scores))
  const first = firsts[best]!
  if (first instanceof BpError) {
    const sizes = open.map(name => `${name} = ${families[best]![0]![name]!}`)
    throw new BpError(first.code, 'inferShapes', `${first.message}${sizes.length > 0 ? `, for ${sizes.join(', ')} and for other sizes. If the model fits some sizes alone, give them as { dims }` : ''}`, { cause: first })
  }
  const kept = families[best]!.slice(1).flatMap(point => {
    const pass = passAt(parts, point)
    return pass instanceof BpError || told(pass) < scores[best]! ? [] : [[point, pass] as const]
  })
  return { kept: [families[best]![0]!, ...kept.map(([point]) => point)], passes: [first, ...kept.map(([, pass]) => pass)] }
}

/** Families of points in which sizes are as given, or equal to others. */
const familiesFor = (open: readonly string[], dims: Point, equal: ReadonlyMap<string, string>): Point[][] =>
  familiesOf(open).map(family => family.map(point => ({ ...point, ...dims, ...Object.fromEntries([...equal].map(([name, other]) => [name, point[other]!])) })))

/** With more open sizes than this, none are tried as equal. */
const mostPaired = 6

/**
 * Which open sizes must equal others, where sizes that all differ do not tell the outputs: pairs are tried, and kept where they
 * tell more. Exporters that name no sizes leave the batch of every input open on its own.
 */
function equalitiesOf(parts: ModelParts, open: readonly string[], dims: Point): Map<string, string> {
  const equal = new Map<string, string>()
  const firsts = (pairs: ReadonlyMap<string, string>): (Pass | BpError)[] => familiesFor(open.filter(name => !pairs.has(name)), dims, pairs).map(([point]) => passAt(parts, point!))
  const tells = (pass: Pass | BpError): boolean => !(pass instanceof BpError) && parts.outputs.every(({ name }) => pass.values.get(name)?.sizes)
  const score = (passes: readonly (Pass | BpError)[]): number => Math.max(...passes.map(told))
  let best = firsts(equal)
  if (open.length > mostPaired) return equal
  for (const [i, other] of open.entries()) for (const name of open.slice(i + 1)) {
    if (best.some(tells) || equal.has(name) || equal.has(other)) continue
    const tried = firsts(new Map([...equal, [name, other]]))
    if (score(tried) <= score(best)) continue
    best = tried
    equal.set(name, other)
  }
  return equal
}

/** What a value is, from what it is at several points. */
function joined(points: readonly Point[], seen: readonly Seen[]): ValueShape {
  const [{ type, sizes }] = seen as [Seen]
  const alike = sizes !== null && seen.every(other => other.sizes?.length === sizes.length)
  return { type: seen.every(other => other.type === type) ? type : null, shape: alike ? sizes.map((_, axis) => formula(points, seen.map(other => other.sizes![axis]!))) : null }
}

const differs = (shape: readonly (number | string)[], declared: NonNullable<Declared['sizes']>): boolean =>
  shape.length !== declared.length || shape.some((size, i) => typeof size === 'number' && typeof declared[i] === 'number' && size !== declared[i])

const listed = (sizes: readonly (number | string | null)[]): string => `[${sizes.map(size => size ?? '?').join(',')}]`

/**
 * The outputs whose sizes in the file are to be trusted: none behind a pool of `ceil_mode`, where exporters also count a last window that
 * starts in the padding, which neither PyTorch nor onnxruntime computes.
 */
function checkable({ outputs, steps }: ModelParts): ModelParts['outputs'] {
  return steps.some(({ node }) => node.attributes.int('ceil_mode', 0) !== 0) ? [] : outputs
}

function checkOutput(name: string, found: ValueShape | undefined, declared: Declared | undefined): void {
  if (!found?.shape || !declared?.sizes || !differs(found.shape, declared.sizes)) return
  fail('shape', 'importOnnx', `the output ${JSON.stringify(name)} has the shape ${listed(found.shape)}, but the file says ${listed(declared.sizes)}. Export the model again, or pass { checkShapes: false } to take it as it is`)
}

function contradictionsOf({ declared }: ModelParts, values: ReadonlyMap<string, ValueShape>): string[] {
  return [...declared].flatMap(([name, { code, sizes }]) => {
    const found = values.get(name)
    if (!found) return []
    return [
      ...found.shape && sizes && differs(found.shape, sizes) ? [`${JSON.stringify(name)} has the shape ${listed(found.shape)}, the file says ${listed(sizes)}`] : [],
      ...found.type && code !== 0 && elementType(code) !== found.type ? [`${JSON.stringify(name)} is ${found.type}, the file says ${elementType(code) ?? `number ${code}`}`] : [],
    ]
  })
}

function nodesOf({ steps, variables }: ModelParts, values: ReadonlyMap<string, ValueShape>, pass: Pass): NodeShapes[] {
  const counted = new Set<string>()
  const shapeOf = (name: string): ValueShape | null => name === '' ? null : values.get(name) ?? { type: null, shape: null }
  const list = (own: readonly Step[], keys: ReadonlyMap<string, string>): NodeShapes[] => own.flatMap(({ node, bodies }) => {
    const fresh = [...new Set(node.inputs.map(name => keys.get(name) ?? name))].filter(key => variables.get(key) instanceof Parameter && !counted.has(key))
    for (const key of fresh) counted.add(key)
    const row: NodeShapes = {
      node, inputs: node.inputs.map(shapeOf), outputs: node.outputs.map(shapeOf), flops: pass.flops.get(node) ?? null,
      parameters: fresh.reduce((sum, key) => sum + sizeOf(variables.get(key)!.shape), 0), bytes: bytesOf(node.outputs.filter(name => name !== '').map(name => pass.values.get(name) ?? nothing)),
    }
    return [row, ...[...bodies.values()].flatMap(body => list(body.steps, new Map([...keys, ...body.weights])))]
  })
  return list(steps, new Map())
}

/** Bytes of values as they are stored here; `null` where a size is unknown. */
function bytesOf(values: readonly Seen[]): number | null {
  let sum = 0
  for (const { type, sizes } of values) {
    if (type === null || sizes === null || sizes.includes(null) || type === 'string' || type.startsWith('complex')) return null
    sum += sizeOf(sizes as readonly number[]) * bytesPerElement(carrierOf(type as Parameters<typeof carrierOf>[0]))
  }
  return sum
}
