// Logs as files: text that can be cut back, and TensorBoard's events.

import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import type { TextSink } from '../callbacks/jsonLog.ts'
import type { ByteSink } from '../tensorboard/events.ts'

const append = (path: string): number => {
  mkdirSync(dirname(path), { recursive: true })
  return openSync(path, 'a')
}

/** A file to which text is appended, whole with each write. */
export class LogFile implements TextSink {
  private readonly file: number

  constructor(path: string) {
    this.file = append(path)
  }

  get length(): number {
    return fstatSync(this.file).size
  }

  write(text: string): void {
    writeSync(this.file, text)
  }

  truncate(length: number): void {
    if (length < this.length) ftruncateSync(this.file, length)
  }

  close(): void {
    closeSync(this.file)
  }
}

let made = 0

/**
 * A new event file in a folder, by the name that TensorBoard looks for: `events.out.tfevents.SECONDS.HOST.PROCESS.NUMBER`.
 * Show the folder with `tensorboard --logdir FOLDER`.
 */
export class EventFile implements ByteSink {
  private readonly file: number

  constructor(folder: string) {
    this.file = append(join(folder, `events.out.tfevents.${Math.floor(Date.now() / 1000)}.${hostname()}.${process.pid}.${made++}`))
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.file, bytes, at)
  }

  close(): void {
    closeSync(this.file)
  }
}
