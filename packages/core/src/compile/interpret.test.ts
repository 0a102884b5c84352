// Compiled functions on backends whose storages must be freed: results are handles of their own, values are freed as they go.

import { cpu } from '@bp/backend-cpu'
import { compile, mul, scope, type Tensor, tensor, use, Variable } from '@bp/core'
import { runGraph, trace } from '@bp/core/extend'
import { detach, exp } from '@bp/ops'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { counting } from '../../test/counting.ts'

const backend = counting(cpu())
const { more } = backend
beforeAll(() => { use(backend) })
afterAll(() => { use(cpu()) })

test('compiled functions keep what they have captured', () => {
  const f = scope(() => {
    const c = tensor([1, 2])
    const made = compile((x: Tensor) => mul(mul(x, c), mul(tensor([2, 2]), c)))
    made(tensor([1, 1]))
    return () => made
  })()
  expect(f(tensor([1, 1])).toArray()).toEqual([2, 8])
  expect(more(() => { expect(f(tensor([3, 1])).toArray()).toEqual([6, 8]) })).toBe(2)
})

test('compiled functions give each result a handle of its own', () => {
  const v = new Variable(tensor(1)), w = new Variable(tensor(2)), c = tensor(5)
  const swap = compile((x: Tensor) => {
    const before = detach(v)
    v.assign(w)
    w.assign(before)
    const y = mul(x, 3)
    return [x, y, y, c, before, v]
  })
  const x = tensor(7)
  const ys = swap(x)
  expect(ys.map(y => y.item())).toEqual([7, 21, 21, 5, 1, 2])
  expect([v.item(), w.item()]).toEqual([2, 1])
  expect(new Set([...ys, x, c, v, w].map(y => y.storage)).size).toBe(10)
  scope(() => { swap(x) })
  expect([v.item(), w.item(), x.item(), c.item()]).toEqual([1, 2, 7, 5])
  expect(more(() => { scope(() => { swap(x) }) })).toBe(0)
})

test('interpreted programs free their values as they go', () => {
  const f = compile((x: Tensor) => exp(exp(exp(x))))
  f(tensor([0, 0]))
  const x = tensor([0, 0])
  expect(more(() => f(x))).toBe(1)
})

test('runGraph swaps variables, and gives what they held', () => {
  const v = new Variable(tensor(1)), w = new Variable(tensor(2))
  const graph = trace(() => {
    const before = detach(v)
    v.assign(w)
    w.assign(before)
    return [before, w]
  }, [])
  scope(() => { expect(runGraph(graph, []).map(y => y.item())).toEqual([1, 1]) })
  expect([v.item(), w.item()]).toEqual([2, 1])
})
