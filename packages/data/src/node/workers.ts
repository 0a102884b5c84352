// Starting worker threads that make a dataset's samples.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Json } from '@bp/nn'
import { WorkerDataset } from '../workers/dataset.ts'
import type { Channel, Reply } from '../workers/protocol.ts'
import type { Recipe } from './worker.ts'

/** Options of {@link startWorkers}. */
export interface WorkersOptions {
  /** How many threads; as many as the machine runs at once, less one for the training, unless given. */
  readonly count?: number
  /** Arguments of the function. */
  readonly args?: readonly Json[]
}

/**
 * Starts threads, in each of which `name`, a function that `module` exports, makes the dataset:
 * `await startWorkers<[NdArray, NdArray]>(new URL('./images.js', import.meta.url), 'images', { args: ['train'] })`. T is what
 * a sample is.
 *
 * Throws where the module or the function cannot be found, or what it returns is no dataset. An error in a sample comes to
 * the loop that would have got it, with the index; so does the end of a thread.
 */
export function startWorkers<T>(module: URL | string, name: string, { count = Math.max(1, availableParallelism() - 1), args = [] }: WorkersOptions = {}): Promise<WorkerDataset<T>> {
  const recipe: Recipe = { module: String(module), name, args }
  return WorkerDataset.over(Array.from({ length: count }, () => start(recipe)), `the worker of ${name}`)
}

function start(recipe: Recipe): Channel {
  const here = import.meta.url
  // sources run as they are in tests and editors, what is published is JavaScript
  const source = here.endsWith('.ts')
  const worker = new Worker(new URL(source ? './worker.ts' : './worker.js', here), {
    workerData: recipe,
    ...source ? { execArgv: ['--conditions=@bp/source'] } : {},
  })
  return {
    post: request => { worker.postMessage(request) },
    listen: (hear, died) => {
      worker.on('message', (reply: Reply) => { hear(reply) })
      worker.on('error', (error: Error) => { died(error.message) })
      worker.on('exit', code => { died(`it exited with code ${code}`) })
    },
    hold: on => {
      if (on) worker.ref()
      else worker.unref()
    },
    close: () => { void worker.terminate() },
  }
}
