// Adapters with four render targets, which is what WebGL 2 promises: no pass has more, and results are the same.

/// <reference lib="dom" />

import { cpu } from '@bp/backend-cpu'
import { compile, mul, tensor, type Tensor, use } from '@bp/core'
import { cos, exp, neg, relu, sin, tanh } from '@bp/ops'
import { conv, dot } from '@bp/ops/extend'
import { afterEach, expect, test, vi } from 'vitest'
import { backend as gpu } from '../../test/backend.ts'
import { webgl } from '../index.ts'

afterEach(() => { vi.restoreAllMocks() })

const numbers = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i))

const f = (x: Tensor): Tensor[] => {
  const y = mul(x, 2)
  return [y, exp(y), tanh(y), sin(y), cos(y), relu(y), neg(y)]
}
const products = (x: Tensor): Tensor[] => [
  dot(x, x),
  conv(tensor(numbers(2 * 5 * 9 * 11), { shape: [2, 5, 9, 11] }), tensor(numbers(8 * 5 * 3 * 3), { shape: [8, 5, 3, 3] }), { stride: [1, 1], padding: [[1, 1], [1, 1]], dilation: [1, 1], groups: 1 }),
]

test('passes have at most the render targets that there are', async () => {
  const { getParameter } = WebGL2RenderingContext.prototype
  const fewer = vi.spyOn(WebGL2RenderingContext.prototype, 'getParameter').mockImplementation(function (this: WebGL2RenderingContext, name: number): unknown {
    const value: unknown = getParameter.call(this, name)
    return name === this.MAX_DRAW_BUFFERS || name === this.MAX_COLOR_ATTACHMENTS ? 4 : value
  })
  const small = await webgl({ host: cpu() })
  expect(fewer).toHaveBeenCalled()
  const drawn = vi.spyOn(WebGL2RenderingContext.prototype, 'drawBuffers')
  const on = (backend: typeof gpu): number[][] => {
    use(backend)
    const x = tensor(numbers(24 * 24), { shape: [24, 24] })
    return [...compile(f)(x), ...products(x)].map(y => [...y.dataSync()].map(Number))
  }
  const got = on(small)
  const most = Math.max(...drawn.mock.calls.map(([buffers]) => [...buffers].length))
  expect(most).toBe(4)
  expect(got.slice(0, 7)).toEqual(on(gpu).slice(0, 7))
  // sums of products may be cut otherwise
  on(gpu).slice(7).forEach((list, k) => { list.forEach((value, i) => { expect(got[7 + k]![i]).toBeCloseTo(value, 4) }) })
})
