// A program for any backend: the kernels of a graph one after the other, each value let go after its last use.

import type { Aval } from '../aval.ts'
import type { Backend, Kernel, MemoryPlan, Operand, Program } from '../backend.ts'
import { lookUp } from '../eager.ts'
import { fail } from '../errors.ts'
import { freeing } from '../freeing.ts'
import type { Graph, Id } from '../graph.ts'
import { replaced } from '../ownership.ts'
import { sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
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
  const given = new Set([...graph.inputs, ...graph.constants, ...graph.variables].map(({ id }) => id))
  const ids = new Map<Tensor, Id>(graph.variables.map(({ id, value }) => [value, id]))
  const updates = graph.updates.filter(({ variable, id }) => ids.get(variable) !== id)
  /** Storages of these values for holders of their own. */
  const handOut = (ids: readonly Id[], storages: ReadonlyMap<Id, object>, taken: Set<Id>): object[] => ids.map(id => {
    const storage = storages.get(id)!
    const shared = given.has(id) || taken.has(id)
    taken.add(id)
    return shared && backend.snapshot ? backend.snapshot(storage) : storage
  })
  const run: Program['run'] = (inputs, live) => freeing(backend, 'step', region => {
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
      for (const id of last[i]!) {
        region?.release(storages.get(id)!)
        storages.delete(id)
      }
    })
    const taken = new Set<Id>()
    const values = handOut(updates.map(({ id }) => id), storages, taken)
    const results = handOut(graph.outputs, storages, taken)
    updates.forEach(({ variable }, i) => {
      const before = variable.storage
      variable.storage = values[i]!
      if (backend.free) replaced(before, variable.storage, backend)
    })
    return results
  }, results => results)
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
