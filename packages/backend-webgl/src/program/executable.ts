// A program that runs: its steps one after the other, each value let go after its last use.

import type { Graph, Id, Program } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import type { Handle, Value } from '../device/storage.ts'
import type { Step, Values } from './steps.ts'

/** Makes and frees handles. */
export interface Holder {
  /** A handle for a result, which an open scope may free. */
  result(value: Value): Handle
  /** A handle for a variable. */
  lasting(value: Value): Handle
  free(handle: Handle): void
}

/** A step, and the values that nothing reads after it. */
export interface Stage {
  readonly step: Step
  readonly last: readonly Id[]
}

/** What is told of a program. */
type Told = Pick<Program, 'bytes' | 'notes' | 'dump'>

/** A program of the WebGL backend. */
export class Executable implements Program<Handle> {
  readonly bytes: number
  readonly notes: Told['notes']
  readonly dump: Told['dump']
  private readonly device: Device
  private readonly holder: Holder
  private readonly graph: Graph
  private readonly dense: (id: Id) => Id
  private readonly stages: readonly Stage[]

  constructor(device: Device, holder: Holder, graph: Graph, dense: (id: Id) => Id, stages: readonly Stage[], { bytes, notes, dump }: Told) {
    this.device = device
    this.holder = holder
    this.graph = graph
    this.dense = dense
    this.stages = stages
    this.bytes = bytes
    this.notes = notes
    this.dump = dump
  }

  run(inputs: readonly Handle[], live: readonly number[]): Handle[] {
    return this.through(inputs, live, ({ step }, values) => { step.run(values, live) })
  }

  profile(inputs: readonly Handle[], live: readonly number[]): { readonly name: string; readonly milliseconds: number }[] {
    const parts: { readonly name: string; readonly milliseconds: number }[] = []
    this.device.finish()
    const outs = this.through(inputs, live, ({ step }, values) => {
      const begin = performance.now()
      step.run(values, live)
      this.device.finish()
      parts.push({ name: step.name, milliseconds: performance.now() - begin })
    })
    for (const out of outs) this.holder.free(out)
    return parts
  }

  private through(inputs: readonly Handle[], live: readonly number[], visit: (stage: Stage, values: Values) => void): Handle[] {
    const { device, graph, dense, holder } = this
    const values: Values = new Map()
    /** What steps made and nothing has let go. */
    const own = new Set<Id>()
    graph.inputs.forEach(({ id }, i) => values.set(id, inputs[i]!.value))
    for (const { id, value } of [...graph.constants, ...graph.variables]) values.set(id, (value.storage as Handle).value)
    graph.live.forEach(({ id, aval }, i) => { values.set(id, device.number(live[i]!, aval)) })
    const letGo = (id: Id): void => {
      if (own.delete(id)) device.release(values.get(id)!)
      values.delete(id)
    }
    try {
      for (const stage of this.stages) {
        visit(stage, values)
        for (const { id } of stage.step.writes) {
          const value = values.get(id)
          if (!value) continue
          value.holders++
          own.add(id)
        }
        for (const id of stage.last) letGo(id)
      }
      const outs = graph.outputs.map(id => holder.result(values.get(dense(id))!))
      const updates = graph.updates.map(({ id }) => holder.lasting(values.get(dense(id))!))
      graph.updates.forEach(({ variable }, i) => {
        const before = variable.storage as Handle
        variable.storage = updates[i]!
        holder.free(before)
      })
      return outs
    } finally {
      for (const id of own) device.release(values.get(id)!)
    }
  }
}
