// Ops with kernels of their own: which they are, how their operands may lie, and their tasks.

import type { DType } from '@bp/core'
import { bytesPerElement, describe, type GraphNode, type Id, sizeOf, stridesOf } from '@bp/core/extend'
import type { ConvGeometry, DotParams, PadParams, PoolGeometry } from '@bp/ops/extend'
import { conv, type ConvAt, convInput, convWeight } from '../wasm/conv/conv.ts'
import { type ConvJob, convJob, triple } from '../wasm/conv/geometry.ts'
import { isOnePlace } from '../wasm/conv/pointwise.ts'
import { gemm, isWorthKeeping } from '../wasm/gemm/gemm.ts'
import type { GemmJob, MatrixAt, Term } from '../wasm/gemm/job.ts'
import { gather, type IndexJob, scatterAdd } from '../wasm/index/gather.ts'
import { poolArgMax } from '../wasm/index/pool.ts'
import type { Emit } from './emit.ts'
import type { Blocks } from './epilogue.ts'
import type { Group } from './fuse.ts'
import type { Addresses } from './loopTasks.ts'
import { placing, together, zeros } from './placing.ts'
import type { Region } from './region.ts'
import type { Layout } from './space.ts'
import type { Ref, Specials, Step } from './steps.ts'
import type { Epilogue, Task } from './task.ts'
import { inVectors } from './vector.ts'

/** What there is to lower a step with. */
interface Job {
  readonly emit: Emit
  readonly step: Step & { readonly kind: 'special' }
  readonly addresses: Addresses
  /** Which operands are the same in every run. */
  readonly steady: readonly boolean[]
  readonly bits: 32 | 64
  /** The address of each operand's first element, and of the result's. */
  readonly at: readonly number[]
  readonly to: number
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
  readonly epilogue?: Epilogue | undefined
}

interface Special {
  takes(types: readonly DType[], node: GraphNode): boolean
  /** Whether operands are read by strides; else they must lie dense. */
  readonly strided?: true
  /** How the result is made, where a loop may follow in its blocks. */
  blocks?(step: Job['step']): Blocks
  /** The name of an operand's panels that several steps may read, `null` where each makes its own. */
  panels?(simds: Pick<Emit, 'floats' | 'doubles'>, step: Job['step']): string | null
  tasks(job: Job): Task[]
}

/** Bytes of an operand that every block of whole rows reads again: half of a common second cache. */
const wholeRowBytes = 1 << 19

const isReal = (type: DType | undefined): boolean => type === 'float32' || type === 'float64'
const atMostThree = (node: GraphNode): boolean => node.avals[0]!.shape.length <= 5

/** Stacks of matrices, their axes and their strides in any order. */
const dot: Special = {
  takes: ([type]) => isReal(type),
  strided: true,
  blocks({ aval, ins }) {
    const [n] = aval.shape.slice(-1) as [number]
    const k = sizeOf(ins[0]!.layout.shape) / sizeOf(aval.shape.slice(0, -1))
    return { columns: n, wholeRows: k * n * bytesPerElement(aval.dtype) <= wholeRowBytes }
  },
  panels: ({ floats, doubles }, step) => {
    const bits = bitsOf(step)
    const job = productOf({ step, bits, at: [0, 0], to: 0 })
    const [, b] = step.ins as [Ref, Ref]
    return 'base' in b && isWorthKeeping(job, bits === 64 ? doubles : floats) ? panelName(b, job.b, job.n, job.k) : null
  },
  tasks(job) {
    const { emit, step, steady, reads, writes, epilogue } = job
    const product = productOf(job)
    const panels = dot.panels!(emit, step)
    const keepsA = steady[0] ? emit.keeps(`a ${panelName(step.ins[0]!, product.a, product.m, product.k)}`, true) : undefined
    const keepsB = steady[1] ? emit.keeps(panelName(step.ins[1]!, product.b, product.n, product.k), true) : panels === null ? undefined : emit.keeps(panels, false)
    return gemm(emit, { ...product, name: labelOf(step), keepsA, keepsB, reads, writes, epilogue })
  },
}

/** The name of an operand's elements. */
const nameOf = (ref: Ref): string => `${'base' in ref ? ref.base : ref.constant} ${ref.layout.offset}`

/** The name of panels: of which elements they are made, and how. */
const panelName = (ref: Ref, { row, column }: MatrixAt, across: number, k: number): string => [nameOf(ref), row, column, across, k].join()

