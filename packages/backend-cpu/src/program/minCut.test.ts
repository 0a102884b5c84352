// Minimal cuts, against all cuts of small networks.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { Network } from './minCut.ts'

const inner = 6
const edges = fc.array(fc.tuple(fc.nat(inner + 1), fc.nat(inner + 1), fc.oneof(fc.nat(9), fc.constant(Infinity))), { maxLength: 24 })

it('nothing cheaper separates source from sink', () => {
  fc.assert(fc.property(edges, list => {
    const costOf = (isSource: (vertex: number) => boolean): number => list.reduce((sum, [from, to, room]) => isSource(from) && !isSource(to) ? sum + room : sum, 0)
    const all = Array.from({ length: 2 ** inner }, (_, mask) => costOf(vertex => vertex === 0 || (vertex > 1 && (mask >> (vertex - 2) & 1) === 1)))
    const least = Math.min(...all)
    fc.pre(least < Infinity)
    const network = new Network()
    for (let i = 0; i < inner; i++) network.vertex()
    for (const [from, to, room] of list) network.edge(from, to, room)
    const side = network.cut()
    expect([side[network.source], side[network.sink]]).toEqual([true, false])
    expect(costOf(vertex => side[vertex]!)).toBe(least)
  }), { numRuns: 300 })
})
