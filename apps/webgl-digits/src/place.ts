// Where a session runs: in a worker, so that the page stays free, or in the page itself.

/// <reference lib="dom" />

import type { Command, Tell, Told } from './protocol.ts'

/** Which of the two. */
export type PlaceName = 'worker' | 'page'

/** A session that takes commands. */
export interface Place {
  send(command: Command): void
  /** Nothing more is asked: it shall compute nothing any more. */
  leave(): void
}

function inWorker(tell: Tell): Place {
  let run = 0
  const worker = new Worker(new URL('training.js', import.meta.url), { type: 'module' })
  worker.addEventListener('message', ({ data }: MessageEvent<Told>) => { tell(data) })
  worker.addEventListener('error', ({ message }) => { tell({ run, report: { kind: 'failed', reason: 'other', message: message || 'The worker could not be started.' } }) })
  const send = (command: Command): void => {
    if (command.kind === 'begin') run = command.run
    worker.postMessage(command)
  }
  return { send, leave: () => { worker.terminate() } }
}

/** The page has one session for its life, and with it one context of the graphics card. */
let here: Promise<{ handle(command: Command): Promise<void> }> | null = null

function inPage(tell: Tell): Place {
  // loaded only where it is asked for: with the worker the page needs none of the library
  here ??= import('./session.ts').then(({ Session }) => new Session(tell))
  const send = (command: Command): void => { void here!.then(session => session.handle(command)) }
  return { send, leave: () => { send({ kind: 'pause' }) } }
}

/** Opens a place. */
export const openPlace = (name: PlaceName, tell: Tell): Place => name === 'worker' ? inWorker(tell) : inPage(tell)
