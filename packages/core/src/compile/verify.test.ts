// The verifier finds what a careless pass would leave behind.

import { cpu } from '@bp/backend-cpu'
import { relu, sum } from '@bp/ops'
import { afterAll, describe, expect, it } from 'vitest'
import { Aval } from '../aval.ts'
import { use } from '../eager.ts'
import type { Graph } from '../graph.ts'
import { Variable } from '../tensor.ts'
import { trace } from '../trace.ts'
import { add, mul, ones } from '../vector.ts'
import { compile } from './compile.ts'
import { setVerifier, verifyGraph } from './verify.ts'

use(cpu())
afterAll(() => { setVerifier(verifyGraph) })

const graph = trace(x => sum(relu(mul(x, x))), [{ shape: [2, 3], dtype: 'float32' }])
const [first, second, third] = graph.nodes
const after = (change: Partial<Graph>) => () => { verifyGraph({ ...graph, ...change }, 'careless') }

describe('a graph is refused', () => {
  it('that is not whole', () => {
    expect(after({})).not.toThrow()
    expect(after({ nodes: [second!, first!, third!] })).toThrowErrorMatchingInlineSnapshot(`[BpError: verify: after the pass careless, relu reads %1, which nothing before it makes]`)
    expect(after({ nodes: [first!, first!, second!, third!] })).toThrowErrorMatchingInlineSnapshot(`[BpError: verify: after the pass careless, %1 is made twice]`)
    expect(after({ outputs: [99] })).toThrowErrorMatchingInlineSnapshot(`[BpError: verify: after the pass careless, an output is %99, which nothing makes]`)
    expect(after({ nodes: [first!, { ...second!, fence: 2 }, { ...third!, fence: 1 }] })).toThrowErrorMatchingInlineSnapshot(`[BpError: verify: after the pass careless, sumTo stands behind a fence of 2, with one of 1 itself]`)
  })

  it('whose values have another form than their ops give them', () => {
    expect(after({ nodes: [{ ...first!, avals: [new Aval([3], 'float32')] }, second!, third!] })).toThrowErrorMatchingInlineSnapshot(`[BpError: verify: after the pass careless, %1 of mul is f32[3], but its operands make f32[2,3]]`)
    expect(after({ updates: [{ variable: new Variable(ones([5])), id: first!.outputs[0]! }] })).toThrowErrorMatchingInlineSnapshot(`[BpError: verify: after the pass careless, a variable f32[5] is updated with %1: f32[2,3]]`)
  })
})

it('compile shows it every pass', () => {
  const passes: string[] = []
  setVerifier((graph, pass) => {
    passes.push(pass)
    verifyGraph(graph, pass)
  })
  compile(x => add(mul(x, x), mul(x, x)), { maxBytes: 1e6 })(ones([3]))
  expect(passes).toEqual(['traced', 'simplified', 'folded', 'simplified', 'rematerialised'])
})
