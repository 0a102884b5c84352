// Products and convolutions of random shapes against the CPU backend, in a real browser.

import { cpu } from '@bp/backend-cpu'
import { tensor, type Tensor, use } from '@bp/core'
import { cast } from '@bp/ops'
import { conv, type ConvGeometry, convInput, convSize, convWeight, dot } from '@bp/ops/extend'
import { expect, test } from 'vitest'
import { backend as gpu } from '../../../test/backend.ts'
import { Chance } from '../../../test/chance.ts'

/** Milliseconds: each geometry compiles passes of its own. */
const patience = 120_000

const host = cpu()

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1)

/** Expects both backends to agree to `tolerance` of the largest magnitude, and no texture to be left. */
function compare(chance: Chance, what: string, shapes: readonly (readonly number[])[], f: (...xs: Tensor[]) => Tensor, tolerance = 1e-4): void {
  const data = shapes.map(shape => chance.floats(sizeOf(shape)))
  const on = (backend: typeof host | typeof gpu): Float32Array => {
    use(backend)
    const xs = shapes.map((shape, i) => tensor(data[i]!, { shape }))
    const y = f(...xs)
    const numbers = Float32Array.from(cast(y, 'float32').dataSync() as Float32Array)
    for (const x of new Set([...xs, y])) x.backend.free?.(x.storage!)
    return numbers
  }
  const want = on(host)
  const got = on(gpu)
  expect(got.length, what).toBe(want.length)
  const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-6)
  const off = want.reduce((most, x, i) => Math.max(most, Math.abs(x - got[i]!)), 0)
  expect(off / largest, `${what} of ${JSON.stringify(shapes)}`).toBeLessThanOrEqual(tolerance)
  expect(got.some(Number.isNaN), what).toBe(false)
}

const flags = [false, true]

test('products of random matrices, each operand either way round', { timeout: patience }, () => {
  const chance = new Chance(1)
  const before = gpu.memory().textures
  for (let i = 0; i < 12; i++) {
    const lead = Array.from({ length: chance.int(0, 2) }, () => chance.int(1, 3))
    const [m, n, k] = [chance.int(1, 40), chance.int(1, 40), i % 4 === 0 ? chance.int(100, 900) : chance.int(1, 40)]
    for (const ta of flags) {
      for (const tb of flags) compare(chance, `dot ${ta} ${tb}`, [[...lead, ...ta ? [k, m] : [m, k]], [...lead, ...tb ? [n, k] : [k, n]]], (a, b) => dot(a, b, ta, tb))
    }
  }
  expect(gpu.memory().textures).toBe(before)
})

test('products without rows, columns or terms', () => {
  const chance = new Chance(2)
  for (const [m, k, n] of [[0, 3, 4], [3, 0, 4], [3, 4, 0]] as const) compare(chance, 'dot', [[m, k], [k, n]], (a, b) => dot(a, b))
})

test('products of float16, rounded once', () => {
  compare(new Chance(3), 'dot', [[33, 70], [70, 21]], (a, b) => dot(cast(a, 'float16'), cast(b, 'float16')), 1e-3)
})

/** A random geometry, and the shapes of x, w and y in it. */
function geometry(chance: Chance): { readonly p: ConvGeometry; readonly x: number[]; readonly w: number[]; readonly y: number[] } {
  const rank = chance.int(1, 3)
  const groups = chance.next() < 0.3 ? chance.int(2, 4) : 1
  const [n, summed, per] = [chance.int(1, 3), chance.int(1, 5), chance.int(1, chance.next() < 0.2 ? 20 : 5)]
  const single = chance.next() < 0.15
  const axes = Array.from({ length: rank }, () => {
    const kernel = single ? 1 : chance.int(1, rank === 1 ? 20 : 5)
    const stride = chance.next() < 0.5 ? 1 : chance.int(1, 3)
    const dilation = chance.next() < 0.6 ? 1 : chance.int(1, 3)
    const padding = chance.next() < 0.4 ? [0, 0] as const : [chance.int(0, 3), chance.int(0, 3)] as const
    const size = Math.max(1, chance.int(1, [40, 20, 9][rank - 1]!), dilation * (kernel - 1) + 1 - padding[0] - padding[1])
    return { kernel, stride, dilation, padding, size, out: convSize(size, kernel, stride, padding, dilation) }
  })
  return {
    p: { stride: axes.map(axis => axis.stride), padding: axes.map(axis => axis.padding), dilation: axes.map(axis => axis.dilation), groups },
    x: [n, summed * groups, ...axes.map(axis => axis.size)], w: [per * groups, summed, ...axes.map(axis => axis.kernel)], y: [n, per * groups, ...axes.map(axis => axis.out)],
  }
}

test('the faces of convolutions of random geometry', { timeout: patience }, () => {
  const chance = new Chance(4)
  const before = gpu.memory().textures
  for (let i = 0; i < 16; i++) {
    const { p, x, w, y } = geometry(chance)
    const text = JSON.stringify(p)
    compare(chance, `conv ${text}`, [x, w], (a, b) => conv(a, b, p))
    compare(chance, `convInput ${text}`, [y, w], (a, b) => convInput(a, b, { ...p, size: x.slice(2) }))
    compare(chance, `convWeight ${text}`, [x, y], (a, b) => convWeight(a, b, { ...p, kernel: w.slice(2) }))
  }
  expect(gpu.memory().textures).toBe(before)
})

test('convolutions of float16', () => {
  const p = { stride: [1, 1], padding: [[1, 1], [1, 1]], dilation: [1, 1], groups: 1 } as const
  compare(new Chance(5), 'conv', [[2, 5, 9, 11], [7, 5, 3, 3]], (x, w) => conv(cast(x, 'float16'), cast(w, 'float16'), p), 1e-3)
})
