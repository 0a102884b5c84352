// Loops in any graph: no two of them wait for each other, and none is longer than registers can bear.

import { compile, mul, type Tensor, use } from '@bp/core'
import { trace } from '@bp/core/extend'
import { add, Generator, matmul, relu, sub, sum, tanh, transpose } from '@bp/ops'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { cpu } from '../index.ts'
import { fuse, operandsOf } from './fuse.ts'
import { specials } from './specials.ts'
import { outsOf, stepsOf } from './steps.ts'

use(cpu())

const generator = new Generator(1)

it('puts ops of any graph into loops that run one after the other', () => {
  const choice = fc.record({ op: fc.nat(4), a: fc.nat(99), b: fc.nat(99) })
  const x = generator.normal([6, 6])
  fc.assert(fc.property(fc.array(choice, { minLength: 30, maxLength: 60 }), fc.array(fc.nat(99), { minLength: 1, maxLength: 3 }), (choices, asked) => {
    const graph = trace(x => {
      const made = [x]
      // operands are rather new ones and rather old ones, so that paths meet again
      const pick = (i: number): Tensor => made[i % 2 === 0 ? i % made.length : Math.max(0, made.length - 1 - i % 4)]!
      for (const { op, a, b } of choices) {
        const [p, q] = [pick(a), pick(b)]
        made.push([() => add(p, q), () => tanh(p), () => matmul(p, q), () => sub(p, sum(q, 1, true)), () => transpose(p)][op]!())
      }
      return asked.map(pick)
    }, [x])
    const made = new Set(graph.inputs.map(({ id }) => id))
    for (const group of fuse(stepsOf(graph, specials))) {
      expect(operandsOf(group).filter(id => !made.has(id))).toEqual([])
      for (const id of group.steps.flatMap(outsOf)) made.add(id)
    }
  }), { numRuns: 1500, seed: 1 })
})

it('cuts a chain of ops that no loop could hold', () => {
  const chain = (x: Tensor): Tensor => Array.from({ length: 300 }).reduce<Tensor>(y => relu(sub(mul(y, 1.01), 0.001)), x)
  const x = generator.normal([8, 8], { dtype: 'float64' })
  const compiled = compile(chain)
  expect(compiled.explain(x)).toContain('900 elementwise ops, copies and reductions in 8 loops, 8 of them of several ops.')
  const [got, want] = [compiled(x).dataSync(), chain(x).dataSync()]
  got.forEach((value, i) => { expect(Number(value)).toBeCloseTo(Number(want[i]), 10) })
})
