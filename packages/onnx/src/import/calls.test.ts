// Plain calls give the same as programs as op by op, and become programs only where nothing can tell.

import { cpu } from '@bp/backend-cpu'
import { grad, noGrad, type Tensor, tensor, use } from '@bp/core'
import { setVerifier } from '@bp/core/extend'
import { sum } from '@bp/ops'
import { afterEach, describe, expect, test } from 'vitest'
import { addOnnxLoRA, importOnnx, type OnnxModule } from '../index.ts'
import { graphOf, initialiser, modelBytes, node, nodeWith, value } from '../../test/model.ts'

use(cpu())

/** How many programs `f` makes. */
function programs(f: () => void): number {
  let count = 0
  setVerifier((_graph, pass) => { if (pass === 'traced') count++ })
  f()
  setVerifier(null)
  return count
}
afterEach(() => { setVerifier(null) })

/** y = max(x·w, 0). */
const layer = modelBytes(graphOf([node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['y'])], [value('x', ['n', 2])], [value('y', ['n', 2])], [initialiser('w', [2, 2], [1, -1, 2, 0.5])]))
const x = tensor([[1, 2], [3, -4]])
const want = [[5, 0], [0, 0]]
const plain = (model: OnnxModule, x: Tensor): unknown => noGrad(() => (model.forward(x) as Tensor).toArray())

test('the second call in the same shapes is compiled, no other is', () => {
  const model = importOnnx(layer)
  expect(programs(() => { expect(plain(model, x)).toEqual(want) })).toBe(0)
  expect(programs(() => { expect(plain(model, tensor([[1, 2]]))).toEqual([[5, 0]]) })).toBe(0)
  expect(programs(() => { expect(plain(model, x)).toEqual(want) })).toBe(1)
  expect(programs(() => { for (let i = 0; i < 5; i++) expect(noGrad(() => model.run({ x })).y!.toArray()).toEqual(want) })).toBe(0)
})

test('not more programs are kept than a few, whatever shapes come', () => {
  const model = importOnnx(layer).requiresGrad(false)
  const twice = (): number => programs(() => { for (let n = 1; n <= 8; n++) for (let i = 0; i < 2; i++) plain(model, tensor(new Float32Array(2 * n), { shape: [n, 2] })) })
  expect(twice()).toBe(8)
  // all were dropped before they came again
  expect(twice()).toBe(8)
})

describe('op by op', () => {
  const never = (model: OnnxModule, run: () => unknown): void => {
    plain(model, x)
    expect(programs(() => { for (let i = 0; i < 3; i++) run() })).toBe(0)
  }

  test('where asked for, or where operators are a user\'s own', () => {
    const [off, own] = [importOnnx(layer, { compile: false }), importOnnx(layer, { operators: { Relu: ([x]) => x! } })]
    never(off, () => plain(off, x))
    never(own, () => plain(own, x))
  })

  test('where gradients are recorded: of parameters, of inputs, of low-rank updates', () => {
    const model = importOnnx(layer)
    never(model, () => { expect((model.forward(x) as Tensor).requiresGrad).toBe(true) })
    model.requiresGrad(false)
    never(model, () => { expect((model.forward(tensor([[1, 2], [3, -4]], { requiresGrad: true })) as Tensor).requiresGrad).toBe(true) })
    never(model, () => { expect(grad((x: Tensor) => sum(model.forward(x) as Tensor))(x).toArray()).toEqual([[1, 2], [0, 0]]) })
    addOnnxLoRA(model, { rank: 1 })
    never(model, () => { expect((model.forward(x) as Tensor).requiresGrad).toBe(true) })
  })

  test('in training mode', () => {
    const model = importOnnx(layer).train()
    never(model, () => plain(model, x))
  })

  test('where shapes depend on data, after one attempt', () => {
    const model = importOnnx(modelBytes(graphOf([node('NonZero', ['x'], ['i']), nodeWith('Cast', ['i'], ['y'], { to: 1 })], [value('x', ['n', 2])], [value('y', [2, 'k'])])))
    for (const rows of [[[1, 0]], [[1, 1]], [[0, 0]], [[0, 1]]]) plain(model, tensor(rows))
    expect(plain(model, tensor([[1, 1]]))).toEqual([[0, 0], [0, 1]])
    expect(programs(() => { plain(model, tensor([[1, 1]])) })).toBe(0)
  })
})

