// Resizing and sampling of imported models against onnxruntime, and where the specification says more, by hand.

import { cpu } from '@bp/backend-cpu'
import { type Tensor, tensor, use } from '@bp/core'
import { Generator } from '@bp/ops'
import proto, { type onnx } from 'onnx-proto'
import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { attribute, graphOf, initialiser, modelBytes, node, nodeWith, value, whole } from '../../test/model.ts'
import { importOnnx, UnsupportedOperatorError } from '../index.ts'

use(cpu())

type Settings = Readonly<Record<string, string | number | readonly number[]>>

/** A model of one node. */
function bytesOf(operator: string, opset: number, feeds: Readonly<Record<string, Tensor>>, constants: readonly onnx.ITensorProto[], inputs: readonly string[], settings: Settings): Uint8Array {
  const only = nodeWith(operator, [...inputs], ['y'], settings)
  return modelBytes(graphOf([only], Object.entries(feeds).map(([name, x]) => value(name, [...x.shape])), [{ name: 'y', type: { tensorType: { elemType: 1 } } }], [...constants]), opset)
}

/** Runs a model here and in onnxruntime; both must agree. */
async function agree(bytes: Uint8Array, feeds: Readonly<Record<string, Tensor>>): Promise<void> {
  const session = await runtime.InferenceSession.create(bytes, { logSeverityLevel: 4 })
  const theirs = (await session.run(Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, new runtime.Tensor('float32', x.dataSync() as Float32Array, x.shape)])))).y!
  const y = importOnnx(bytes).run(feeds).y!
  expect(y.shape).toEqual(theirs.dims)
  const got = y.dataSync()
  const want = theirs.data as Float32Array
  for (let i = 0; i < want.length; i++) expect(Math.abs(Number(got[i]) - want[i]!), `element ${i}`).toBeLessThan(1e-4)
}

const random = (shape: readonly number[], seed = 1): Tensor => new Generator(seed).uniform(shape, { low: -1.5, high: 1.5 })

