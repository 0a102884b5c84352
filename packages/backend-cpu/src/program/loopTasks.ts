// A group of fused steps as tasks: the loop, and the totals of what it reduces over rows.

import { bytesPerElement, type Id, sizeOf } from '@bp/core/extend'
import { i32 } from '../wasm/instructions.ts'
import type { Emit } from './emit.ts'
import type { Blocks } from './epilogue.ts'
import { denseIn, type Group, keptBy, type Member, assemble, stridesIn } from './fuse.ts'
import { emitLoop, type LoopKernel } from './loop.ts'
import { byColumns, cut } from './loopCut.ts'
import type { Arg, LoopOp, LoopSpec, Place } from './loopSpec.ts'
import { columnsPerUnit, emitReduceUnits } from './reduceUnits.ts'
import type { Region } from './region.ts'
import type { Step } from './steps.ts'
import type { Epilogue, Task } from './task.ts'

/** Where values lie: the address of each that has one. */
export type Addresses = Pick<ReadonlyMap<Id, { readonly address: number; readonly bytes: number }>, 'get'>

/** A group as a loop over addresses. `kept` are the values that are needed outside of it. */
export function loopOf(group: Group, addresses: Addresses, kept: Pick<ReadonlySet<Id>, 'has'>): { readonly spec: LoopSpec; readonly members: readonly Member[] } {
  const { space, members } = assemble(group.loop!)!
  const loads: Place[] = []
  const loadKeys = new Map<string, number>()
  const places = new Map<Id, number>()
  const ops: LoopOp[] = []
  const stores: { op: number; to: Place }[] = []
  members.forEach(({ step, span, kept: reach }, i) => {
    const shape = step.kind === 'map' ? step.aval.shape : step.ins[0].layout.shape
    const args = step.ins.map((ref): Arg => {
      if ('constant' in ref) return { kind: 'constant', value: ref.constant, dtype: ref.dtype }
      const made = places.get(ref.base)
      if (made !== undefined) return { kind: 'value', at: made }
      const strides = stridesIn(space, ref, shape, span)
      const key = `${ref.base} ${ref.layout.offset} ${strides.join()}`
      let at = loadKeys.get(key)
      if (at === undefined) {
        at = loads.push({ address: addresses.get(ref.base)!.address + ref.layout.offset * bytesPerElement(ref.dtype), dtype: ref.dtype, strides }) - 1
        loadKeys.set(key, at)
      }
      return { kind: 'load', at }
    })
    ops.push(step.kind === 'map'
      ? { kind: 'map', name: step.name, dtype: step.aval.dtype, args, argTypes: step.ins.map(({ dtype }) => dtype) }
      : { kind: 'reduce', how: step.how, reach: reach === 'rows' ? 'row' : reach === 'columns' ? 'column' : 'all', dtype: step.aval.dtype, arg: args[0]! })
    places.set(step.out, i)
    // what is reduced over rows is written by the task that totals it
    if (kept.has(step.out) && (reach === null || reach === 'rows')) {
      stores.push({ op: i, to: { address: addresses.get(step.out)!.address, dtype: step.aval.dtype, strides: denseIn(space, keptBy(members[i]!)) } })
    }
  })
  return { spec: { name: [...new Set(members.map(({ step }) => step.name))].join('+'), axes: space.axes, within: space.within, loads, ops, stores }, members }
}

/** The tasks of a group of fused steps. */
export function loopTasks(emit: Emit, group: Group, addresses: Addresses, kept: Pick<ReadonlySet<Id>, 'has'>, reads: readonly Region[], writes: readonly Region[]): Task[] {
  const { spec, members } = loopOf(group, addresses, kept)
  const how = cut(spec)
  const own: Region[] = []
  const scratch = (bytes: number): number => {
    const start = emit.scratch(bytes)
    own.push({ start, end: start + bytes })
    return start
  }
  const { func: kernel, partials } = emitLoop({ ...emit, scratch }, spec, how, how.units)
  const run = emit.module.func(['i32', 'i32'])
  const [unit, thread] = run.params
  const start = run.let(i32.mul(unit, how.piece))
  const split = byColumns(how)
  const end = run.let(i32.minS(i32.add(start, how.piece), split ? how.columnCount : how.rowCount))
  if (split) run.call(kernel, 0, 1, start, end, unit, thread)
  else run.call(kernel, start, end, 0, how.columnCount, unit, thread)
  const totals = totalsOf(emit, spec.name, members, partials, how.units, own, addresses)
  if (how.units > 1) return [{ name: spec.name, units: how.units, reads, writes: [...writes, ...own], run }, ...totals]
  // the only unit totals at once: there is nobody to wait for
  for (const total of totals) run.for(0, total.units, 1, columns => { run.call(total.run, columns, thread) })
  return [{ name: spec.name, units: 1, reads, writes: [...writes, ...own], run }]
}

/** The tasks that bring together what a loop's units have left of its reductions over columns or all. */
function totalsOf(emit: Emit, name: string, members: readonly Member[], partials: LoopKernel['partials'], units: number, own: readonly Region[], addresses: Addresses): Task[] {
  return [...partials].map(([op, { address, bytes }]): Task => {
    const { step } = members[op]! as Member & { readonly step: Step & { readonly kind: 'reduce' } }
    const { how, aval: { dtype, shape } } = step
    const [count, to] = [sizeOf(shape), addresses.get(step.out)!.address]
    return {
      name: `${name} (total)`, units: Math.ceil(count / columnsPerUnit), reads: own, writes: [{ start: to, end: to + count * bytesPerElement(dtype) }],
      run: emitReduceUnits(emit, { how, dtype, address, bytes, units, count, to }),
    }
  })
}

/**
 * A group's loop as what follows in the blocks of its kernel. Once that is emitted, `own` holds the scratch that the loop writes,
 * and `totals` gives the tasks that come after the kernel.
 */
export function epilogueOf(emit: Emit, group: Group, addresses: Addresses, kept: Pick<ReadonlySet<Id>, 'has'>, { columns }: Blocks): { readonly name: string; readonly epilogue: Epilogue; readonly own: readonly Region[]; totals(): Task[] } {
  const { spec, members } = loopOf(group, addresses, kept)
  const how = cut(spec, columns)
  const own: Region[] = []
  const scratch = (bytes: number): number => {
    const start = emit.scratch(bytes)
    own.push({ start, end: start + bytes })
    return start
  }
  let totals: Task[] = []
  const epilogue: Epilogue = {
    wholeRows: how.walk.columns.length > 1 || spec.ops.some(op => op.kind === 'reduce' && op.reach === 'row'),
    emit(func, { row0, row1, column0, column1 }, unit, thread, units) {
      const { func: kernel, partials } = emitLoop({ ...emit, scratch }, spec, how, units)
      func.call(kernel, i32.const(row0), i32.const(row1), i32.const(column0), i32.const(column1), unit, thread)
      totals = totalsOf(emit, spec.name, members, partials, units, own, addresses)
    },
  }
  return { name: spec.name, epilogue, own, totals: () => totals }
}
