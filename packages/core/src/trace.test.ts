// Tracing: graphs print, run, update variables, differentiate, and keep composites whole.

import { cpu } from '@bp/backend-cpu'
import { add, grad, jvp, mul, type Tensor, tensor, use, Variable } from '@bp/core'
import { printGraph, runGraph, trace } from '@bp/core/extend'
import { exp, matmul, relu, softmax, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { message } from '../test/message.ts'

use(cpu())

const vector = { shape: [2], dtype: 'float32' } as const

describe('trace', () => {
  test('prints', () => {
    const w = tensor([[1, 2], [3, 4]])
    const state = new Variable(tensor([0, 0]))
    const graph = trace(x => {
      const y = relu(matmul(x, w))
      state.assign(add(state, y))
      return softmax(y)
    }, [vector])
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "graph(%0: f32[2]) {
        %2: f32[2,2] = constant
        %6: f32[2] = variable
        %1: f32[1,2] = reshape(%0) {"shape":[1,2]}
        %3: f32[1,2] = dot(%1, %2) {"ta":false,"tb":false}
        %4: f32[2] = reshape(%3) {"shape":[2]}
        %5: f32[2] = relu(%4)
        %7: f32[2] = add(%6, %5)
        %8: f32[2] = softmax(%5) {"axis":0}
        assign(%6, %7)
        return %8
      }"
    `)
  })

  test('runs again on other values, and closes over constants', () => {
    const w = tensor([10, 20])
    const graph = trace((x, y) => [mul(x, w), add(x, y)], [vector, vector])
    expect(runGraph(graph, [tensor([1, 2]), tensor([3, 4])]).map(y => y.toArray())).toEqual([[10, 40], [4, 6]])
    expect(graph.constants.map(({ value }) => value)).toEqual([w])
  })

  test('returns inputs and constants as they are', () => {
    const c = tensor([5, 6])
    const graph = trace(x => ({ x, c }), [vector])
    expect(runGraph(graph, [tensor([1, 2])]).map(y => y.toArray())).toEqual([[1, 2], [5, 6]])
  })

  test('does not run: variables change only when the graph does', () => {
    const count = new Variable(tensor(1))
    const graph = trace(() => {
      count.assign(add(count, 1))
      const once = add(count, 0)
      count.assign(mul(count, 10))
      return once
    }, [])
    expect(count.item()).toBe(1)
    expect(runGraph(graph, []).map(y => y.item())).toEqual([2])
    expect(count.item()).toBe(20)
    runGraph(graph, [])
    expect(count.item()).toBe(210)
  })

  test('two variables can change places', () => {
    const [a, b] = [new Variable(tensor(1)), new Variable(tensor(2))]
    const graph = trace(() => {
      const old = add(a, 0)
      a.assign(b)
      b.assign(old)
      return []
    }, [])
    runGraph(graph, [])
    expect([a.item(), b.item()]).toEqual([2, 1])
  })

  test('of a gradient, and the gradient of a graph', () => {
    const f = (x: Tensor): Tensor => sum(exp(mul(x, x)))
    const x = tensor([0.5, -1])
    const want = grad(f)(x).toArray()
    expect(runGraph(trace(grad(f), [vector]), [x])[0]!.toArray()).toEqual(want)
    const graph = trace(f, [vector])
    expect(grad((z: Tensor) => runGraph(graph, [z])[0]!)(x).toArray()).toEqual(want)
    expect(jvp((z: Tensor) => runGraph(graph, [z])[0]!, [x], [tensor([1, 0])])[1].item()).toBeCloseTo((want as number[])[0]!, 6)
  })

  test('a training step is one graph', () => {
    const w = new Variable(tensor([1, 1]))
    const loss = (p: Tensor, x: Tensor): Tensor => sum(mul(mul(p, x), mul(p, x)))
    const step = trace(x => {
      const before = loss(w, x)
      w.assign(add(w, mul(-0.1, grad(loss)(w, x))))
      return before
    }, [vector])
    const losses = Array.from({ length: 3 }, () => runGraph(step, [tensor([1, 2])])[0]!.item())
    expect(losses[0]).toBe(5)
    expect(losses[1]).toBeCloseTo(0.8 ** 2 + 4 * 0.2 ** 2, 5)
    expect(losses[2]).toBeLessThan(losses[1]!)
  })

  test('errors', () => {
    const graph = trace(x => mul(x, 2), [vector])
    let escaped: Tensor | undefined
    trace(x => escaped = mul(x, x), [vector])
    expect([
      () => runGraph(graph, []),
      () => runGraph(graph, [tensor([1, 2, 3])]),
      () => trace(x => tensor(x.item()), [vector]),
      () => trace(() => 3 as unknown as Tensor, [vector]),
      () => add(escaped!, 1),
    ].map(message)).toMatchInlineSnapshot(`
      [
        "value | runGraph: the graph takes 1 inputs, got 0",
        "shape | runGraph: input 0 is f32[3], the graph was traced with f32[2]. Trace again for this shape",
        "shape | item: needs one element, got f32[2]. Use toArray() or dataSync()",
        "value | trace: the argument is of type number, not a tensor. Wrap it with tensor(), or close over it",
        "data | add: an operand f32[2] has no value here: it belongs to a grad, jvp or trace that has ended. Return it from the transformed function instead of keeping it",
      ]
    `)
  })
})
