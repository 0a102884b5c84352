// Fusing in eager mode: what is one program and what stays op by op, and that nobody can tell but by the clock.

import { cpu } from '@bp/backend-cpu'
import { reference } from '@bp/testkit'
import { exp, log, relu, softmax, softplus, sum } from '@bp/ops'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Backend, Program } from './backend.ts'
import { interpret } from './compile/interpret.ts'
import { ones, add, mul } from './vector.ts'
import { use } from './eager.ts'
import { Fuser } from './fuser.ts'
import { gradients } from './backward.ts'
import { grad } from './grad.ts'
import { type Graph, printGraph } from './graph.ts'
import { bind } from './interpreter.ts'
import { defineComposite } from './row.ts'
import { jvp } from './jvp.ts'
import { type Tensor, Variable } from './tensor.ts'
import { tensor } from './create.ts'

/** A backend that fuses from two elements on, by running graphs kernel by kernel, and the graphs that it was given. */
function watched(): { readonly backend: Backend; readonly graphs: (Graph | null)[] } {
  const graphs: (Graph | null)[] = []
  const known = new Map<string, Program | null>()
  const backend: Backend = {
    ...reference(),
    fuser: new Fuser((key, make) => {
      if (known.has(key)) return known.get(key)!
      const graph = make()
      graphs.push(graph)
      const program = graph && interpret(graph, backend)
      known.set(key, program)
      return program
    }, 2),
  }
  return { backend, graphs }
}

let graphs: (Graph | null)[]

beforeEach(() => {
  const all = watched()
  graphs = all.graphs
  use(all.backend)
})
afterEach(() => { use(cpu()) })

const ops = (graph: Graph | null): string => graph === null ? '-' : graph.nodes.map(({ row }) => row.name).join(' ')
const x = (): Tensor => tensor([0.5, -1, 2])
const numbers = (y: Tensor): number[] => [...y.dataSync()].map(Number)

describe('in eager mode', () => {
  it('a decomposition is traced once for each shape, and run as one', () => {
    softmax(x())
    softmax(x())
    softmax(ones([2, 3]))
    expect(graphs.map(ops)).toEqual(Array(2).fill('amax detach abs fill less fill select sub exp sumTo div'))
  })

  it('a pullback too', () => {
    grad((x: Tensor) => sum(relu(x)))(x())
    expect(printGraph(graphs[0]!)).toMatchInlineSnapshot(`
      "graph(%0: f32[3], %1: f32[3]) {
        %2: f32[] = fill() {"value":0,"shape":[],"dtype":"float32"}
        %3: bool[3] = less(%2, %0)
        %4: f32[3] = cast(%3) {"dtype":"float32"}
        %5: f32[3] = mul(%1, %4)
        return %5
      }"
    `)
  })

  it('small tensors, single ops, linear rules and what is recorded for another derivative stay op by op', () => {
    softplus(tensor([1]))
    grad((x: Tensor) => sum(add(x, x)))(x())
    expect(graphs).toEqual([])
    grad((x: Tensor) => sum(exp(x)))(x())
    expect(graphs).toEqual([null])
    const y = x()
    y.requiresGrad = true
    gradients(sum(log(mul(y, y))), [y], { createGraph: true })
    expect(graphs).toEqual([null])
  })

  it('a composite of maps is recorded as one node; one that computes sums, op by op', () => {
    const bump = defineComposite({ name: 'acme/bump', arity: 1, decompose: ([x]) => add(mul(exp(x), x), x) })
    const share = defineComposite({ name: 'acme/share', arity: 1, decompose: ([x]) => mul(exp(x), sum(x)) })
    const y = x()
    y.requiresGrad = true
    expect(bind(bump, [y], undefined).node!.row).toBe(bump)
    expect(bind(share, [y], undefined).node!.row!.name).toBe('mul')
    expect(numbers(bind(share, [x()], undefined))).toEqual(numbers(bind(share, [y], undefined)))
    const d = (f: (x: Tensor) => Tensor): number[] => numbers(grad((x: Tensor) => sum(f(x)))(x()))
    expect(d(x => bind(bump, [x], undefined))).toEqual(d(x => add(mul(exp(x), x), x)))
    expect(numbers(grad((x: Tensor) => sum(grad((x: Tensor) => sum(bind(bump, [x], undefined)))(x)))(x()))[0]).toBeCloseTo(2.5 * Math.exp(0.5), 5)
    expect(numbers(jvp(x => bind(bump, [x], undefined), [x()], [ones([3])])[1])[0]).toBeCloseTo(1.5 * Math.exp(0.5) + 1, 5)
  })

  it('what a decomposition closes over is read anew each time', () => {
    const scale = new Variable(tensor(2))
    const scaled = defineComposite({ name: 'acme/scaled', arity: 1, decompose: ([x]) => mul(mul(x, scale), 3) })
    const first = numbers(bind(scaled, [x()], undefined))
    scale.assign(tensor(4))
    expect(numbers(bind(scaled, [x()], undefined))).toEqual(first.map(v => 2 * v))
  })

  it('a decomposition that reads values or throws does so as without fusing', () => {
    const reading = defineComposite({ name: 'acme/reading', arity: 1, decompose: ([x]) => mul(mul(x, x), numbers(x)[0]!) })
    expect(numbers(bind(reading, [x()], undefined))).toEqual([0.125, 0.5, 2])
    const failing = defineComposite({ name: 'acme/failing', arity: 1, decompose: (): Tensor => { throw new Error('not today') } })
    expect(() => bind(failing, [x()], undefined)).toThrow('not today')
  })
})
