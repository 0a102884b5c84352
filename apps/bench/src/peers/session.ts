// Published models in a session of ONNX Runtime, native or WebAssembly: their interface is one.

import type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-node'
import { type Inputs, published } from '../data.ts'
import { fileOf, rate, sampled } from '../published.ts'
import type { Peer, Prepare } from '../peer.ts'

type Create = (bytes: Uint8Array) => Promise<InferenceSession>

type Feeds = Record<string, Tensor>

const feedsOf = (make: TensorConstructor, data: Inputs, { inputNames }: InferenceSession): Feeds =>
  Object.fromEntries(inputNames.map(name => [name, name in data ? new make('float32', data[name]!.values as Float32Array, data[name]!.shape) : new make('int64', BigInt64Array.of(rate), [])]))

async function firstOf(session: InferenceSession, feeds: Feeds): Promise<number[]> {
  const results = await session.run(feeds)
  return sampled(results[session.outputNames[0]!]!.data as Float32Array)
}

const inference = (make: TensorConstructor, create: Create, job: string): Prepare => async data => {
  const session = await create(fileOf(job))
  const feeds = feedsOf(make, data, session)
  return { values: await firstOf(session, feeds), run: () => session.run(feeds) }
}

const load = (make: TensorConstructor, create: Create, job: string): Prepare => async data => {
  const bytes = fileOf(job)
  const session = await create(bytes)
  return {
    values: await firstOf(session, feedsOf(make, data, session)),
    run: async () => { await (await create(bytes)).release() },
  }
}

/** All jobs on published models, by each way to make a session. */
export const publishedJobs = (make: TensorConstructor, ways: Readonly<Record<string, Create>>): Peer => Object.fromEntries(Object.keys(published).map(job =>
  [job, Object.fromEntries(Object.entries(ways).map(([way, create]) => [way, (job === 'onnx-load' ? load : inference)(make, create, job)]))]))
