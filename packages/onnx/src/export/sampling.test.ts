// Resizing, sampling by a grid, margins, attention and root mean squares are one operator in exported files, and give what they gave.

import { type Tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import * as ops from '@bp/ops'
import proto from 'onnx-proto'
import { expect, test } from 'vitest'
import { expectAsRuntime } from '../../test/runtime.ts'
import { exportOnnx } from '../index.ts'

use(cpu())

const generator = new ops.Generator(7)
const draw = (...shape: number[]): Tensor => generator.uniform(shape, { low: -1, high: 1 })
const operatorsOf = (bytes: Uint8Array): string[] => (proto.onnx.ModelProto.decode(bytes).graph?.node ?? []).flatMap(({ opType }) => opType === 'Constant' ? [] : opType!)

type Case = readonly [name: string, operator: string, f: (...xs: Tensor[]) => Tensor, xs: readonly Tensor[], opset: number]

const image = draw(2, 3, 5, 6)
const resized: Case[] = ([
  { size: [7, 9] }, { scaleFactor: 2 }, { scaleFactor: [0.5, 1.7] }, { size: [7, 9], mode: 'nearest-exact' }, { scaleFactor: 2, mode: 'bilinear' }, { size: [3, 8], mode: 'bilinear', alignCorners: true },
  { scaleFactor: 1.7, mode: 'bilinear', recomputeScaleFactor: true }, { scaleFactor: 2, mode: 'bicubic' }, { size: [4, 9], mode: 'bicubic', alignCorners: true },
] as const satisfies readonly ops.InterpolateOptions[]).map((options): Case => [JSON.stringify(options), 'Resize', x => ops.interpolate(x, options), [image], 17])

const cases: readonly Case[] = [
  ...resized,
  ['shrunk with smooth weights', 'Resize', x => ops.interpolate(x, { size: [3, 4], mode: 'bilinear', antialias: true }), [image], 18],
  ['shrunk with smooth cubic weights', 'Resize', x => ops.interpolate(x, { size: [3, 4], mode: 'bicubic', antialias: true }), [image], 18],
  ...(['bilinear', 'nearest', 'bicubic'] as const).flatMap(mode => [16, 20].map((opset): Case => [`${mode} by a grid, ${opset}`, 'GridSample', (x, grid) => ops.gridSample(x, grid, { mode, paddingMode: 'border' }), [image, draw(2, 4, 3, 2)], opset])),
  ...(['reflect', 'edge', 'circular'] as const).map((mode): Case => [`a margin, ${mode}`, 'Pad', x => ops.pad(x, [[0, 0], [0, 0], [2, 1], [0, 3]], { mode }), [image], 19]),
  ['a margin of infinity', 'Pad', x => ops.pad(x, [[0, 0], [0, 0], [1, -1], [2, 0]], { value: -9 }), [image], 17],
  ['causal attention', 'Attention', (q, k, v) => ops.scaledDotProductAttention(q, k, v, { causal: true }), [draw(2, 2, 3, 4), draw(2, 2, 3, 4), draw(2, 2, 3, 5)], 23],
  ['attention with a mask', 'Attention', (q, k, v, mask) => ops.scaledDotProductAttention(q, k, v, { mask, scale: 0.3 }), [draw(2, 2, 3, 4), draw(2, 2, 5, 4), draw(2, 2, 5, 4), draw(3, 5)], 23],
  ['attention with a mask of keys', 'Attention', (q, k, v, mask) => ops.scaledDotProductAttention(q, k, v, { mask }), [draw(2, 2, 3, 4), draw(2, 2, 5, 4), draw(2, 2, 5, 4), draw(2, 1, 1, 5)], 23],
  ['attention with one mask of keys', 'Attention', (q, k, v, mask) => ops.scaledDotProductAttention(q, k, v, { mask }), [draw(2, 2, 3, 4), draw(2, 2, 5, 4), draw(2, 2, 5, 4), draw(5)], 23],
  ['attention with a mask of queries', 'Attention', (q, k, v, mask) => ops.scaledDotProductAttention(q, k, v, { mask }), [draw(2, 2, 3, 4), draw(2, 2, 5, 4), draw(2, 2, 5, 4), draw(2, 3, 1)], 23],
  ['root mean squares', 'RMSNormalization', (x, scale) => ops.rmsNorm(x, 1, scale), [draw(2, 3, 4), draw(4)], 23],
]

test.each(cases)('%s', async (_name, operator, f, xs, opset) => {
  const bytes = exportOnnx(f, xs.map((x, i) => ({ name: `x${i}`, shape: x.shape })), { opset })
  expect(operatorsOf(bytes).filter(name => name !== 'Mul' && name !== 'Expand')).toEqual([operator])
  const { output } = await expectAsRuntime(bytes, Object.fromEntries(xs.map((x, i) => [`x${i}`, x])))
  const want = f(...xs)
  expect(output!.shape).toEqual(want.shape)
  expect(ops.amax(ops.abs(ops.sub(output!, want))).item()).toBeLessThan(1e-5)
})

test.each([
  ['Resize', (x: Tensor): Tensor => ops.interpolate(x, { scaleFactor: 2, mode: 'bilinear' })],
  ['Resize', (x: Tensor): Tensor => ops.interpolate(x, { size: [5, 4], mode: 'bicubic' })],
  ['Pad', (x: Tensor): Tensor => ops.pad(x, [[0, 0], [0, 0], [2, 2], [1, 1]], { mode: 'reflect' })],
] as const)('%s at open sizes', async (operator, f) => {
  const bytes = exportOnnx(f, [{ name: 'x', shape: ['batch', 3, 'height', 'width'] }])
  expect(operatorsOf(bytes)).toContain(operator)
  for (const x of [draw(1, 3, 4, 5), draw(3, 3, 9, 6)]) {
    const { output } = await expectAsRuntime(bytes, { x })
    expect(ops.amax(ops.abs(ops.sub(output!, f(x)))).item()).toBeLessThan(1e-5)
  }
})
