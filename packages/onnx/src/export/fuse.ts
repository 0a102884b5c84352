// Runs of ops that ONNX has as one: a product or convolution with its bias, normalisation of layers, batches, instances and groups.

import type { FillParams, Id } from '@bp/core/extend'
import type { ConvGeometry, DotParams, StandardiseParams } from '@bp/ops/extend'
import { type AttributeValue, type Builder, Float } from './builder.ts'
import { trailingAxis } from './composites.ts'
import { convAttributes } from './maps.ts'
import { isFixed, sameSize, type Size } from './sizes.ts'
import type { Twin, TwinNode } from './twin.ts'

/** A run of ops written as one operator: the op that it starts at, those it swallows, and the value it makes. */
interface Fusion {
  readonly swallowed: readonly TwinNode[]
  readonly output: Id
  readonly emit: (name: (id: Id) => string) => string
}

/** The op that follows another, and its other operand. */
interface Next {
  readonly node: TwinNode
  readonly other: Id
}

const fixedShape = (sizes: readonly Size[]): string | null => sizes.every(isFixed) ? sizes.map(([n]) => n!).join() : null

/** Finds fusions in a program. Only values with one reader vanish, and only operands that exist from the start are drawn in. */
export class Fuser {
  private readonly twin: Twin
  private readonly readers = new Map<Id, TwinNode[]>()
  private readonly makers = new Map<Id, TwinNode>()
  private readonly given: ReadonlySet<Id>

  private readonly composites: boolean

  /** `composites` says whether normalisations are fused too. */
  constructor(twin: Twin, composites: boolean) {
    this.twin = twin
    this.composites = composites
    this.given = new Set([...twin.constants, ...twin.variables].map(({ id }) => id))
    for (const node of twin.nodes) {
      for (const id of node.inputs) this.readers.set(id, [...this.readers.get(id) ?? [], node])
      for (const id of node.outputs) this.makers.set(id, node)
    }
  }

  /** The fusion that starts at a node, if there is one. */
  at(node: TwinNode, b: Builder): Fusion | null {
    if (node.row.name === 'dot') return this.gemm(node, b)
    if (node.row.name === 'conv') return this.conv(node, b)
    if (!this.composites) return null
    if (node.row.name === 'standardise') return (b.opset >= 17 ? this.layerNorm(node, b) : null) ?? this.instanceNorm(node, b)
    if (node.row.name === 'rmsNorm' && b.opset >= 23) return this.rmsNorm(node, b)
    if (node.row.name === 'reshape' && b.opset >= 21) return this.groupNorm(node, b)
    if (node.row.name === 'sub' && b.opset >= 14) return this.batchNorm(node, b)
    return null
  }

  /** The only reader of a node's result, where it is the op named, and its other operand. */
  private next(id: Id, name: string): Next | null {
    const readers = this.readers.get(id) ?? []
    const node = readers[0]
    if (readers.length !== 1 || node?.row.name !== name || this.twin.outputs.includes(id)) return null
    const other = node.inputs[0] === id ? node.inputs[1]! : node.inputs[0]!
    return other === id ? null : { node, other }
  }

  private sizes(id: Id): readonly Size[] {
    return this.twin.avals.get(id)!.sizes
  }

  private gemm(node: TwinNode, b: Builder): Fusion | null {
    const [y] = node.outputs as [Id]
    const bias = this.next(y, 'add')
    if (!bias || !this.given.has(bias.other) || this.sizes(y).length !== 2 || !this.twin.avals.get(y)!.dtype.startsWith('float')) return null
    if (fixedShape(this.sizes(bias.other)) !== String(this.sizes(y)[1]![0]!) || !isFixed(this.sizes(y)[1]!)) return null
    const { ta, tb } = node.params[0] as DotParams
    return { swallowed: [bias.node], output: bias.node.outputs[0]!, emit: name => b.add('Gemm', [...node.inputs, bias.other].map(name), { transA: Number(ta), transB: Number(tb) }) }
  }

