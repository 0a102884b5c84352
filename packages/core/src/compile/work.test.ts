// Costs: products count as such, their derivatives as much, views nothing.

import { cpu } from '@bp/backend-cpu'
import { convolve, matmul, randomBits, sort, sum, transpose } from '@bp/ops'
import { describe, expect, it } from 'vitest'
import { use } from '../eager.ts'
import { grad } from '../grad.ts'
import type { Tensor } from '../tensor.ts'
import { type InputSpec, trace } from '../trace.ts'
import { mul } from '../vector.ts'
import { avalsOf, costOf, flopsOf } from './work.ts'

use(cpu())

const f32 = (...shape: number[]): InputSpec => ({ shape, dtype: 'float32' })

/** Operations of each contraction, or of every op. */
function flops(f: (...xs: Tensor[]) => Tensor | Tensor[], inputs: readonly InputSpec[], of = 'contract'): number[] {
  const graph = trace(f, inputs)
  const avals = avalsOf(graph)
  return graph.nodes.filter(({ row }) => row.fuse === of || of === 'any').map(node => flopsOf(node, avals))
}

describe('operations', () => {
  it('of a product and of its two derivatives: 2 · rows · columns · inner', () => {
    const both = (f: (a: Tensor, b: Tensor) => Tensor) => (a: Tensor, b: Tensor): Tensor[] => [0, 1].map(argnum => grad((a: Tensor, b: Tensor) => sum(mul(f(a, b), f(a, b))), { argnum })(a, b))
    const counts = [
      flops(both((a, b) => matmul(a, b)), [f32(5, 3, 7), f32(5, 7, 4)]),
      flops(both((a, b) => matmul(transpose(a, [0, 2, 1]), b)), [f32(5, 7, 3), f32(5, 7, 4)]),
    ].flat()
    expect(counts.length).toBeGreaterThanOrEqual(8)
    expect(new Set(counts)).toEqual(new Set([5 * 2 * 3 * 4 * 7]))
  })

  it('of a convolution and of its two derivatives: 2 · places · kernel', () => {
    const f = (x: Tensor, w: Tensor): Tensor => convolve(x, w, { padding: 1, stride: 2, groups: 2 })
    const counts = flops((x, w) => [0, 1].map(argnum => grad((x: Tensor, w: Tensor) => sum(mul(f(x, w), f(x, w))), { argnum })(x, w)), [f32(2, 4, 8, 8), f32(6, 2, 3, 3)])
    expect(counts.length).toBeGreaterThanOrEqual(4)
    expect(new Set(counts)).toEqual(new Set([2 * (2 * 6 * 4 * 4) * (2 * 3 * 3)]))
  })

  it('of elementwise ops and reductions: their elements; of views none; of random bits many; of opaque ops times the longest axis', () => {
    expect(flops(x => sum(mul(transpose(x), 2), [0]), [f32(3, 4)], 'any').reduce((a, b) => a + b)).toBeGreaterThanOrEqual(24)
    expect(flops(x => transpose(x), [f32(3, 4)], 'view')).toEqual([0])
    expect(flops(key => randomBits(key, [10]), [{ shape: [2], dtype: 'int32' }], 'source')).toEqual([800])
    expect(flops(x => sort(x)[0], [f32(3, 4)], 'opaque')).toContain(12 * 4)
  })

  it('and the bytes that move make the cost', () => {
    const graph = trace(x => mul(x, x), [f32(10)])
    expect(costOf(graph.nodes[0]!, avalsOf(graph))).toBe(10 + 3 * 40)
  })
})
