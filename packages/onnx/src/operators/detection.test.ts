// Boxes, regions and deformable kernels against onnxruntime, and their derivatives against differences.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, mul, type Tensor, tensor, use } from '@bp/core'
import { Generator, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { agrees, type Single, single, singleBytes } from '../../test/oracle.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const random = (shape: readonly number[], seed = 1, dtype: 'float32' | 'float64' = 'float32'): Tensor => new Generator(seed).normal(shape, { dtype })
const whole = (values: readonly number[], shape = [values.length]): Tensor => tensor(BigInt64Array.from(values, BigInt), { shape })

/** Expects the gradient of each operand that is a float to be that of central differences, eagerly and compiled. */
function expectDerivatives(node: Single, operands: readonly Tensor[], of: readonly number[]): void {
  const model = importOnnx(singleBytes({ ...node, outputs: ['float64'] }, operands))
  const y = model.forward(...operands) as Tensor
  const ct = random(y.shape, 9, 'float64')
  for (const i of of) {
    const loss = (x: Tensor): Tensor => sum(mul(model.forward(...operands.with(i, x)) as Tensor, ct))
    const x = operands[i]!
    const data = x.dataSync() as Float64Array
    const moved = (k: number, by: number): number => loss(tensor(data.map((v, at) => at === k ? v + by : v), { shape: x.shape })).item()
    const got = grad(loss)(x).dataSync() as Float64Array
    for (let k = 0; k < data.length; k += 7) expect(got[k], `operand ${i}, element ${k}`).toBeCloseTo((moved(k, 1e-6) - moved(k, -1e-6)) / 2e-6, 5)
    expect(String(compile(grad(loss))(x))).toBe(String(grad(loss)(x)))
  }
}

describe('NonMaxSuppression', () => {
  const node = (settings: Single['settings'] = {}): Single => ({ operator: 'NonMaxSuppression', opset: 11, settings, outputs: ['int64'] })
  const scores = new Generator(2).uniform([2, 3, 12])

  test.each([0, 1])('equals onnxruntime, center_point_box = %i', async centred => {
    const boxes = new Generator(1).uniform([2, 12, 4], { low: centred ? 0.1 : -1, high: 1 })
    for (const most of [0, 1, 4]) await agrees(node({ center_point_box: centred }), [boxes, scores, whole([most]), tensor([0.3]), tensor([0.2])])
    await agrees(node({ center_point_box: centred }), [boxes, scores, whole([12]), tensor([0.1])])
  })

  test('keeps none where no number of boxes is given, and the first of equal scores', () => {
    const boxes = tensor([[[0, 0, 1, 1], [5, 5, 6, 6], [0, 0, 1, 1]]])
    expect(single(node(), boxes, tensor([[[1, 1, 1]]]))[0]!.shape).toEqual([0, 3])
    expect(single(node(), boxes, tensor([[[1, 1, 1]]]), whole([9]), tensor([0.5]))[0]!.toArray()).toEqual([[0n, 0n, 0n], [0n, 0n, 1n]])
  })

  test('says what it needs', () => {
    expect(() => single(node(), random([1, 3, 4]), random([1, 2, 4]), whole([1]))).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y0" (NonMaxSuppression): NonMaxSuppression: needs boxes [n, boxes, 4] and scores [n, classes, boxes], got f32[1,3,4] and f32[1,2,4]]`)
  })
})

describe('regions', () => {
  const regions = tensor([[0.5, 1, 5.5, 6], [-1, 2, 3.2, 9], [4, 4, 4.1, 4.2], [1.3, 0.2, 7.9, 3.1]])
  const x = random([2, 3, 8, 9])

  test.each(['avg', 'max'].flatMap(mode => [0, 2].flatMap(ratio => [10, 16].map(opset => [mode, ratio, opset] as const))))('RoiAlign equals onnxruntime: %s, %i places a bin, operator set %i', async (mode, ratio, opset) => {
    for (const transformation of opset < 16 ? [null] : ['half_pixel', 'output_half_pixel']) {
      const settings = { mode, sampling_ratio: ratio, output_height: 3, output_width: 2, spatial_scale: { float: 0.75 }, ...transformation && { coordinate_transformation_mode: transformation } }
      await agrees({ operator: 'RoiAlign', opset, settings }, [x, regions, whole([0, 1, 1, 0])])
    }
  })

  test('means of regions are differentiable in the image and in the regions, and compile', () => {
    const settings = { sampling_ratio: 2, output_height: 2, output_width: 3 }
    const some = tensor([[0.53, 1.2, 4.57, 3.9], [1.31, 0.24, 4.93, 3.17]], { dtype: 'float64' })
    expectDerivatives({ operator: 'RoiAlign', opset: 16, settings }, [random([2, 1, 5, 6], 3, 'float64'), some, whole([1, 0])], [0, 1])
    expectDerivatives({ operator: 'RoiAlign', opset: 16, settings: { ...settings, mode: 'max' } }, [random([2, 1, 5, 6], 3, 'float64'), some, whole([1, 0])], [0])
  })

  test('MaxRoiPool equals onnxruntime, and leads its gradient to the largest', async () => {
    const boxes = tensor([[0, 0.5, 1, 5.5, 6], [1, 4, 4, 4, 4], [1, 6.5, 0, 12, 3]])
    await agrees({ operator: 'MaxRoiPool', opset: 6, settings: { pooled_shape: [3, 2], spatial_scale: { float: 0.5 } } }, [x, boxes])
    const model = importOnnx(singleBytes({ operator: 'MaxRoiPool', opset: 6, settings: { pooled_shape: [1, 1] } }, [x, boxes]))
    const places = grad((v: Tensor) => sum(model.forward(v, boxes) as Tensor))(x).dataSync() as Float32Array
    expect(places.reduce((a, b) => a + b)).toBe(9)
  })
})

describe('DeformConv', () => {
  const settings = { strides: [1, 2], pads: [1, 0, 0, 0], dilations: [1, 1] }
  const operands = (offsetGroups: number, groups: number, dtype: 'float32' | 'float64'): Tensor[] => [
    random([2, 4, 5, 7], 1, dtype), random([4, 4 / groups, 2, 3], 2, dtype), random([2, offsetGroups * 12, 5, 3], 3, dtype), random([4], 4, dtype), random([2, offsetGroups * 6, 5, 3], 5, dtype),
  ]

  test.each([[1, 1], [2, 1], [1, 2], [4, 2]])('equals onnxruntime: %i groups of offsets, %i groups', async (offsetGroups, groups) => {
    const all = operands(offsetGroups, groups, 'float32')
    const node = { operator: 'DeformConv', opset: 19, settings: { ...settings, offset_group: offsetGroups, group: groups } }
    await agrees(node, all)
    await agrees(node, all.slice(0, 3))
  })

  test('is differentiable in all operands, and compiles', () => {
    expectDerivatives({ operator: 'DeformConv', opset: 19, settings: { ...settings, offset_group: 2 } }, operands(2, 1, 'float64'), [0, 1, 2, 3, 4])
  })

  test('says what the offsets must be', () => {
    const [x, w] = operands(1, 1, 'float32')
    expect(() => single({ operator: 'DeformConv', opset: 19 }, x!, w!, random([2, 12, 5, 5]))).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y0" (DeformConv): DeformConv: f32[2,4,5,7] with weights f32[4,4,2,3] in 1 group(s) needs offsets [2,12,4,5], got f32[2,12,5,5]]`)
  })
})
