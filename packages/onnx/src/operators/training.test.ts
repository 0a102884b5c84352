// ONNX's preview of training: gradients against those of the framework, steps against PyTorch's optimisers.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, type Tensor, tensor, use } from '@bp/core'
import { sum } from '@bp/ops'
import proto, { type onnx } from 'onnx-proto'
import { expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, node, nodeWith, type Setting, value } from '../../test/model.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const domain = 'ai.onnx.preview.training'
const untyped = (name: string): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType: 1 } } })

/** A node of the domain; lists of strings are allowed too. */
const training = (opType: string, inputs: string[], outputs: string[], settings: Readonly<Record<string, Setting>>, names: Readonly<Record<string, readonly string[]>> = {}): onnx.INodeProto => {
  const made = nodeWith(opType, inputs, outputs, settings)
  const lists = Object.entries(names).map(([name, list]) => ({ name, type: proto.onnx.AttributeProto.AttributeType.STRINGS, strings: list.map(text => new TextEncoder().encode(text)) }))
  return { ...made, domain, attribute: [...made.attribute ?? [], ...lists] }
}

/** y = Σ (w·x)² with its gradient by w and x, and the gradient of a part of the former by w. */
const second = (): Uint8Array => modelBytes(graphOf([
  node('MatMul', ['x', 'w'], ['h']), node('Mul', ['h', 'h'], ['square']), nodeWith('ReduceSum', ['square'], ['y'], { keepdims: 0 }),
  training('Gradient', ['w', 'x'], ['dw', 'dx'], { y: 'y' }, { xs: ['w', 'x'] }),
  training('Gradient', ['w', 'x'], ['ddw'], { y: 'dw' }, { xs: ['w'], zs: ['x'] }),
  training('Gradient', ['h'], ['dh'], { y: 'y' }, { xs: ['h'] }),
], [value('x', [1, 2])], ['y', 'dw', 'dx', 'ddw', 'dh'].map(untyped), [initialiser('w', [2, 1], [3, -1])]), 17, '', { [domain]: 1 })

test('Gradient differentiates the nodes that make a value, by what it is made of and by values between, again too', () => {
  const model = importOnnx(second())
  const { y, dw, dx, ddw, dh } = model.run({ x: tensor([[2, 5]]) })
  expect(y!.item()).toBe(1)
  expect(dw!.toArray()).toEqual([[4], [10]]) // 2·h·x
  expect(dx!.toArray()).toEqual([[6, -2]]) // 2·h·w
  expect(ddw!.toArray()).toEqual([[28], [70]]) // Σⱼ 2·xᵢ·xⱼ
  expect(dh!.toArray()).toEqual([[2]]) // 2·h
  const f = (x: Tensor): Tensor => model.run({ x }).dx!
  expect(compile(f)(tensor([[2, 5]])).toArray()).toEqual([[6, -2]])
  expect(grad((x: Tensor) => sum(f(x)))(tensor([[2, 5]])).toArray()).toEqual([[12, -4]]) // Σⱼ 2·wᵢ·wⱼ
})

/** A model of f = Σ x² that takes one step: x and its state, the rate and the number of the step to x and its state after it. */
const stepping = (optimiser: string, settings: Readonly<Record<string, Setting>>, states: readonly string[]): Uint8Array => modelBytes(graphOf([
  node('Mul', ['x', 'x'], ['y']), training('Gradient', ['x'], ['g'], { y: 'y' }, { xs: ['x'] }),
  training(optimiser, ['rate', 'time', 'x', 'g', ...states], ['x1', ...states.map(name => `${name}1`)], settings),
], [value('x', [2]), value('rate', []), { name: 'time', type: { tensorType: { elemType: 7, shape: {} } } }, ...states.map(name => value(name, [2]))], ['x1', ...states.map(name => `${name}1`)].map(untyped)), 17, '', { [domain]: 1 })

/* three steps from (1, −2) at the rate 0.1 by torch.optim of PyTorch 2.15 */
test.each<[string, string, Readonly<Record<string, Setting>>, readonly string[], number, readonly number[]]>([
  ['momentum', 'Momentum', { mode: 'standard', alpha: 0.9 }, ['v'], 0, [0.062, -0.124]],
  ['momentum of Nesterov', 'Momentum', { mode: 'nesterov', alpha: 0.9 }, ['v'], 0, [-0.108352, 0.216704]],
  ['Adagrad', 'Adagrad', {}, ['h'], 0, [0.780456, -1.775821]],
  ['Adam', 'Adam', { epsilon: 1e-8 }, ['v', 'h'], 1, [0.701586, -1.700623]],
])('%s steps as PyTorch does', (_name, optimiser, settings, states, first, want) => {
  const model = importOnnx(stepping(optimiser, settings, states))
  let x = tensor([1, -2])
  let own = states.map(() => tensor([0, 0], { dtype: 'float32' }))
  for (let t = first; t < first + 3; t++) {
    const made = model.run({ x, rate: tensor(0.1), time: tensor(t, { dtype: 'int64' }), ...Object.fromEntries(states.map((name, i) => [name, own[i]!])) })
    x = made.x1!
    own = states.map(name => made[`${name}1`]!)
  }
  x.dataSync().forEach((got: number | bigint, i: number) => { expect(Number(got)).toBeCloseTo(want[i]!, 5) })
})

test('a value that nothing makes, and too few inputs, are named', () => {
  const of = (y: string, inputs: string[]): Uint8Array => modelBytes(graphOf([training('Gradient', inputs, ['g'], { y }, { xs: ['x'] })], [value('x', [2])], [untyped('g')]), 17, '', { [domain]: 1 })
  expect(() => importOnnx(of('nowhere', ['x'])).run({ x: tensor([1, 2]) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "g" (ai.onnx.preview.training:Gradient): OnnxModule: nothing in its graph makes "nowhere". The file is damaged]`)
  expect(() => importOnnx(of('x', [])).run({ x: tensor([1, 2]) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "g" (ai.onnx.preview.training:Gradient): ai.onnx.preview.training:Gradient: names 1 values in xs and 0 in zs, but has 0 inputs. The file is damaged]`)
})
