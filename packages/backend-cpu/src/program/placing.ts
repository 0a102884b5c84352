// Moving elements into a part of a result: what concat and pad are made of.

import type { DType } from '@bp/core'
import { bytesPerElement } from '@bp/core/extend'
import { i32, memory } from '../wasm/instructions.ts'
import type { Emit } from './emit.ts'
import { emitLoop } from './loop.ts'
import { byColumns, cut } from './loopCut.ts'
import type { LoopSpec } from './loopSpec.ts'
import type { Region } from './region.ts'
import type { Ref } from './steps.ts'
import type { Addresses } from './loopTasks.ts'
import type { Task } from './task.ts'

/** Copies an operand to where strides say. `address` is that of its first element there. */
export function placing(emit: Emit, name: string, ref: Ref, addresses: Addresses, to: { readonly address: number; readonly strides: readonly number[] }, reads: readonly Region[], writes: readonly Region[]): Task {
  const { layout: { shape, offset, strides }, dtype } = ref
  const spec: LoopSpec = {
    name, axes: shape, within: null,
    loads: 'base' in ref ? [{ address: addresses.get(ref.base)!.address + offset * bytesPerElement(dtype), dtype, strides }] : [],
    ops: [{ kind: 'map', name: 'copy', dtype, argTypes: [dtype], args: ['base' in ref ? { kind: 'load', at: 0 } : { kind: 'constant', value: ref.constant, dtype }] }],
    stores: [{ op: 0, to: { address: to.address, dtype, strides: to.strides } }],
  }
  const how = cut(spec)
  const { func: kernel } = emitLoop(emit, spec, how, how.units)
  const run = emit.module.func(['i32', 'i32'])
  const start = run.let(i32.mul(run.params[0], how.piece))
  const split = byColumns(how)
  const end = run.let(i32.minS(i32.add(start, how.piece), split ? how.columnCount : how.rowCount))
  if (split) run.call(kernel, 0, 1, start, end, ...run.params)
  else run.call(kernel, start, end, 0, how.columnCount, ...run.params)
  return { name, units: how.units, reads, writes, run }
}

/** Tasks that do not touch each other's bytes, whatever their regions say, as one: its units are those of the first, then of the second, and so on. */
export function together(emit: Emit, name: string, tasks: readonly Task[], reads: readonly Region[], writes: readonly Region[]): Task {
  const run = emit.module.func(['i32', 'i32'])
  const [unit, thread] = run.params
  for (const task of tasks) {
    run.if(i32.ltS(unit, task.units), () => {
      run.call(task.run, unit, thread)
      run.return()
    })
    run.add(unit, -task.units)
  }
  return { name, units: tasks.reduce((n, { units }) => n + units, 0), reads, writes, run }
}

/** Bytes that one unit fills. */
const piece = 65536

/** Fills a region with zeros. */
export function zeros(emit: Emit, name: string, address: number, size: number, dtype: DType): Task {
  const bytes = size * bytesPerElement(dtype)
  const run = emit.module.func(['i32', 'i32'])
  const start = run.let(i32.mul(run.params[0], piece))
  run.do(memory.fill(i32.add(start, address), 0, i32.minS(piece, i32.sub(bytes, start))))
  return { name, units: Math.ceil(bytes / piece), reads: [], writes: [{ start: address, end: address + bytes }], run }
}
