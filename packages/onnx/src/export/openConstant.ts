// Tensors that a program makes from data and that depend on open dimensions: a few numbers, a range, or one number everywhere.

import type { Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { Builder } from './builder.ts'
import { isOne, type Size } from './sizes.ts'
import type { TwinAval } from './twin.ts'

const numbersOf = (x: Tensor): number[] => Array.from<number | bigint, number>(x.dataSync(), Number)

/** Whether two tensors hold the same. */
export function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a.shape.join() !== b.shape.join()) return false
  const [x, y] = [a.dataSync(), b.dataSync()]
  return x.every((value: number | bigint, i: number) => Object.is(value, y[i]))
}

/** Up to this many numbers are followed one by one. */
const mostNumbers = 16

/** The start and the step of numbers that lie evenly, at every sample point. */
function progressionOf(data: readonly number[][]): { readonly start: Size; readonly step: Size } | null {
  if (data.some(at => at.length < 2)) return null
  const [start, step] = [data.map(at => at[0]!), data.map(at => at[1]! - at[0]!)]
  return data.every((at, k) => at.every((n, i) => n === start[k]! + i * step[k]!)) ? { start, step } : null
}

/** Writes a tensor that is another at every sample point, where its numbers follow from the open dimensions; throws where not. */
export function openConstant(b: Builder, values: readonly Tensor[], { dtype, sizes }: TwinAval): string {
  const [first] = values as [Tensor]
  const where = 'a tensor that the function makes from data'
  const data = values.map(numbersOf)
  const list = data[0]!
  if (values.every(value => value.shape.join() === first.shape.join()) && list.length <= mostNumbers) {
    if (first.rank === 0) return b.fill(data.map(at => at[0]!), dtype, [], where)
    const each = list.map((_, i) => b.fill(data.map(at => at[i]!), dtype, [b.dims.open.fixed(1)], where))
    const row = each.length === 1 ? each[0]! : b.add('Concat', each, { axis: 0 })
    return first.rank === 1 ? row : b.add('Reshape', [row, b.list(first.shape)])
  }
  if (data.every(at => at.every(n => n === list[0]))) return b.fill(data.map(() => list[0]!), dtype, sizes, where)
  const progression = dtype === 'bool' ? null : progressionOf(data)
  if (progression && sizes.filter(size => !isOne(size)).length === 1) {
    const { start, step } = progression
    const length = sizes.find(size => !isOne(size))!
    const counted = b.cast(b.add('Range', [b.scalar(0, 'int64'), b.add('Squeeze', [b.dims.list([length], where), b.list([0])]), b.scalar(1, 'int64')]), 'int64', dtype)
    const scaled = isOne(step) ? counted : b.add('Mul', [counted, b.fill(step, dtype, [], where)])
    const moved = start.every(n => n === 0) ? scaled : b.add('Add', [scaled, b.fill(start, dtype, [], where)])
    return sizes.length === 1 ? moved : b.add('Reshape', [moved, b.list(sizes.map(size => isOne(size) ? 1 : -1))])
  }
  const other = values.find(value => !sameTensor(value, first))!
  return fail('value', 'exportOnnx', `${where} depends on a dimension that is to stay open: it is [${first.shape.join(',')}] at one size and [${other.shape.join(',')}] at another${first.shape.join() === other.shape.join() ? ', with other numbers' : ''}. Make it with ops, or export at a fixed size`)
}
