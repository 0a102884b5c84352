// The worker: a session whose commands and reports are messages.

/// <reference lib="dom" />

import type { Command } from './protocol.ts'
import { Session } from './session.ts'

/** What a worker has of it; the library of the DOM knows pages only. */
const scope = globalThis as unknown as Pick<Worker, 'postMessage' | 'addEventListener'>
const session = new Session((told, transfer = []) => { scope.postMessage(told, transfer) })
scope.addEventListener('message', ({ data }: MessageEvent<Command>) => { void session.handle(data) })
