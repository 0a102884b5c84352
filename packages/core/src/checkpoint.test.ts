// Checkpointing: the same gradients to the bit, from less memory, in every nesting.

import { cpu } from '@bp/backend-cpu'
import { cast, Generator, matmul, sum, tanh } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { trace, runGraph } from './extend.ts'
import { add, backward, checkpoint, checkpointSequential, grad, gradients, jvp, mul, noGrad, tapeMemory, type Tensor, tensor, use, Variable, vjp } from './index.ts'

use(cpu())

const random = (seed: number, shape: number[]): Tensor => new Generator(seed).normal(shape)
const weights = (count: number): Tensor[] => Array.from({ length: count }, (_, i) => {
  const w = random(i + 1, [4, 4])
  w.requiresGrad = true
  return w
})
const layersOf = (ws: readonly Tensor[]) => ws.map(w => (x: Tensor): Tensor => tanh(matmul(x, w)))
const bits = (x: Tensor | null): Uint32Array => new Uint32Array((x!.dataSync() as Float32Array).buffer)

/** The gradients of a network by its weights and its input. */
function train(count: number, run: (layers: ((x: Tensor) => Tensor)[], x: Tensor) => Tensor): (Tensor | null)[] {
  const ws = weights(count)
  const x = random(99, [3, 4])
  x.requiresGrad = true
  backward(sum(run(layersOf(ws), x)))
  return [...ws, x].map(w => w.grad)
}

const plain = (layers: ((x: Tensor) => Tensor)[], x: Tensor): Tensor => layers.reduce((y, layer) => layer(y), x)

describe('gradients are the same to the bit', () => {
  const expected = train(9, plain).map(bits)

  test.each([1, 2, 3, 4, 9, undefined])('in %s segments', segments => {
    expect(train(9, (layers, x) => checkpointSequential(layers, x, segments === undefined ? {} : { segments })).map(bits)).toEqual(expected)
  })

  test('nested', () => {
    const halves = (layers: ((x: Tensor) => Tensor)[], x: Tensor): Tensor => layers.length === 1
      ? checkpoint(layers[0]!, x)
      : checkpoint(y => halves(layers.slice(layers.length >> 1), halves(layers.slice(0, layers.length >> 1), y)), x)
    expect(train(9, halves).map(bits)).toEqual(expected)
  })

  test('twice from one graph that was retained', () => {
    const ws = weights(4)
    const y = sum(checkpointSequential(layersOf(ws), random(99, [3, 4])))
    const first = gradients(y, ws, { retainGraph: true }).map(bits)
    expect(gradients(y, ws).map(bits)).toEqual(first)
  })
})

test('it keeps less than the graph would', () => {
  const ws = weights(16)
  const x = random(99, [3, 4])
  const bytes = (y: Tensor): number => tapeMemory(y, [x, ...ws]).bytes
  const all = bytes(plain(layersOf(ws), x))
  // 16 layers keep 16 results; 4 segments keep the results of the last and nothing of the others but their inputs
  expect(all).toBe(16 * 48)
  expect(bytes(checkpointSequential(layersOf(ws), x))).toBe(4 * 48 + 3 * 48)
})

test('nested frames leave the inputs of inner ones to the outer', () => {
  const ws = weights(16)
  const x = random(99, [3, 4])
  const four = (from: number) => (z: Tensor): Tensor => checkpoint(y => plain(layersOf(ws.slice(from, from + 4)), y), z)
  const y = checkpoint(z => four(12)(four(8)(four(4)(four(0)(z)))), x)
  expect(tapeMemory(y, [x, ...ws]).bytes).toBe(0)
})

test('random bits and assigned variables are the same in the second run, and go on from the first', () => {
  const run = (wrap: (f: (x: Tensor) => Tensor, x: Tensor) => Tensor): { grad: Float32Array; next: number; count: number } => {
    const generator = new Generator(7)
    const count = new Variable(tensor(1))
    const x = tensor([1, 2, 3, 4, 5, 6, 7, 8], { requiresGrad: true })
    const dropout = (z: Tensor): Tensor => {
      const kept = tanh(add(mul(z, cast(generator.bernoulli(0.5, [8]), 'float32')), count))
      count.assign(add(count, 1))
      return mul(kept, add(kept, count))
    }
    const y = sum(wrap(z => wrap(dropout, dropout(z)), x))
    generator.uniform([2])
    backward(y)
    return { grad: x.grad!.dataSync() as Float32Array, next: generator.uniform([]).item(), count: count.item() }
  }
  const want = run((f, x) => f(x))
  expect(run((f, x) => checkpoint(f, x))).toEqual(want)
  expect(want.count).toBe(3)
})

