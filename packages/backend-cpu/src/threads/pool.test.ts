// Threads: they start, take part, and change no bit of any result.

import { type Tensor, use } from '@bp/core'
import { type Graph, simplify, trace } from '@bp/core/extend'
import { add, Generator, layerNorm, matmul, relu, softmax, sum } from '@bp/ops'
import { describe, expect, it } from 'vitest'
import { Engine } from '../engine.ts'
import { cpu } from '../index.ts'
import { lower } from '../program/lower.ts'
import { features } from '../wasm/features.ts'
import { epochs } from './control.ts'

use(cpu())

const generator = new Generator(4)
const xs = [generator.normal([200, 300]), generator.normal([300, 170])]

const graphOf = (f: (...xs: Tensor[]) => Tensor[]): Graph => simplify(trace(f, xs, { inlines: row => row.fuse === 'composite' })).graph

/** Until the workers have read what they were sent. */
async function ready(engine: Engine): Promise<boolean> {
  for (let i = 0; i < 500 && !engine.pool.ready(); i++) await new Promise(done => { setTimeout(done, 20) })
  return engine.pool.ready()
}

describe.runIf(features()?.shared)('threads', () => {
  it('give the same bits as one, whether or not they are ready', async () => {
    const graph = graphOf((a, b) => {
      const y = matmul(a, b)
      return [softmax(y), sum(relu(y), 0), sum(add(y, 1)), layerNorm(y, 1)]
    })
    const run = async (threads: number): Promise<{ readonly early: Uint8Array[]; readonly late: Uint8Array[] }> => {
      const engine = new Engine(threads)
      engine.backend = cpu()
      const program = lower(engine, graph)!
      const bits = (): Uint8Array[] => (program.run(xs.map(x => x.storage!), []) as Float32Array[]).map(y => new Uint8Array(y.buffer))
      const early = bits()
      expect(await ready(engine)).toBe(true)
      expect(engine.threads).toBe(threads)
      let late = bits()
      for (let i = 0; i < 20; i++) late = bits()
      return { early, late }
    }
    const one = await run(1)
    for (const threads of [2, 3]) {
      const several = await run(threads)
      expect(several.early).toEqual(one.early)
      expect(several.late).toEqual(one.early)
    }
  })

  it('take no unit twice and none of another run, however often they come late', async () => {
    // more threads than cores, so that some are not scheduled while runs begin and end; more runs than there are epochs
    const engine = new Engine(5)
    engine.backend = cpu()
    const small = [generator.normal([64, 520]), generator.normal([520, 64])]
    const program = lower(engine, simplify(trace((a, b) => {
      const y = relu(matmul(a, b))
      return [sum(matmul(y, y), 0), softmax(y)]
    }, small, { inlines: row => row.fuse === 'composite' })).graph, {})!
    expect(await ready(engine)).toBe(true)
    const inputs = small.map(x => x.storage!)
    const first = program.run(inputs, []) as Float32Array[]
    for (let i = 0; i < epochs + 1000; i++) {
      const now = program.run(inputs, []) as Float32Array[]
      if (now.some((y, k) => y.some((value, j) => value !== first[k]![j]))) expect(now, `run ${i}`).toEqual(first)
    }
  })

  it('know of the memory that a loop in the blocks of a product needs for itself', () => {
    // between its passes the loop keeps what is no result; a task beside it would write there too
    const engine = new Engine(2)
    engine.backend = cpu()
    const graph = graphOf((a, b) => [softmax(matmul(a, b))])
    expect(lower(engine, graph)!.bytes).toBeGreaterThan(0)
  })

  it('learn of programs made later, and forget those that are dropped', async () => {
    const engine = new Engine(2)
    engine.backend = cpu()
    const [f, g] = [graphOf((a, b) => [matmul(a, b)]), graphOf((a, b) => [relu(matmul(a, b))])].map(graph => lower(engine, graph)!)
    expect(await ready(engine)).toBe(true)
    const inputs = xs.map(x => x.storage!)
    const [y] = f!.run(inputs, []) as [Float32Array]
    const [z] = g!.run(inputs, []) as [Float32Array]
    expect(z).toEqual(y.map(v => Math.max(v, 0)))
    expect(engine.pool.ready()).toBe(true)
  })
})