  private conv(node: TwinNode, b: Builder): Fusion | null {
    const [y] = node.outputs as [Id]
    const added = this.next(y, 'add')
    const view = added && this.makers.get(added.other)
    const bias = view?.row.name === 'reshape' ? view.inputs[0]! : null
    const [, channels, ...spatial] = this.sizes(y)
    if (!added || !view || bias === null || !this.given.has(bias) || this.readers.get(added.other)!.length !== 1 || this.twin.outputs.includes(added.other)) return null
    if (fixedShape(this.sizes(bias)) !== String(channels![0]) || fixedShape(this.sizes(added.other)) !== [channels![0], ...spatial.map(() => 1)].join()) return null
    const kernel = this.sizes(node.inputs[1]!).slice(2).map(([n]) => n!)
    return { swallowed: [added.node, view], output: added.node.outputs[0]!, emit: name => b.add('Conv', [...node.inputs, bias].map(name), convAttributes(node.params[0] as ConvGeometry, kernel)) }
  }

  private layerNorm(node: TwinNode, b: Builder): Fusion | null {
    const found = this.scaledRuns(node)
    if (!found) return null
    const { scale, run, attributes } = found
    const shift = this.next(scale.node.outputs[0]!, 'add')
    const bias = shift && this.fits(shift.other, run) ? shift : null
    return {
      swallowed: [scale.node, ...bias ? [bias.node] : []], output: (bias ?? scale).node.outputs[0]!,
      emit: name => b.add('LayerNormalization', [node.inputs[0]!, scale.other, ...bias ? [bias.other] : []].map(name), attributes),
    }
  }

  private rmsNorm(node: TwinNode, b: Builder): Fusion | null {
    const found = this.scaledRuns(node)
    if (!found) return null
    const { scale, attributes } = found
    return { swallowed: [scale.node], output: scale.node.outputs[0]!, emit: name => b.add('RMSNormalization', [node.inputs[0]!, scale.other].map(name), attributes) }
  }

  /** The scale of what is normalised over its last axes, with the sizes of these and what the operators of ONNX call them. */
  private scaledRuns(node: TwinNode): { readonly scale: Next; readonly run: readonly Size[]; readonly attributes: Readonly<Record<string, AttributeValue>> } | null {
    const { axes, eps } = node.params[0] as StandardiseParams
    const sizes = this.sizes(node.inputs[0]!)
    const first = trailingAxis(axes, sizes.length)
    const scale = this.next(node.outputs[0]!, 'mul')
    if (first === null || !scale || !this.fits(scale.other, sizes.slice(first))) return null
    return { scale, run: sizes.slice(first), attributes: { axis: first - sizes.length, epsilon: new Float(eps) } }
  }

  /** Each channel of each instance standardised by itself, scaled and shifted by one number a channel. */
  private instanceNorm(node: TwinNode, b: Builder): Fusion | null {
    const [x] = node.inputs as [Id]
    const { axes, eps } = node.params[0] as StandardiseParams
    const after = axes.length > 0 && trailingAxis(axes, this.sizes(x).length) === 2 ? this.scaled(node.outputs[0]!, x) : null
    return after && { swallowed: after.swallowed, output: after.output, emit: name => b.add('InstanceNormalization', [x, ...after.vectors].map(name), { epsilon: new Float(eps) }) }
  }

