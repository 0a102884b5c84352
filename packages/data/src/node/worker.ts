// What runs in a worker thread of Node: makes the dataset that it was started for, and serves it.

import { parentPort, workerData } from 'node:worker_threads'
import { fail } from '@bp/core/extend'
import type { Json } from '@bp/nn'
import type { Dataset } from '../dataset.ts'
import { serveOn } from '../workers/serve.ts'
import type { Request } from '../workers/protocol.ts'

/** Where the dataset comes from. */
export interface Recipe {
  readonly module: string
  readonly name: string
  readonly args: readonly Json[]
}

async function make({ module, name, args }: Recipe): Promise<Dataset<unknown>> {
  const exports = await import(module) as Record<string, unknown>
  const made = exports[name]
  if (typeof made !== 'function') return fail('value', 'startWorkers', `${module} has no function named ${name}; it exports ${Object.keys(exports).join(', ') || 'nothing'}`)
  const dataset = await (made as (...args: readonly Json[]) => unknown)(...args) as Partial<Dataset<unknown>> | undefined
  if (typeof dataset?.get !== 'function' || typeof dataset.length !== 'number') return fail('value', 'startWorkers', `${name} of ${module} returned no dataset. Return an object with length and get`)
  return dataset as Dataset<unknown>
}

// in no worker when it is only imported
if (parentPort) {
  const port = parentPort
  void serveOn({
    post: (reply, transfer) => { port.postMessage(reply, transfer) },
    listen: hear => { port.on('message', (request: Request) => { hear(request) }) },
  }, () => make(workerData as Recipe))
}
