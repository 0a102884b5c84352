// A dataset whose samples are made by workers.

import { BpError } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { Stacked } from '../collate.ts'
import { checkIndex, type Dataset } from '../dataset.ts'
import type { Channel, Reply } from './protocol.ts'

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

interface Employee {
  readonly channel: Channel
  readonly waiting: Map<number, Waiting>
  /** Why it is gone. */
  dead: string | null
}

/** What a page has of a browser's worker. */
export interface WebWorker {
  postMessage(message: unknown): void
  addEventListener(type: 'message' | 'error' | 'messageerror', listener: (event: { readonly data?: unknown; readonly message?: string }) => void): void
  terminate(): void
}

/** Batches that each worker has in hand: one that it makes, and one that waits. */
const batchesPerWorker = 2

/**
 * A dataset that lives in workers, each of which has made it for itself. Batches are stacked there, and their memory moves
 * over; which worker makes which makes no difference to any of them. Give it to a {@link DataLoader} and iterate by
 * `for await`; `startWorkers` of `@bp/data/node` makes one in Node, `connect` one in browsers.
 *
 * A worker stays until `close`, or the end of an `await using` block; one that is idle keeps no process alive.
 */
export class WorkerDataset<T> implements Dataset<Promise<T>> {
  readonly length: number
  readonly prefetch: number
  private readonly employees: readonly Employee[]
  private readonly name: string
  private nextId = 0

  private constructor(employees: readonly Employee[], length: number, name: string) {
    this.employees = employees
    this.length = length
    this.name = name
    this.prefetch = batchesPerWorker * employees.length
  }

  /** Waits until browsers' workers, in which {@link serveDataset} runs, have made their dataset. */
  static connect<T>(workers: readonly WebWorker[]): Promise<WorkerDataset<T>> {
    return WorkerDataset.over(workers.map(webChannel), 'the worker')
  }

  /** The same over channels of any kind; `name` is what errors call the workers. */
  static async over<T>(channels: readonly Channel[], name: string): Promise<WorkerDataset<T>> {
    if (channels.length === 0) fail('value', 'WorkerDataset', 'needs at least one worker')
    const employees = channels.map((channel): Employee => ({ channel, waiting: new Map(), dead: null }))
    try {
      const lengths = await Promise.all(employees.map(employee => hire(employee, name)))
      const odd = lengths.findIndex(length => length !== lengths[0])
      if (odd >= 0) fail('data', 'WorkerDataset', `${name} made ${lengths[0]!} samples the first time and ${lengths[odd]!} another time. It must make the same dataset in every worker`)
      return new WorkerDataset<T>(employees, lengths[0]!, name)
    } catch (error) {
      for (const { channel } of employees) channel.close()
      throw error
    }
  }

  get(index: number, epoch = 0): Promise<T> {
    return this.ask([index], epoch, false) as Promise<T>
  }

  getBatch(indices: readonly number[], epoch: number): Promise<Stacked<Awaited<T>>> {
    return this.ask(indices, epoch, true) as Promise<Stacked<Awaited<T>>>
  }

  /** Ends the workers; what is still asked of them fails. */
  close(): void {
    for (const employee of this.employees) {
      bury(employee, `${this.name} was closed`)
      employee.channel.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close()
    return Promise.resolve()
  }

  private async ask(indices: readonly number[], epoch: number, stack: boolean): Promise<unknown> {
    for (const index of indices) checkIndex('WorkerDataset', index, this.length)
    // who has least to do
    const employee = this.employees.reduce((a, b) => b.waiting.size < a.waiting.size ? b : a)
    const gone = this.employees.find(({ dead }) => dead !== null)
    if (gone) fail('data', 'WorkerDataset', `${gone.dead!}. Start workers anew`)
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      employee.waiting.set(id, { resolve, reject })
      employee.channel.hold(true)
      employee.channel.post({ id, indices, epoch, stack })
    })
  }
}

/** Listens to a worker; gives the number of its samples when it is ready. */
function hire(employee: Employee, name: string): Promise<number> {
  const { channel, waiting } = employee
  return new Promise((resolve, reject) => {
    channel.hold(true)
    const idle = (): void => { if (waiting.size === 0) channel.hold(false) }
    channel.listen((reply: Reply) => {
      if ('length' in reply) {
        idle()
        resolve(reply.length)
      } else if (reply.id === null) {
        reject(errorOf(`${name} made no dataset: ${'error' in reply ? reply.error : ''}`))
      } else {
        const asked = waiting.get(reply.id)
        waiting.delete(reply.id)
        idle()
        if ('error' in reply) asked?.reject(errorOf(`${name}: ${reply.error}`))
        else asked?.resolve(reply.value)
      }
    }, reason => {
      bury(employee, `${name} ended: ${reason}`)
      reject(errorOf(`${name} ended before it was ready: ${reason}`))
    })
  })
}

/** A worker is gone: whoever waits for it is told so. */
function bury(employee: Employee, reason: string): void {
  employee.dead ??= reason
  for (const { reject } of employee.waiting.values()) reject(errorOf(employee.dead))
  employee.waiting.clear()
}

const errorOf = (message: string): BpError => new BpError('data', 'WorkerDataset', message)

function webChannel(worker: WebWorker): Channel {
  return {
    post: request => { worker.postMessage(request) },
    listen: (hear, died) => {
      worker.addEventListener('message', ({ data }) => { hear(data as Reply) })
      worker.addEventListener('error', ({ message }) => { died(message ?? 'its script could not be loaded') })
      worker.addEventListener('messageerror', () => { died('a message could not be read') })
    },
    hold: () => undefined,
    close: () => { worker.terminate() },
  }
}