describe('Resize equals onnxruntime', () => {
  const x = random([1, 2, 5, 7])
  const modes: readonly Settings[] = [
    { mode: 'nearest' }, { mode: 'nearest', nearest_mode: 'ceil' }, { mode: 'nearest', nearest_mode: 'floor' }, { mode: 'nearest', nearest_mode: 'round_prefer_ceil' },
    { mode: 'linear' }, { mode: 'cubic' }, { mode: 'cubic', cubic_coeff_a: -0.5, exclude_outside: 1 },
  ]
  const coordinates = ['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric', 'half_pixel_symmetric']
  const cases = coordinates.flatMap(coordinate => modes.map(mode => ({ ...mode, coordinate_transformation_mode: coordinate })))

  test.each(cases.map(settings => [Object.values(settings).join(' '), settings] as const))('%s', async (_name, settings) => {
    await agree(bytesOf('Resize', 19, { x }, [whole('sizes', [1, 2, 8, 3])], ['x', '', '', 'sizes'], settings), { x })
  })

  test.each<[string, Settings]>([['linear', { mode: 'linear' }], ['cubic', { mode: 'cubic' }], ['without the outside', { mode: 'cubic', exclude_outside: 1 }]])('antialias, %s', async (_name, settings) => {
    await agree(bytesOf('Resize', 19, { x }, [whole('sizes', [1, 2, 2, 4])], ['x', '', '', 'sizes'], { ...settings, antialias: 1 }), { x })
  })

  test.each(['not_larger', 'not_smaller'])('proportions kept, %s', async policy => {
    await agree(bytesOf('Resize', 19, { x }, [whole('sizes', [9, 9])], ['x', '', '', 'sizes'], { mode: 'linear', axes: [2, 3], keep_aspect_ratio_policy: policy }), { x })
  })

  test('a crop that reaches outside', async () => {
    const constants = [initialiser('roi', [8], [0, 0, 0.2, -0.3, 1, 1, 0.7, 0.9]), whole('sizes', [1, 2, 4, 4])]
    await agree(bytesOf('Resize', 19, { x }, constants, ['x', 'roi', '', 'sizes'], { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize', extrapolation_value: 7.5 }), { x })
  })

  test.each([7, 9])('Upsample of operator set %i', async opset => {
    const scales = [1, 1, 2, 1.5]
    const bytes = opset === 7
      ? modelBytes(graphOf([{ ...node('Upsample', ['x'], ['y']), attribute: [{ name: 'scales', type: proto.onnx.AttributeProto.AttributeType.FLOATS, floats: scales }, attribute('mode', 'linear')] }], [value('x', [1, 2, 5, 7])], [{ name: 'y', type: { tensorType: { elemType: 1 } } }]), 7)
      : bytesOf('Upsample', 9, { x }, [initialiser('scales', [4], scales)], ['x', 'scales'], { mode: 'nearest' })
    await agree(bytes, { x })
  })
})

describe('Resize', () => {
  const resized = (opset: number, scales: number[], settings: Settings): (() => Tensor) => {
    const bytes = bytesOf('Resize', opset, { x: tensor([[1, 2, 3, 4]]) }, [initialiser('scales', [2], scales)], opset === 10 ? ['x', 'scales'] : ['x', '', 'scales'], settings)
    return () => importOnnx(bytes).forward(tensor([[1, 2, 3, 4]])) as Tensor
  }

  test('keeps the fraction of a size that a scale gives when it aligns corners', () => {
    const y = resized(19, [1, 0.6], { mode: 'linear', coordinate_transformation_mode: 'align_corners' })()
    expect(String(y)).toBe('tensor([[1, 3.14286]], float32)')
  })

  test('of operator set 10 rounds down', () => { expect(String(resized(10, [1, 1.5], { mode: 'nearest' })())).toBe('tensor([[1, 1, 2, 3, 3, 4]], float32)') })

  test('refuses what it does not know', () => {
    expect(resized(19, [1, 2], { mode: 'lanczos' })).toThrow(UnsupportedOperatorError)
    expect(resized(10, [1, 2], { mode: 'cubic' })).toThrow(UnsupportedOperatorError)
    expect(resized(19, [1, 0], {})).toThrow('cannot be resized by 0')
  })

  test('needs scales or sizes, as many as axes', () => {
    const x = tensor([[1, 2]])
    expect(() => importOnnx(bytesOf('Resize', 19, { x }, [], ['x'], {})).forward(x)).toThrow('either scales or sizes')
    expect(() => importOnnx(bytesOf('Resize', 19, { x }, [initialiser('s', [1], [2])], ['x', '', 's'], {})).forward(x)).toThrow('scales has 1 entries for 2 axes')
  })
})

describe('GridSample equals onnxruntime', () => {
  const cases = ['linear', 'nearest', 'cubic'].flatMap(mode => ['zeros', 'border', 'reflection'].flatMap(padding => [0, 1].map(align => ({ mode, padding_mode: padding, align_corners: align }))))

  test.each(cases.map(settings => [Object.values(settings).join(' '), settings] as const))('%s', async (_name, settings) => {
    const feeds = { x: random([2, 3, 4, 5]), grid: random([2, 4, 3, 2], 2) }
    await agree(bytesOf('GridSample', 20, feeds, [], ['x', 'grid'], settings), feeds)
    const solid = { x: random([1, 2, 3, 4, 2]), grid: random([1, 2, 3, 2, 3], 3) }
    if (settings.mode !== 'cubic') await agree(bytesOf('GridSample', 20, solid, [], ['x', 'grid'], settings), solid)
  })

  test('under the names of operator set 16', async () => {
    const feeds = { x: random([1, 1, 4, 5]), grid: random([1, 4, 3, 2], 2) }
    await agree(bytesOf('GridSample', 16, feeds, [], ['x', 'grid'], { mode: 'bicubic', padding_mode: 'border' }), feeds)
  })
})

describe('columns and places', () => {
  test('Col2Im', async () => {
    const x = random([2, 12, 15])
    await agree(bytesOf('Col2Im', 18, { x }, [whole('image', [5, 6]), whole('block', [2, 3])], ['x', 'image', 'block'], { dilations: [2, 1], strides: [2, 1], pads: [0, 1, 2, 0] }), { x })
  })

  test.each([[[] as number[]], [[1, 1, 5, 5]]])('MaxUnpool into %j', shape => {
    const x = tensor([[[[5, 6], [7, 8]]]])
    const constants = [{ name: 'places', dims: [1, 1, 2, 2], dataType: 7, int64Data: [5, 7, 13, 15] }, ...shape.length > 0 ? [whole('shape', shape)] : []]
    const bytes = bytesOf('MaxUnpool', 11, { x }, constants, ['x', 'places', ...shape.length > 0 ? ['shape'] : []], { kernel_shape: [2, 2], strides: [2, 2] })
    const rows = [[0, 0, 0, 0], [0, 5, 0, 6], [0, 0, 0, 0], [0, 7, 0, 8]]
    const want = shape.length > 0 ? [...rows.map(row => [...row, 0]), [0, 0, 0, 0, 0]] : rows
    expect((importOnnx(bytes).forward(x) as Tensor).toArray()).toEqual([[want]])
  })

  test('AffineGrid', async () => {
    const theta = random([2, 2, 3])
    await agree(bytesOf('AffineGrid', 20, { theta }, [whole('size', [2, 1, 3, 4])], ['theta', 'size'], { align_corners: 1 }), { theta })
  })
})