/** A step's product: sizes, and where matrices lie. */
function productOf({ step, bits, at, to }: Pick<Job, 'step' | 'bits' | 'at' | 'to'>): Omit<GemmJob, 'name' | 'reads' | 'writes'> {
  const { ta, tb } = step.node.params as DotParams
  const [a, b] = step.ins.map(({ layout }) => layout) as [Layout, Layout]
  const { shape } = step.aval
  const rank = shape.length
  const matrix = ({ strides }: Layout, address: number, transposed: boolean): MatrixAt =>
    ({ address, row: strides[rank - (transposed ? 1 : 2)]!, column: strides[rank - (transposed ? 2 : 1)]! })
  const [m, n] = shape.slice(-2) as [number, number]
  const k = a.shape[rank - (ta ? 2 : 1)]!
  let c = m * n
  const stack = shape.slice(0, -2).map((size, i) => ({ size, a: a.strides[i]!, b: b.strides[i]!, c: 0 }))
  for (let i = stack.length - 1; i >= 0; i--) {
    stack[i]!.c = c
    c *= stack[i]!.size
  }
  return { bits, m, n, k, a: matrix(a, at[0]!, ta), b: matrix(b, at[1]!, tb), c: { address: to, row: n }, stack }
}

const bitsOf = ({ aval }: Job['step']): 32 | 64 => aval.dtype === 'float64' ? 64 : 32

/** A sum of products of matrices: as one product along the inner axes of all, end to end. */
const dotSum: Special = {
  takes: ([type]) => isReal(type),
  strided: true,
  blocks: step => ({ columns: step.aval.shape[1]!, wholeRows: false }),
  tasks({ emit, step, bits, at, to, reads, writes, epilogue }) {
    const { ta, tb } = step.node.params as DotParams
    const [m, n] = step.aval.shape as [number, number]
    const terms = pairs(step.ins.map(({ layout: { strides } }, i): MatrixAt => {
      const across = i % 2 === 0 ? ta : tb
      return { address: at[i]!, row: strides[across ? 1 : 0]!, column: strides[across ? 0 : 1]! }
    }))
    const k = step.ins[0]!.layout.shape[ta ? 0 : 1]!
    const [[a, b]] = terms as [Term]
    return gemm(emit, { name: labelOf(step), bits, m, n, k: k * terms.length, a, b, terms, c: { address: to, row: n }, stack: [], reads, writes, epilogue })
  },
}

const pairs = (list: readonly MatrixAt[]): Term[] => Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!])

/** What a profile calls a step's tasks. */
const labelOf = ({ name, aval }: Job['step']): string => `${name} ${describe(aval)}`

type ConvKernel = (emit: Emit, at: ConvAt) => Task[]

/** The shapes of a convolution's input, kernel and result, from those of a step's operands and its result. */
type ConvParts = (shapes: readonly (readonly number[])[]) => { readonly x: readonly number[]; readonly w: readonly number[]; readonly y: readonly number[] }

/** A step's convolution. */
function jobOf({ ins, aval, node }: Job['step'], parts: ConvParts): ConvJob {
  const { x, w, y } = parts([...ins.map(({ layout }) => layout.shape), aval.shape])
  return convJob(x, w[0]!, w.slice(2), y.slice(2), node.params as ConvGeometry)
}

/** Planes are made at a time, whole ones where the loop needs them; of one place each, channels are the columns. */
const planes = (parts: ConvParts) => (step: Job['step']): Blocks => {
  const { shape } = step.aval
  return isOnePlace(jobOf(step, parts)) ? { columns: shape[1]!, wholeRows: false } : { columns: sizeOf(shape.slice(2)), wholeRows: true }
}

/** The three faces: which shapes are x's, the kernel's and y's, and which addresses. */
const convolution = (kernel: ConvKernel, parts: ConvParts, order: (at: readonly number[], to: number) => { x: number; w: number; y: number }, inBlocks = true): Special => ({
  ...inBlocks && { blocks: planes(parts) },
  takes: ([type], node) => isReal(type) && atMostThree(node),
  tasks({ emit, step, steady, bits, at, to, reads, writes, epilogue }) {
    return kernel(emit, { name: labelOf(step), bits, steady: steady[1] ? nameOf(step.ins[1]!) : null, job: jobOf(step, parts), ...order(at, to), reads, writes, epilogue })
  },
})

const poolOp: Special = {
  takes: ([type], node) => isReal(type) && atMostThree(node),
  tasks({ emit, step, at, to, reads, writes }) {
    const p = step.node.params as PoolGeometry
    const { shape } = step.ins[0]!.layout
    return poolArgMax(emit, {
      name: labelOf(step), bits: step.ins[0]!.dtype === 'float64' ? 64 : 32, planes: shape[0]! * shape[1]!, size: triple(shape.slice(2), 1), kernel: triple(p.kernel, 1), places: triple(step.aval.shape.slice(2), 1),
      stride: triple(p.stride, 1), low: triple(p.padding.map(([low]) => low), 0), dilation: triple(p.dilation, 1), x: at[0]!, to, reads, writes,
    })
  },
}

