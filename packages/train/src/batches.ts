// Where batches come from: anything that can be iterated, at once or asynchronously, each pass anew.

import { fail } from '@bp/core/extend'

/** Batches: an iterable or async iterable that can be passed through again and again, or a function that makes one for each pass. */
export type Data<B> = Iterable<B> | AsyncIterable<B> | ((pass: number) => Iterable<B> | AsyncIterable<B>)

/** One pass over data. */
export interface Batches<B> {
  /** The next batch, at once where the data can. */
  next(): IteratorResult<B, unknown> | Promise<IteratorResult<B, unknown>>
  /** Ends a pass early, so that workers behind it can stop. */
  close(): unknown
}

/** Begins a pass. */
export function batchesOf<B>(data: Data<B>, pass: number): Batches<B> {
  const source = typeof data === 'function' ? data(pass) : data
  if (!isIterable(source)) return fail('data', 'fit', `data must be batches that can be iterated, or a function that returns such, got ${typeof source}. Await a promise first`)
  // a loader that can do both may have samples that come as promises only
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  return {
    next: () => iterator.next(),
    close: () => iterator.return?.(),
  }
}

const isIterable = (source: unknown): source is object => typeof source === 'object' && source !== null && (Symbol.asyncIterator in source || Symbol.iterator in source)

/** The error where a pass gives nothing. */
export const noBatches = (op: string): never =>
  fail('data', op, 'the data gave no batch. An iterator can be used once only: give an array, a loader, or a function that makes an iterator for each pass')
