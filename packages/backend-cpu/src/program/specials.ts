// Ops with kernels of their own: which they are, how their operands may lie, and their tasks.

import type { DType } from '@bp/core'
import { bytesPerElement, type GraphNode } from '@bp/core/extend'
import type { DotParams } from '@bp/ops/extend'
import { gemm } from '../wasm/gemm/gemm.ts'
import type { Emit } from './emit.ts'
import type { Addresses } from './loopTasks.ts'
import type { Region } from './region.ts'
import type { Layout } from './space.ts'
import type { Ref, Specials, Step } from './steps.ts'
import type { Task } from './task.ts'

/** What there is to lower a step with. */
interface Job {
  readonly emit: Emit
  readonly step: Step & { readonly kind: 'special' }
  readonly bits: 32 | 64
  /** The address of each operand's first element, and of the result's. */
  readonly at: readonly number[]
  readonly to: number
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
}

interface Special {
  takes(node: GraphNode): boolean
  strided(i: number, layout: Layout): boolean
  tasks(job: Job): Task[]
}

/** Stacks of matrices, their axes and their strides in any order. */
const dot: Special = {
  takes: () => true,
  strided: () => true,
  tasks({ emit, step, bits, at, to, reads, writes }) {
    const { ta, tb } = step.node.params as DotParams
    const [a, b] = step.ins.map(({ layout }) => layout) as [Layout, Layout]
    const { shape } = step.aval
    const rank = shape.length
    const matrix = ({ strides }: Layout, address: number, transposed: boolean): { address: number; row: number; column: number } =>
      ({ address, row: strides[rank - (transposed ? 1 : 2)]!, column: strides[rank - (transposed ? 2 : 1)]! })
    const [m, n] = shape.slice(-2) as [number, number]
    const k = a.shape[rank - (ta ? 2 : 1)]!
    let c = m * n
    const stack = shape.slice(0, -2).map((size, i) => ({ size, a: a.strides[i]!, b: b.strides[i]!, c: 0 }))
    for (let i = stack.length - 1; i >= 0; i--) {
      stack[i]!.c = c
      c *= stack[i]!.size
    }
    return gemm(emit, { name: step.name, bits, m, n, k, a: matrix(a, at[0]!, ta), b: matrix(b, at[1]!, tb), c: { address: to, row: n }, stack, reads, writes })
  },
}

const table: Readonly<Record<string, Special>> = { dot }

/** Which ops have kernels of their own. */
export const specials: Specials = {
  takes(node, types: readonly DType[]) {
    const special = Object.hasOwn(table, node.row.name) ? table[node.row.name] : undefined
    return special !== undefined && types.slice(0, 1).every(type => type === 'float32' || type === 'float64') && special.takes(node)
  },
  strided: (node, i, layout) => table[node.row.name]!.strided(i, layout),
}

/** The tasks of a step with a kernel of its own. */
export function specialTasks(emit: Emit, step: Step & { readonly kind: 'special' }, addresses: Addresses, reads: readonly Region[], writes: readonly Region[]): Task[] {
  const addressOf = (ref: Ref): number => 'base' in ref ? addresses.get(ref.base)!.address + ref.layout.offset * bytesPerElement(ref.dtype) : 0
  return table[step.name]!.tasks({
    emit, step, bits: step.aval.dtype === 'float64' ? 64 : 32, at: step.ins.map(addressOf), to: addresses.get(step.out)!.address, reads, writes,
  })
}
