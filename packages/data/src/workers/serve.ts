// The worker's side: makes a dataset and answers for it.

import { batchOf, type Dataset, samplesOf } from '../dataset.ts'
import { memoryOf, type Port, type Request } from './protocol.ts'

/** Answers requests on a port, once the dataset has been made. */
export async function serveOn(port: Port, make: () => Dataset<unknown> | Promise<Dataset<unknown>>): Promise<void> {
  try {
    const dataset = await make()
    port.listen(request => { void answer(port, dataset, request) })
    port.post({ length: dataset.length }, [])
  } catch (error) {
    port.post({ id: null, error: messageOf(error) }, [])
  }
}

async function answer(port: Port, dataset: Dataset<unknown>, { id, indices, epoch, stack }: Request): Promise<void> {
  try {
    const value: unknown = await (stack ? batchOf(dataset, indices, epoch) : samplesOf(dataset, indices, epoch))
    // a sample may lie in memory that the dataset goes on using
    port.post({ id, value: stack ? value : (value as unknown[])[0] }, stack ? [...memoryOf(value)] : [])
  } catch (error) {
    port.post({ id, error: messageOf(error) }, [])
  }
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** What a browser's worker has of itself. */
interface WorkerScope {
  postMessage(reply: unknown, transfer: ArrayBuffer[]): void
  addEventListener(type: 'message', listener: (event: { readonly data: Request }) => void): void
}

/**
 * Called in a browser's worker: answers a {@link WorkerDataset} there for the dataset that `make` gives.
 *
 * In the worker's module: `serveDataset(() => new Images(…))`. In the page:
 * `await WorkerDataset.connect([new Worker(new URL('./images.worker.ts', import.meta.url), { type: 'module' })])`.
 */
export function serveDataset(make: () => Dataset<unknown> | Promise<Dataset<unknown>>): void {
  const scope = globalThis as unknown as WorkerScope
  void serveOn({
    post: (reply, transfer) => { scope.postMessage(reply, transfer) },
    listen: hear => { scope.addEventListener('message', ({ data }) => { hear(data) }) },
  }, make)
}
