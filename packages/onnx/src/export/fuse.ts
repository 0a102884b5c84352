// Pairs of ops that ONNX has as one: a product or convolution with its bias, and layer normalisation with its parameters.

import type { Id } from '@bp/core/extend'
import type { ConvGeometry, DotParams } from '@bp/ops/extend'
import { type Builder, Float } from './builder.ts'
import { type Standardise, trailingAxis } from './composites.ts'
import { convAttributes } from './maps.ts'
import { isFixed, type Size, type Twin, type TwinNode } from './twin.ts'

/** A run of ops written as one operator: the op that it starts at, those it swallows, and the value it makes. */
interface Fusion {
  readonly swallowed: readonly TwinNode[]
  readonly output: Id
  readonly emit: (name: (id: Id) => string) => string
}

const fixedShape = (sizes: readonly Size[]): string | null => sizes.every(isFixed) ? sizes.map(([a]) => a).join() : null

/** Finds fusions in a program. Only values with one reader vanish, and only operands that exist from the start are drawn in. */
export class Fuser {
  private readonly twin: Twin
  private readonly readers = new Map<Id, TwinNode[]>()
  private readonly makers = new Map<Id, TwinNode>()
  private readonly given: ReadonlySet<Id>

  constructor(twin: Twin) {
    this.twin = twin
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
    if (node.row.name === 'standardise' && b.opset >= 17) return this.layerNorm(node, b)
    return null
  }

  /** The only reader of a node's result, where it is the op named, and its other operand. */
  private next(id: Id, name: string): { readonly node: TwinNode; readonly other: Id } | null {
    const readers = this.readers.get(id) ?? []
    const node = readers[0]
    if (readers.length !== 1 || !node || node.row.name !== name || this.twin.outputs.includes(id)) return null
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
    if (fixedShape(this.sizes(bias.other)) !== String(this.sizes(y)[1]![0]) || !isFixed(this.sizes(y)[1]!)) return null
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
    const kernel = this.sizes(node.inputs[1]!).slice(2).map(([a]) => a)
    return { swallowed: [added.node, view], output: added.node.outputs[0]!, emit: name => b.add('Conv', [...node.inputs, bias].map(name), convAttributes(node.params[0] as ConvGeometry, kernel)) }
  }

  private layerNorm(node: TwinNode, b: Builder): Fusion | null {
    const { axes, eps } = node.params[0] as Standardise
    const sizes = this.sizes(node.inputs[0]!)
    const first = trailingAxis(axes, sizes.length)
    const scale = this.next(node.outputs[0]!, 'mul')
    if (first === null || !scale || !this.fits(scale.other, sizes.slice(first))) return null
    const shift = this.next(scale.node.outputs[0]!, 'add')
    const bias = shift && this.fits(shift.other, sizes.slice(first)) ? shift : null
    return {
      swallowed: [scale.node, ...bias ? [bias.node] : []], output: (bias ?? scale).node.outputs[0]!,
      emit: name => b.add('LayerNormalization', [node.inputs[0]!, scale.other, ...bias ? [bias.other] : []].map(name), { axis: first - sizes.length, epsilon: new Float(eps) }),
    }
  }

  private fits(id: Id, sizes: readonly Size[]): boolean {
    return this.given.has(id) && fixedShape(sizes) !== null && fixedShape(this.sizes(id)) === fixedShape(sizes)
  }
}