test('derivatives of a higher order go through it', () => {
  const f = (x: Tensor): Tensor => checkpoint(z => checkpoint(y => mul(mul(y, y), y), z), x)
  expect(grad(f)(tensor(2)).item()).toBe(12)
  expect(grad(grad(f))(tensor(2)).item()).toBe(12)
  expect(grad(grad(grad(f)))(tensor(2)).item()).toBe(6)
  const x = tensor(2, { requiresGrad: true })
  const [dx] = gradients(f(x), [x], { createGraph: true })
  expect(gradients(dx!, [x])[0]!.item()).toBe(12)
})

test('it nests with forward mode and tracing', () => {
  const f = (x: Tensor): Tensor => checkpoint(z => mul(tanh(z), z), x)
  const g = (x: Tensor): Tensor => mul(tanh(x), x)
  const [x, t] = [tensor(0.7), tensor(1.3)]
  expect(jvp(f, [x], [t])[1].item()).toBe(jvp(g, [x], [t])[1].item())
  expect(jvp(grad(f), [x], [t])[1].item()).toBeCloseTo(jvp(grad(g), [x], [t])[1].item(), 6)
  expect(grad((z: Tensor) => jvp(f, [z], [t])[1])(x).item()).toBeCloseTo(grad((z: Tensor) => jvp(g, [z], [t])[1])(x).item(), 6)
  // forward inside, backward after the transform has ended
  const [[, dy], pullback] = vjp((z: Tensor) => jvp(f, [z], [t]), [x])
  expect(dy.item()).toBe(jvp(g, [x], [t])[1].item())
  expect(pullback([tensor(0), tensor(1)])[0].item()).toBeCloseTo(jvp(grad(g), [x], [t])[1].item(), 6)
  const graph = trace(grad(f), [{ shape: [], dtype: 'float32' }])
  expect(runGraph(graph, [x])[0]!.item()).toBeCloseTo(grad(g)(x).item(), 6)
})

test('several arguments in trees, and results in trees', () => {
  const [a, b] = [tensor(2, { requiresGrad: true }), tensor(3, { requiresGrad: true })]
  const { y, z } = checkpoint(({ a, b }: { a: Tensor; b: Tensor }, c: Tensor) => ({ y: mul(a, b), z: mul(b, c) }), { a, b }, tensor(10))
  backward(add(y, z))
  expect([a.grad!.item(), b.grad!.item()]).toEqual([3, 12])
})

test('without recording it is the function itself', () => {
  const x = tensor(2, { requiresGrad: true })
  expect(noGrad(() => checkpoint(z => mul(z, z), x)).requiresGrad).toBe(false)
})

test('a function that does something else the second time is found out', () => {
  const x = tensor([1, 2], { requiresGrad: true })
  let calls = 0
  const more = checkpoint(z => calls++ === 0 ? mul(z, z) : mul(mul(z, z), z), x)
  expect(() => { backward(sum(more)) }).toThrowErrorMatchingInlineSnapshot(`[BpError: checkpoint: the function did something else when it ran again: op 3 saved f32[2], not as in the forward pass (2 saved tensors). It must depend on its arguments, variables and generators only]`)
  calls = 0
  const less = checkpoint(z => calls++ === 0 ? mul(z, z) : z, x)
  expect(() => { backward(sum(less)) }).toThrowErrorMatchingInlineSnapshot(`[BpError: checkpoint: the function did something else when it ran again: it saved 0 tensors, not as in the forward pass (2 saved tensors). It must depend on its arguments, variables and generators only]`)
})

test('a variable assigned between forward and backward is found out', () => {
  const w = new Variable(tensor(3))
  w.requiresGrad = true
  const x = tensor(2, { requiresGrad: true })
  const y = checkpoint(z => mul(tanh(mul(z, w)), w), x)
  w.assign(tensor(4))
  expect(() => { backward(y) }).toThrow(/assigned after the forward pass/)
})

test('the number of segments must fit', () => {
  expect(() => checkpointSequential([x => x], tensor(1), { segments: 2 })).toThrowErrorMatchingInlineSnapshot(`[BpError: checkpointSequential: cannot cut 1 layers into 2 segments. Use a whole number from 1 to 1]`)
})
