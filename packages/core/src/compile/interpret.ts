// A program for any backend: the kernels of a graph one after the other, each value let go after its last use.

import type { Aval } from '../aval.ts'
import type { Backend, Kernel, MemoryPlan, Operand, Program } from '../backend.ts'
import { lookUp } from '../eager.ts'
import { fail } from '../errors.ts'
import type { Graph, Id } from '../graph.ts'
import { sizeOf } from '../shape.ts'
import { bytesPerElement } from '../dtype.ts'
import { full } from '../vector.ts'

/** Runs a graph of primitives on a backend's own kernels. */
export function interpret(graph: Graph, backend: Backend): Program {
  const kernels = graph.nodes.map(({ row }) => kernelOf(row, backend))
  const last = lastUses(graph)
  const bytes = peakBytes(graph, last)
  const avals = new Map<Id, Aval>()
  for (const { id, aval } of [...graph.inputs, ...graph.constants, ...graph.variables, ...graph.live]) avals.set(id, aval)
  for (const { outputs, avals: list } of graph.nodes) outputs.forEach((id, i) => avals.set(id, list[i]!))
  const run: Program['run'] = (inputs, live) => {
    const storages = new Map<Id, object>()
    graph.inputs.forEach(({ id }, i) => storages.set(id, inputs[i]!))
    for (const { id, value } of [...graph.constants, ...graph.variables]) storages.set(id, value.storage!)
    graph.live.forEach(({ id, aval }, i) => storages.set(id, full([], live[i]!, aval.dtype, backend).storage!))
    graph.nodes.forEach(({ inputs: ids, outputs, avals: list, params }, i) => {
      const operands = ids.map((id): Operand => {
        const aval = avals.get(id)!
        return { storage: storages.get(id)!, aval, shape: aval.shape, dtype: aval.dtype }
      })
      const out = Array.isArray(list) && list.length !== 1 ? list : list[0]!
      const ys = [kernels[i]!(operands, params as never, out as Aval & Aval[])].flat()
      outputs.forEach((id, k) => storages.set(id, ys[k]!))
      for (const id of last[i]!) storages.delete(id)
    })
    const values = graph.updates.map(({ id }) => storages.get(id)!)
    graph.updates.forEach(({ variable }, i) => { variable.storage = values[i]! })
    return graph.outputs.map(id => storages.get(id)!)
  }
  return { run, bytes, notes: ['The backend runs its kernels one by one: nothing is fused.'], dump: [] }
}

/** What {@link interpret}'s program of a graph takes up. */
export const planInterpreted = (graph: Graph): MemoryPlan =>
  ({ bytes: peakBytes(graph, lastUses(graph)), groups: graph.nodes.map(({ outputs }) => outputs), kept: graph.nodes.flatMap(({ outputs }) => outputs) })

function kernelOf(row: Graph['nodes'][number]['row'], backend: Backend): Kernel {
  return lookUp(row, backend) ?? fail('backend', row.name, `the ${backend.name} backend has no kernel for it, and the op has no decomposition. Add the kernel to the backend's table, or decompose or host to defineOp`)
}

/** For each node, the values that nothing after it reads. */
function lastUses(graph: Graph): Id[][] {
  const kept = new Set([...graph.outputs, ...graph.updates.map(({ id }) => id)])
  const seen = new Set<Id>(kept)
  const out: Id[][] = graph.nodes.map(() => [])
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const { inputs, outputs } = graph.nodes[i]!
    for (const id of [...inputs, ...outputs]) {
      if (seen.has(id)) continue
      seen.add(id)
      out[i]!.push(id)
    }
  }
  return out
}

/** The most bytes of op results that are alive at once. */
function peakBytes(graph: Graph, last: readonly (readonly Id[])[]): number {
  const sizes = new Map<Id, number>()
  let alive = 0
  let peak = 0
  graph.nodes.forEach(({ outputs, avals }, i) => {
    outputs.forEach((id, k) => {
      const size = sizeOf(avals[k]!.shape) * bytesPerElement(avals[k]!.dtype)
      sizes.set(id, size)
      alive += size
    })
    peak = Math.max(peak, alive)
    for (const id of last[i]!) alive -= sizes.get(id) ?? 0
  })
  return peak
}
