// Groups as steps that run: a pass of a fused chain, or an op's kernel.

import type { DType } from '@bp/core'
import { type Aval, collapse, convert, describe, type GraphNode, type Id, type Operand, sizeOf } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import { toUniform } from '../device/encode.ts'
import { isWhole, type Value } from '../device/storage.ts'
import { accessOf } from '../glsl/access.ts'
import type { Chain } from '../glsl/body.ts'
import { chainPass } from '../kernels/maps.ts'
import { strided } from '../kernels/views.ts'
import { type Group, operandKey, operandsOf } from './groups.ts'
import { type CopyItem, isRef, type Item, type KernelItem, type MapItem, type NumberRef } from './items.ts'
import { stridesFor } from './refs.ts'

/** The values of a run, by id. */
export type Values = Map<Id, Value>

/** What runs as one. */
export interface Step {
  readonly name: string
  readonly reads: readonly Id[]
  readonly writes: readonly { readonly id: Id; readonly aval: Aval }[]
  /** Puts what it makes into `values`. */
  run(values: Values, live: readonly number[]): void
}

/** What steps are made with. */
export interface Workshop {
  readonly device: Device
  /** Runs an op's own kernel. */
  readonly kernel: (node: GraphNode, xs: readonly Operand<Value>[]) => Value[]
}

/** A group as a step; `targets` are those of its values that something else reads. */
export function stepOf({ device, kernel }: Workshop, { items }: Group, targets: ReadonlySet<Id>): Step {
  const [first] = items as readonly [Item]
  if (first.kind === 'kernel') return kernelStep(kernel, first)
  return first.kind === 'copy' ? copyStep(device, first) : chainStep(device, items as readonly MapItem[], targets)
}

function kernelStep(kernel: Workshop['kernel'], { node, ins }: KernelItem): Step {
  return {
    name: `${node.row.name} ${node.avals.map(describe).join(', ')}`, reads: ins.map(({ base }) => base), writes: node.outputs.map((id, i) => ({ id, aval: node.avals[i]! })),
    run(values) {
      const ys = kernel(node, ins.map(({ base, aval }) => ({ storage: values.get(base)!, aval, shape: aval.shape, dtype: aval.dtype })))
      node.outputs.forEach((id, i) => values.set(id, ys[i]!))
    },
  }
}

function copyStep(device: Device, { from, out, aval }: CopyItem): Step {
  const { offset, strides } = stridesFor(from, aval.shape)
  return {
    name: `copy ${describe(aval)}`, reads: [from.base], writes: [{ id: out, aval }],
    run(values) { values.set(out, strided(device, values.get(from.base)!, aval, strides, offset)) },
  }
}

/** A number as a uniform of its dtype. */
const numberOf = (value: number, dtype: DType): number => toUniform(convert([value], dtype), dtype)

function chainStep(device: Device, maps: readonly MapItem[], targets: ReadonlySet<Id>): Step {
  const { shape } = maps[0]!.aval
  const operands = operandsOf(maps, shape)
  const numbers: NumberRef[] = []
  const places = new Map<string | Id, number>(operands.map(({ key }, i) => [key, i]))
  const numberPlace = (x: NumberRef): number => {
    const same = numbers.findIndex(other => other.aval.dtype === x.aval.dtype && (other === x || (typeof x.number === 'number' && Object.is(other.number, x.number))))
    return same >= 0 ? same : numbers.push(x) - 1
  }
  // numbers are counted first, for steps follow them
  const numbered = maps.map(({ ins }) => ins.map(x => isRef(x) ? null : numberPlace(x)))
  const before = operands.length + numbers.length
  maps.forEach(({ out }, i) => places.set(out, before + i))
  const chain: Chain = {
    inputs: operands.map(({ dtype }) => dtype), numbers: numbers.map(({ aval }) => aval.dtype),
    steps: maps.map(({ name, ins, aval }, i) => ({ op: name, dtype: aval.dtype, args: ins.map((x, k) => isRef(x) ? places.get(x.base) ?? places.get(operandKey(x.base, stridesFor(x, shape)))! : operands.length + numbered[i]![k]!) })),
    outputs: maps.flatMap(({ out }, i) => targets.has(out) ? [before + i] : []),
  }
  const writes = maps.filter(({ out }) => targets.has(out)).map(({ out, aval }) => ({ id: out, aval }))
  const nest = collapse(shape, operands.map(({ strides }) => strides))
  const accesses = operands.map(({ offset, length }, i) => accessOf(length, nest.sizes, nest.strides[i]!, offset))
  const { key, code, walk } = chainPass(chain, nest.sizes, accesses)
  const reads = operands.map(({ base }) => base)
  const known = numbers.map(({ number, aval }) => typeof number === 'number' ? numberOf(number, aval.dtype) : null)
  return {
    name: `${maps.map(({ name }) => name).join(', ')} ${sizeOf(shape) === 1 ? '[]' : `[${shape.join()}]`}`, reads, writes,
    run(values, live) {
      const ints = [...walk]
      const floats: number[] = []
      numbers.forEach(({ number, aval: { dtype } }, i) => { (isWhole(dtype) ? ints : floats).push(known[i] ?? numberOf(live[(number as { readonly live: number }).live]!, dtype)) })
      const outs = writes.map(({ aval }) => device.empty(aval))
      device.compute(key, code, outs, reads.map(id => values.get(id)!), ints, floats)
      writes.forEach(({ id }, i) => values.set(id, outs[i]!))
    },
  }
}
