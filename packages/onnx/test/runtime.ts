// Holds an imported model against onnxruntime.

import { type Tensor } from '@bp/core'
import * as runtime from 'onnxruntime-node'
import { expect } from 'vitest'
import { importOnnx } from '../src/index.ts'

const names: Readonly<Record<string, 'float32' | 'float64' | 'int32' | 'int64' | 'uint8' | 'bool'>> = { float32: 'float32', float64: 'float64', int32: 'int32', int64: 'int64', uint8: 'uint8', bool: 'bool' }

/** Runs a model here and in onnxruntime, expects the same outputs to within a share of the largest, and returns ours. */
export async function expectAsRuntime(bytes: Uint8Array, feeds: Readonly<Record<string, Tensor>>, tolerance = 2e-6): Promise<Record<string, Tensor>> {
  const session = await runtime.InferenceSession.create(bytes, { logSeverityLevel: 4 })
  const theirs = await session.run(Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, new runtime.Tensor(names[x.dtype]!, x.dataSync() as Float32Array, x.shape)])))
  const ours = importOnnx(bytes).run(feeds)
  for (const [name, y] of Object.entries(ours)) {
    expect(y.shape, name).toEqual(theirs[name]!.dims)
    const want = Array.from(theirs[name]!.data as Iterable<number | bigint>, Number)
    const most = want.reduce((m, v) => Math.max(m, Math.abs(v)), 1)
    const got = Array.from(y.dataSync() as Iterable<number | bigint>, Number)
    got.forEach((v, i) => { expect(Math.abs(v - want[i]!), `${name}[${i}]: ${v} and ${want[i]}`).toBeLessThanOrEqual(tolerance * most) })
  }
  return ours
}