  /** Groups of channels standardised as one axis, then scaled and shifted by one number a channel. */
  private groupNorm(node: TwinNode, b: Builder): Fusion | null {
    const [x] = node.inputs as [Id]
    const groups = this.sizes(node.outputs[0]!)
    const norm = this.next(node.outputs[0]!, 'standardise')?.node
    const back = norm && this.next(norm.outputs[0]!, 'reshape')?.node
    const after = back && this.scaled(back.outputs[0]!, x)
    if (!norm || !back || !after || groups.length !== 3 || !isFixed(groups[1]!) || !sameSize(groups[0]!, this.sizes(x)[0]!)) return null
    const { axes, eps } = norm.params[0] as StandardiseParams
    const same = this.sizes(back.outputs[0]!).every((size, i) => i < this.sizes(x).length && sameSize(size, this.sizes(x)[i]!))
    if (axes.join() !== '2' || !same) return null
    return {
      swallowed: [norm, back, ...after.swallowed], output: after.output,
      emit: name => b.add('GroupNormalization', [x, ...after.vectors].map(name), { num_groups: groups[1]![0]!, epsilon: new Float(eps) }),
    }
  }

  /** The multiplication and the addition of one number a channel of x that follow a value. */
  private scaled(id: Id, x: Id): { readonly swallowed: readonly TwinNode[]; readonly output: Id; readonly vectors: readonly Id[] } | null {
    const scale = this.next(id, 'mul')
    const shift = scale && this.next(scale.node.outputs[0]!, 'add')
    if (!shift || this.sizes(x).length < 3) return null
    const vectors = [scale.other, shift.other].map(other => this.perChannel(other, x))
    return vectors.every(vector => vector !== null) ? { swallowed: [scale.node, shift.node], output: shift.node.outputs[0]!, vectors } : null
  }

  /** (x − μ)/√(σ² + ε)·γ + β with one number a channel each: batch normalisation by running statistics. */
  private batchNorm(node: TwinNode, b: Builder): Fusion | null {
    const [x, centre] = node.inputs as [Id, Id]
    const quotient = this.next(node.outputs[0]!, 'div')
    const root = quotient && quotient.node.inputs[1] === quotient.other ? this.makers.get(quotient.other) : null
    const sum = root?.row.name === 'sqrt' ? this.makers.get(root.inputs[0]!) : null
    const eps = sum?.row.name === 'add' ? this.makers.get(sum.inputs[1]!) : null
    const scale = quotient && this.next(quotient.node.outputs[0]!, 'mul')
    const shift = scale && this.next(scale.node.outputs[0]!, 'add')
    if (!root || !sum || eps?.row.name !== 'fill' || !shift) return null
    const params = [scale.other, shift.other, centre, sum.inputs[0]!].map(id => this.perChannel(id, x))
    const { value, shape } = eps.params[0] as FillParams
    const inner = [root.outputs[0]!, sum.outputs[0]!, scale.other, shift.other, centre, sum.inputs[0]!]
    if (shape.length > 0 || !params.every(id => id !== null) || inner.some(id => !this.given.has(id) && (this.readers.get(id)!.length !== 1 || this.twin.outputs.includes(id)))) return null
    return {
      swallowed: [quotient.node, root, sum, scale.node, shift.node], output: shift.node.outputs[0]!,
      emit: name => b.add('BatchNormalization', [x, ...params].map(name), { epsilon: new Float(value) }),
    }
  }

  /** The vector of one number a channel that a value lays along axis 1 of x, if it is one. */
  private perChannel(id: Id, x: Id): Id | null {
    const sizes = this.sizes(x)
    const view = this.makers.get(id)
    const vector = view?.row.name === 'reshape' ? view.inputs[0]! : id
    const laid = sizes.length === 2 ? [fixedShape([sizes[1]!])] : [[sizes[1]![0], ...sizes.slice(2).map(() => 1)].join(), [1, sizes[1]![0], ...sizes.slice(2).map(() => 1)].join()]
    return sizes.length >= 2 && this.given.has(vector) && fixedShape(this.sizes(vector)) === String(sizes[1]![0]) && laid.includes(fixedShape(this.sizes(id))) ? vector : null
  }

  private fits(id: Id, sizes: readonly Size[]): boolean {
    return this.given.has(id) && fixedShape(sizes) !== null && fixedShape(this.sizes(id)) === fixedShape(sizes)
  }
}
