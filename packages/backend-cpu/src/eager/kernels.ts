// Kernels of eager mode: in TypeScript where there is little to do, as a program of one op where there is much.

import { BpError } from '@bp/core'
import { type AnyRow, Aval, defineOp, describe, keyOf, throughFloat32 } from '@bp/core/extend'
import type { MapName } from '@bp/ops/extend'
import type { CpuKernels } from '../backend.ts'
import { type CpuKernel, type CpuOperand, type CpuStorage, create } from '../storage.ts'
import type { Plan, Programs } from './programs.ts'
import type { Thresholds } from './thresholds.ts'
import { type Costs, works } from './works.ts'

/** Gives the programs, where there are any. */
export type FindPrograms = () => Programs | null

/** Elementwise functions of one operand that vectors compute several times faster; relu's branch is mostly mispredicted. */
const byVectors = ['exp', 'log', 'expm1', 'log1p', 'tanh', 'sigmoid', 'erf', 'relu'] as const satisfies readonly MapName[]

/** A table of kernels, those that are worth it with programs. */
export function withPrograms<T extends CpuKernels>(table: T, worth: Thresholds, programs: FindPrograms): T {
  const better: Record<string, CpuKernel<never>> = {}
  for (const name of byVectors) if (table[name]) better[name] = throughFloat32(byChunks(name, table[name], worth.chunks, programs))
  for (const [name, costs] of Object.entries(works)) {
    if (!table[name]) continue
    const kernel = asProgram(name, table[name], costs, worth.nanoseconds, programs)
    better[name] = name === 'gather' ? kernel : throughFloat32(kernel)
  }
  return { ...table, ...better }
}

/** A graph of one op. Lowering asks for no more than the name of its row, and how it fuses. */
function planOf(name: string, fuse: 'map' | 'opaque', xs: readonly Aval[], params: unknown, out: Aval, nanoseconds: number): Plan {
  const row: AnyRow = defineOp({ name, arity: 'n', fuse, infer: () => out, diff: { kind: 'zero' } })
  const inputs = xs.map((aval, id) => ({ id, aval }))
  const node = { row, params, inputs: inputs.map(({ id }) => id), outputs: [xs.length], avals: [out] }
  return { graph: { inputs, constants: [], variables: [], live: [], nodes: [node], outputs: node.outputs, updates: [], effects: [] }, nanoseconds }
}

/** An op by a program for each shape. */
function asProgram(name: string, kernel: CpuKernel<never>, { nanoseconds, fuse }: Costs, least: number, programs: FindPrograms): CpuKernel<never> {
  return (xs, p, out) => {
    const time = nanoseconds(xs, p, out)
    if (time < least || time === 0) return kernel(xs, p, out)
    const program = programs()?.find(`${name} ${xs.map(describe).join()} ${keyOf(p)}`, () => planOf(name, fuse, xs.map(({ aval }) => aval), p, out, time))
    if (!program) return kernel(xs, p, out)
    try {
      return program.run(xs.map(({ storage }) => storage), [])[0] as CpuStorage
    } catch (error) {
      // what a program refuses, an index out of range, the kernel refuses in the op's own words
      if (error instanceof BpError) return kernel(xs, p, out)
      throw error
    }
  }
}

/** An elementwise function by one program for all shapes, so many elements at a time. */
function byChunks(name: string, kernel: CpuKernel<never>, chunks: Thresholds['chunks'], programs: FindPrograms): CpuKernel<never> {
  return (xs, p, out) => {
    const [x] = xs as [CpuOperand]
    const n = x.storage.length
    if (n < chunks[0] || out.dtype !== 'float32') return kernel(xs, p, out)
    const chunk = chunks[n < chunks[1] ? 0 : 1]
    const program = programs()?.find(`${name} ${chunk}`, () => {
      const aval = new Aval([chunk], 'float32')
      return planOf(name, 'map', [aval], p, aval, 0)
    })
    if (!program) return kernel(xs, p, out)
    const y = create(out)
    for (let i = 0; i < n; i += chunk) program.runInto([x.storage.subarray(i, i + chunk)], y.subarray(i, i + chunk))
    return y
  }
}