/** An op along an axis by int32 indices: `x` is the operand that has the axis whole. */
const indexed = (kernel: (emit: Emit, job: IndexJob) => Task[], whole: (step: Job['step']) => readonly number[]): Special => ({
  takes: ([type, index]) => (isReal(type) || type === 'int32') && index === 'int32',
  tasks({ emit, step, at, to, reads, writes }) {
    const { axis } = step.node.params as { readonly axis: number }
    const shape = whole(step)
    return kernel(emit, {
      name: labelOf(step), type: step.aval.dtype as IndexJob['type'], outer: sizeOf(shape.slice(0, axis)), size: shape[axis]!, inner: sizeOf(shape.slice(axis + 1)), count: sizeOf(step.ins[1]!.layout.shape),
      x: at[0]!, index: at[1]!, to, reads, writes,
    })
  },
})

const concat: Special = {
  takes: types => types.every(inVectors),
  strided: true,
  tasks({ emit, step, addresses, to, reads, writes }) {
    const { axis } = step.node.params as { readonly axis: number }
    const strides = stridesOf(step.aval.shape)
    let start = 0
    const parts = step.ins.map(ref => {
      const address = to + start * strides[axis]! * bytesPerElement(step.aval.dtype)
      start += ref.layout.shape[axis]!
      return placing(emit, labelOf(step), ref, addresses, { address, strides }, reads, writes)
    })
    return [together(emit, labelOf(step), parts, reads, writes)]
  },
}

const pad: Special = {
  takes: types => types.every(inVectors),
  strided: true,
  tasks({ emit, step, addresses, to, reads, writes }) {
    const { low, interior } = step.node.params as PadParams
    const strides = stridesOf(step.aval.shape)
    const address = to + low.reduce((sum, n, i) => sum + n * strides[i]!, 0) * bytesPerElement(step.aval.dtype)
    return [
      zeros(emit, `${labelOf(step)} (zeros)`, to, sizeOf(step.aval.shape), step.aval.dtype),
      placing(emit, labelOf(step), step.ins[0]!, addresses, { address, strides: strides.map((stride, i) => stride * (interior[i]! + 1)) }, reads, writes),
    ]
  },
}

const table: Readonly<Record<string, Special>> = {
  dot, dotSum, concat, pad,
  conv: convolution(conv, ([x, w, y]) => ({ x: x!, w: w!, y: y! }), ([x, w], to) => ({ x: x!, w: w!, y: to })),
  convInput: convolution(convInput, ([y, w, x]) => ({ x: x!, w: w!, y: y! }), ([y, w], to) => ({ x: to, w: w!, y: y! })),
  convWeight: convolution(convWeight, ([x, y, w]) => ({ x: x!, w: w!, y: y! }), ([x, y], to) => ({ x: x!, w: to, y: y! }), false),
  poolArgMax: poolOp,
  gather: indexed(gather, ({ ins }) => ins[0]!.layout.shape),
  scatterAdd: indexed(scatterAdd, ({ aval }) => aval.shape),
}

/** Which ops have kernels of their own. */
export const specials: Specials = {
  takes: (node, types) => Object.hasOwn(table, node.row.name) && table[node.row.name]!.takes(types, node),
  strided: ({ row }) => table[row.name]!.strided === true,
}

/** How the result of a step is made, `null` where no loop can follow in its blocks. */
export const blocksOf = (step: Step): Blocks | null => step.kind === 'special' ? table[step.name]!.blocks?.(step) ?? null : null

/** For each name of panels that several groups read, the last of these. */
export function keptPanels(simds: Pick<Emit, 'floats' | 'doubles'>, groups: readonly Group[]): Map<string, number> {
  const seen = new Set<string>()
  const last = new Map<string, number>()
  groups.forEach(({ steps: [step] }, g) => {
    const name = step!.kind === 'special' ? table[step!.name]!.panels?.(simds, step!) ?? null : null
    if (name === null) return
    if (seen.has(name)) last.set(name, g)
    seen.add(name)
  })
  return last
}

/** The tasks of a step with a kernel of its own; an epilogue belongs to the last of them. */
export function specialTasks(emit: Emit, step: Step & { readonly kind: 'special' }, addresses: Addresses, steady: ReadonlySet<Id>, reads: readonly Region[], writes: readonly Region[], epilogue?: Epilogue): Task[] {
  const addressOf = (ref: Ref): number => 'base' in ref ? addresses.get(ref.base)!.address + ref.layout.offset * bytesPerElement(ref.dtype) : 0
  return table[step.name]!.tasks({
    emit, step, addresses, steady: step.ins.map(ref => 'base' in ref && steady.has(ref.base)), bits: bitsOf(step), at: step.ins.map(addressOf), to: addresses.get(step.out)!.address, reads, writes, epilogue,
  })
}
