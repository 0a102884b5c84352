// Browsers' workers: the two sides of the protocol over message events.

import { use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ndarray } from '../array.ts'
import { ListDataset, TensorDataset } from '../datasets/tensor.ts'
import type { Dataset } from '../dataset.ts'
import { DataLoader } from '../loader.ts'
import { type WebWorker, WorkerDataset } from './dataset.ts'
import { serveDataset } from './serve.ts'

beforeEach(() => { use(cpu()) })
afterEach(() => { vi.unstubAllGlobals() })

type Listener = Parameters<WebWorker['addEventListener']>[1]

/** A worker in this thread: what is posted is copied or moved as browsers do, and arrives later. */
function worker(make: () => Dataset<unknown>): WebWorker & { readonly moved: () => number; fail(message: string): void; ended: boolean } {
  const outside = new Map<string, Listener>()
  let inside: Listener | undefined
  let moved = 0
  vi.stubGlobal('postMessage', (data: unknown, transfer: ArrayBuffer[]) => {
    moved += transfer.length
    const copy: unknown = structuredClone(data, { transfer })
    setTimeout(() => { outside.get('message')?.({ data: copy }) })
  })
  vi.stubGlobal('addEventListener', (_: string, listener: Listener) => { inside = listener })
  serveDataset(make)
  return {
    ended: false,
    moved: () => moved,
    postMessage: data => { setTimeout(() => { inside?.({ data: structuredClone(data) }) }) },
    addEventListener: (type, listener) => { outside.set(type, listener) },
    terminate() { this.ended = true },
    fail: message => { outside.get('error')?.({ message }) },
  }
}

describe('workers of browsers', () => {
  it('give what the page would have made, and move the memory of batches', async () => {
    const make = () => new TensorDataset(ndarray(Array.from({ length: 20 }, (_, i) => i), [10, 2]), Int32Array.from({ length: 10 }, (_, i) => i))
    const its = worker(make)
    const dataset = await WorkerDataset.connect<ReturnType<TensorDataset<readonly [Float32Array, Int32Array]>['get']>>([its])
    const options = { batchSize: 3, shuffle: true }
    const got: string[] = []
    for await (const batch of new DataLoader(dataset, options)) got.push(String(batch))
    expect(got).toEqual(Array.from(new DataLoader(make(), options), String))
    expect(its.moved()).toBe(8)
    // a sample is a view of the dataset's own memory, which stays
    expect((await dataset.get(4))[0].data).toEqual(Float32Array.of(8, 9))
    expect((await dataset.get(4))[0].data).toEqual(Float32Array.of(8, 9))
    expect(its.moved()).toBe(8)
    dataset.close()
    expect(its.ended).toBe(true)
  })

  it('say when they fail', async () => {
    const its = worker(() => new ListDataset([1, 2]))
    const dataset = await WorkerDataset.connect<number>([its])
    const asked = dataset.get(0)
    its.fail('out of memory')
    await expect(asked).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: WorkerDataset: the worker ended: out of memory]`)
    await expect(WorkerDataset.connect([worker(() => { throw new Error('no such store') })])).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: WorkerDataset: the worker made no dataset: no such store]`)
    await expect(WorkerDataset.connect([])).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: WorkerDataset: needs at least one worker]`)
  })
})