test('what is assigned, loaded, frozen or replaced between calls counts', () => {
  const model = importOnnx(layer).requiresGrad(false)
  for (let i = 0; i < 3; i++) plain(model, x)
  const w = model.parameters()[0]!
  w.assign(tensor([[1, 0], [0, 1]]))
  expect(plain(model, x)).toEqual([[1, 2], [3, 0]])
  model.loadStateDict(new Map([['w', tensor([[0, 1], [1, 0]])]]))
  expect(plain(model, x)).toEqual([[2, 1], [0, 3]])
  addOnnxLoRA(model, { rank: 1 }).forEach(p => { p.assign(tensor(new Float32Array(p.size).fill(1), { shape: p.shape })) })
  for (let i = 0; i < 3; i++) expect(plain(model, x)).toEqual([[5, 4], [0, 2]])
})

test('an input of one whole number decides by its value', () => {
  const model = importOnnx(modelBytes(graphOf([node('Gather', ['x', 'k'], ['y'])], [value('x', [3]), { name: 'k', type: { tensorType: { elemType: 7, shape: { dim: [] } } } }], [value('y', [])])))
  const x = tensor([5, 6, 7])
  for (const k of [0, 1, 0, 1, 2, 2, 0, 1]) expect(model.run({ x, k: tensor(BigInt64Array.of(BigInt(k)), { shape: [] }) }).y!.item()).toBe(5 + k)
})

test('random numbers go on', () => {
  const model = importOnnx(modelBytes(graphOf([nodeWith('RandomUniformLike', ['x'], ['r'], { seed: 0.5 }), node('Add', ['x', 'r'], ['y'])], [value('x', [4])], [value('y', [4])])))
  const slow = importOnnx(modelBytes(graphOf([nodeWith('RandomUniformLike', ['x'], ['r'], { seed: 0.5 }), node('Add', ['x', 'r'], ['y'])], [value('x', [4])], [value('y', [4])])), { compile: false })
  const x = tensor([0, 0, 0, 0])
  const draws = Array.from({ length: 5 }, () => plain(model, x))
  expect(draws).toEqual(Array.from({ length: 5 }, () => plain(slow, x)))
  expect(new Set(draws.map(String)).size).toBe(5)
})

test('a mistake is told in the same words before and after', () => {
  const model = importOnnx(modelBytes(graphOf([node('Gather', ['x', 'i'], ['y'])], [value('x', [3]), { name: 'i', type: { tensorType: { elemType: 7, shape: { dim: [{ dimValue: 2 }] } } } }], [value('y', [2])])))
  const run = (i: number): unknown => model.run({ x: tensor([5, 6, 7]), i: tensor(BigInt64Array.of(0n, BigInt(i)), { shape: [2] }) }).y!.toArray()
  const message = (): string => { try { return String(run(3)) } catch (error) { return (error as Error).message } }
  const before = message()
  expect(before).toContain('Gather')
  expect([run(1), run(2), run(0)]).toEqual([[5, 6], [5, 7], [5, 5]])
  expect(message()).toBe(before)
  expect(run(2)).toEqual([5, 7])
})

test('an output that is an input or a weight', () => {
  const model = importOnnx(modelBytes(graphOf([node('Identity', ['x'], ['y']), node('Identity', ['w'], ['z'])], [value('x', [2])], [value('y', [2]), value('z', [2])], [initialiser('w', [2], [1, 2])]))).requiresGrad(false)
  const held = Array.from({ length: 3 }, (_, i) => model.run({ x: tensor([i, 1]) }))
  model.parameters()[0]!.assign(tensor([8, 9]))
  held.push(model.run({ x: tensor([3, 1]) }))
  // op by op, the first output is the weight itself
  expect(held.slice(1).map(({ y, z }) => [y!.toArray(), z!.toArray()])).toEqual([[[1, 1], [1, 2]], [[2, 1], [1, 2]], [[3, 1], [8, 9]]])
})
