// What a compiled training step costs besides time: its first call, and its peak memory beside that of the same step op by op.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cpu } from '@bp/backend-cpu'
import { constants, convolutions, cpuOf, elementwise, errorFunction, indexing, products, reductions, sources, views } from '@bp/backend-cpu/pick'
import { type Backend, compile, use } from '@bp/core'
import { bytesPerElement } from '@bp/core/extend'
import { inputs } from './data.ts'
import { trainings } from './training.ts'

/**
 * Milliseconds and bytes of one training job. Bytes are those of values alive at once during a step, gradients and the
 * batch among them; parameters and the optimiser's state are counted on neither side.
 */
export interface Footprint {
  /** Milliseconds of the first call in a new process: tracing, planning, compiling and one step. */
  readonly firstCall: number
  /** Peak of the compiled step, by `compiled.bytes`: its arena, with scratch space and the batch, which is copied there. */
  readonly compiled: number
  /** Peak op by op: bytes of arrays alive after each op, garbage collected. */
  readonly eager: number
  /** The first over the second. */
  readonly ratio: number
}

/** Measures a training job in a process of its own, with these flags for Node; the reason where it ended badly. */
export function footprint(job: string, flags: readonly string[] = process.execArgv): Footprint | string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, '--expose-gc', fileURLToPath(import.meta.url), '--footprint', job], { encoding: 'utf8' })
  return status === 0 ? JSON.parse(stdout) as Footprint : stderr.trim().split('\n').at(-1) ?? 'its process ended'
}

/** Bytes of all arrays after two collections: the second waits for what the first frees in the background. */
function liveBytes(): number {
  globalThis.gc!()
  globalThis.gc!()
  return process.memoryUsage().arrayBuffers
}

/** A backend that calls back with each result before anybody else has it. */
function watched(backend: Backend, after: () => void): Backend {
  const kernels = Object.entries(backend.kernels).map(([name, kernel]) => [name, (...args: Parameters<typeof kernel>) => {
    const result = kernel(...args)
    after()
    return result
  }])
  return { ...backend, kernels: Object.fromEntries(kernels) as Backend['kernels'] }
}

function measure(job: string): Footprint {
  use(cpu())
  const compiled = trainings[job]!(inputs[job]!())
  const step = compile(compiled.step)
  const begin = performance.now()
  step(...compiled.batch).item()
  const firstCall = performance.now() - begin
  const bytes = step.bytes(...compiled.batch)

  const eager = peakOpByOp(job)
  return { firstCall, compiled: bytes, eager, ratio: bytes / eager }
}

function peakOpByOp(job: string): number {
  let most = Infinity
  use(watched(cpuOf(elementwise(), errorFunction(), constants(), sources(), views(), reductions(), products(), convolutions(), indexing()), () => {
    // with garbage it is only more
    if (process.memoryUsage().arrayBuffers > most) most = Math.max(most, liveBytes())
  }))
  const { step, batch, optimiser } = trainings[job]!(inputs[job]!())
  // the first step makes the optimiser's state
  step(...batch)
  optimiser.zeroGrad()
  const before = most = liveBytes()
  step(...batch)
  return most - before + batch.reduce((sum, { size, dtype }) => sum + size * bytesPerElement(dtype), 0)
}

if (process.argv[2] === '--footprint') process.stdout.write(JSON.stringify(measure(process.argv[3]!)))
