// onnxruntime-node, on models that our exporter writes, and those that others have published.

import { cpu } from '@bp/backend-cpu'
import { type Tensor, use } from '@bp/core'
import { exportOnnx } from '@bp/onnx'
import { exp, gelu, matmul, softmax, sum } from '@bp/ops'
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import type { Inputs } from '../data.ts'
import { cnn } from '../models.ts'
import type { Peer, Prepare } from '../peer.ts'
import { publishedJobs } from './session.ts'

/** A function exported with the named operands as inputs, and run. */
const session = (operands: readonly string[], make: (data: Inputs) => (...xs: Tensor[]) => Tensor): Prepare => async data => {
  const f = make(data)
  const model = exportOnnx((...xs: Tensor[]) => f(...xs), operands.map(name => ({ name, shape: [...data[name]!.shape] })), { outputs: ['y'] })
  const run = await InferenceSession.create(model)
  const feeds = Object.fromEntries(operands.map(name => [name, new OrtTensor('float32', data[name]!.values as Float32Array, data[name]!.shape)]))
  const { y } = await run.run(feeds)
  return { values: [...(y!.data as Float32Array).slice(0, 4)], run: () => run.run(feeds) }
}

/** All jobs that only go forward. */
export function onnxruntime(): Peer {
  use(cpu())
  const product = { default: session(['a', 'b'], () => matmul) }
  const map = (f: (x: Tensor) => Tensor): Peer[string] => ({ default: session(['x'], () => f) })
  const infer = { default: session(['x'], data => cnn(data).forward) }
  return {
    'gemm-64': product, 'gemm-256': product, 'gemm-512': product, 'gemm-1024': product,
    'exp': map(exp), 'gelu': map(x => gelu(x)), 'sum': map(x => sum(x)), 'softmax': map(x => softmax(x)), 'infer-cnn-1': infer, 'infer-cnn-64': infer,
    ...publishedJobs(OrtTensor, { '1 thread': bytes => InferenceSession.create(bytes, { intraOpNumThreads: 1 }), 'all threads': bytes => InferenceSession.create(bytes) }),
  }
}
