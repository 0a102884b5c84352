// What a loader's thread and its workers say to each other.

import { isNdArray } from '../array.ts'

/** Asked of a worker. */
export interface Request {
  readonly id: number
  readonly indices: readonly number[]
  readonly epoch: number
  /** Whether the samples are to be stacked; there is one index otherwise. */
  readonly stack: boolean
}

/** What a worker says: how many samples there are when it is ready, then answers. */
export type Reply =
  | { readonly length: number }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number | null; readonly error: string }

/** The thread's side of a worker, of whatever kind. */
export interface Channel {
  post(request: Request): void
  /** Calls `hear` with each reply, and `died` once, with the reason, when the worker is gone. */
  listen(hear: (reply: Reply) => void, died: (reason: string) => void): void
  /** Whether the process has to stay for it. */
  hold(on: boolean): void
  close(): void
}

/** The worker's side. */
export interface Port {
  post(reply: Reply, transfer: ArrayBuffer[]): void
  listen(hear: (request: Request) => void): void
}

/** The memory of the arrays in a batch, which moves to the other thread instead of being copied. */
export function memoryOf(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (isNdArray(value)) {
    const { buffer, byteLength } = value.data
    // a view of something larger is copied: the rest may be in use
    if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) found.add(buffer)
  } else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) memoryOf(part, found)
  return found
}
