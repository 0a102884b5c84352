// Bitwise operators of imported models are written again; what ONNX has no operator for is refused by name.

import { tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { expect, test } from 'vitest'
import { graphOf, modelBytes, node, nodeWith, type value } from '../../test/model.ts'
import { expectAsRuntime } from '../../test/runtime.ts'
import { exportOnnx, importOnnx } from '../index.ts'

use(cpu())

const whole = (name: string): ReturnType<typeof value> => ({ name, type: { tensorType: { elemType: 6, shape: { dim: [{ dimValue: 4 }] } } } })
const modelOf = (operator: string, direction?: string): Uint8Array =>
  modelBytes(graphOf([direction === undefined ? node(operator, ['a', 'b'], ['y']) : nodeWith(operator, ['a', 'b'], ['y'], { direction })], [whole('a'), whole('b')], [whole('y')]), 18)
const feeds = { a: tensor([12, 10, 7, -3], { dtype: 'int32' }), b: tensor([3, 1, 2, 5], { dtype: 'int32' }) }

test.each([['BitwiseAnd', undefined, [0, 0, 2, 5]], ['BitwiseOr', undefined, [15, 11, 7, -3]], ['BitwiseXor', undefined, [15, 11, 5, -8]], ['BitShift', 'LEFT', [96, 20, 28, -96]]] as const)('%s', async (operator, direction, want) => {
  const { y } = await expectAsRuntime(exportOnnx(importOnnx(modelOf(operator, direction)), null, { opset: 18 }), feeds)
  expect([...y!.dataSync()]).toEqual(want)
})

test('operators that a set has not, and shifts that keep the sign, are refused', () => {
  expect(() => exportOnnx(importOnnx(modelOf('BitwiseAnd')), null, { opset: 17 })).toThrowErrorMatchingInlineSnapshot(`[BpError: exportOnnx: onnx/bits (op 1 of 1) is BitwiseAnd, which operator set 17 has not. Export with opset 18 or later]`)
  expect(() => exportOnnx(importOnnx(modelOf('BitShift', 'RIGHT')), null, { opset: 18 })).toThrowErrorMatchingInlineSnapshot(`[BpError: exportOnnx: onnx/bits (op 1 of 1) shifts signed numbers to the right, which ONNX has no operator for. Divide by a power of two]`)
})
