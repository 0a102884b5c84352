// float16 in every op: the values and gradients of float32, rounded, op by op and compiled.

import { cpu } from '@bp/backend-cpu'
import { add, compile, grad, type Tensor, use } from '@bp/core'
import { type AnyRow, cast, isFloat } from '@bp/core/extend'
import { sum } from '@bp/ops'
import { composites, library, primitives } from '@bp/ops/extend'
import { describe, expect, test } from 'vitest'
import { compositeSamples, librarySamples, samples } from './samples.ts'
import { type AnySample, realise } from './sample.ts'
import { applyRow } from './subject.ts'
import { tolerances } from './tolerance.ts'

use(cpu())

const numbers = (x: Tensor): Float64Array => cast(x, 'float64').dataSync() as Float64Array
const half = (x: Tensor): boolean => x.dtype === 'float16'
const wide = (x: Tensor): Tensor => half(x) ? cast(x, 'float32') : x

function close(got: readonly Tensor[], want: readonly Tensor[]): void {
  got.forEach((y, i) => {
    const [a, b] = [numbers(y), numbers(want[i]!)]
    const most = b.reduce((size, value) => Number.isFinite(value) ? Math.max(size, Math.abs(value)) : size, 1)
    a.forEach((value, k) => { if (!Object.is(value, b[k]) && value !== b[k] && !(Math.abs(value - b[k]!) <= 2 * tolerances.float16.value * most)) expect.fail(`result ${i}, element ${k}: got ${value}, in float32 ${b[k]}`) })
  })
}

const tables: readonly (readonly [string, Readonly<Record<string, AnyRow>>, Readonly<Record<string, readonly AnySample[]>>])[] =
  [['primitives', primitives, samples], ['library', library, librarySamples], ['composites', composites, compositeSamples]]

describe.each(tables)('%s', (_name, table, sampled) => {
  const cases = Object.entries(table).flatMap(([name, row]) => sampled[name]!.map((sample, i) => ({ name, i, row, sample })))
    // with an operand of float16, and all numbers within its range
    .filter(({ sample }) => realise('range', sample, 'float16').some(half) && realise('range', sample, 'float64').every(x => x.dtype !== 'float64' || numbers(x).every(value => Math.abs(value) < 1e4)))

  test.each(cases)('$name, sample $i', ({ name, row, sample }) => {
    const xs = realise(name, sample, 'float16')
    const f = (...zs: Tensor[]): Tensor[] => applyRow(row, zs, sample.params)
    const [ys, want] = [f(...xs), f(...xs.map(wide))]
    if (!('dtype' in (sample.params as object | undefined ?? {}))) ys.forEach((y, i) => { expect(y.dtype).toBe(want[i]!.dtype === 'float32' ? 'float16' : want[i]!.dtype) })
    close(ys, want)
    close(compile((...zs: Tensor[]) => f(...zs))(...xs), want)
    if (!want.some(y => isFloat(y.dtype))) return
    const moving = xs.filter(half)
    const slopes = (zs: Tensor[]): Tensor[] => grad((zs: Tensor[]) => {
      let next = 0
      return f(...xs.map(x => half(x) ? zs[next++]! : x)).filter(y => isFloat(y.dtype)).map(y => sum(cast(y, 'float32'))).reduce((a, b) => add(a, b))
    })(zs)
    close(slopes(moving), slopes(moving.map(wide)))
    close(compile(slopes)(moving), slopes(moving.map(wide)))
  })
})
