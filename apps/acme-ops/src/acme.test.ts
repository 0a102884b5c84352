// The laws on ops from outside, on two backends, and a network that trains with them and leaves through ONNX.

import { cpu } from '@bp/backend-cpu'
import { noGrad, tensor, use } from '@bp/core'
import { exportOnnx, Float, importOnnx, type ImportOptions } from '@bp/onnx'
import { away, defineSamples, laws, operand, reference, suite, uniform } from '@bp/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { charbonnierRow, snake, snakeRow, type SnakeParams } from './index.ts'
import { train } from './train.ts'

const snakeSamples = defineSamples(snakeRow, [
  { operands: [operand([2, 3])], params: { a: 1 } },
  { operands: [operand([4], uniform(-1, 1))], params: { a: 0.3 } },
])
const charbonnierSamples = defineSamples(charbonnierRow, [
  { operands: [operand([2, 3])], params: { eps: 0.5 } },
  { operands: [operand([5], away(-2, 2, [0]))], params: { eps: 0.01 } },
])

describe.each([['cpu', cpu], ['reference', reference]])('on %s', (_name, backend) => {
  beforeAll(() => { use(backend()) })
  afterAll(() => { use(cpu()) })
  suite(test, laws(snakeRow, snakeSamples))
  suite(test, laws(charbonnierRow, charbonnierSamples))
})

describe('a network', () => {
  beforeAll(() => { use(cpu()) })

  test('trains with both, and extrapolates where ReLU does not', () => {
    const [snake, relu] = [train('snake', 400), train('relu', 400)]
    expect(snake.last).toBeLessThan(0.1 * snake.first)
    expect(snake.beyond).toBeLessThan(0.5 * relu.beyond)
  })

  const customOperators = { [snakeRow.name]: { domain: 'acme', operator: 'Snake', attributes: ({ a }: SnakeParams) => ({ a: new Float(a) }) } }
  const operators: ImportOptions['operators'] = { 'acme:Snake': ([z], attributes) => snake(z!, attributes.float('a', 1)) }

  test.each([['its decomposition', {}, {}], ['an operator of its own', { customOperators }, { operators }]])('leaves through ONNX as %s, and comes back the same', (_name, writing, reading) => {
    const { model } = train('snake', 5)
    const x = tensor([[-1], [0.5], [2]])
    const again = importOnnx(exportOnnx(model, [{ name: 'x', shape: ['points', 1] }], writing), reading)
    const values = (y: { dataSync(): ArrayLike<number | bigint> }): number[] => Array.from(y.dataSync() as Float32Array)
    noGrad(() => {
      const want = values(model.forward(x))
      values([again.forward(x)].flat()[0]!).forEach((v, i) => { expect(v).toBeCloseTo(want[i]!, 5) })
    })
  })
})
