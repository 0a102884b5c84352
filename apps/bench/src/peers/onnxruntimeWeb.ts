// onnxruntime-web: its WebAssembly, as in a page, on so many threads.

import { env, InferenceSession, Tensor } from 'onnxruntime-web'
import type { Peer } from '../peer.ts'
import { publishedJobs } from './session.ts'

/** The jobs on published models. */
export function onnxruntimeWeb(threads: number): Peer {
  env.wasm.numThreads = threads
  return publishedJobs(Tensor, { wasm: bytes => InferenceSession.create(bytes, { executionProviders: ['wasm'] }) })
}
