// Checkpoints as files of a folder: the last ones, and the best.

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BpError } from '@bp/core'
import { fail } from '@bp/core/extend'
import { readCheckpointProgress } from '@bp/nn'
import type { CheckpointStore } from '../checkpointing.ts'
import { temporaryEnding, writeWhole } from './writeWhole.ts'

/** Options of {@link CheckpointFiles}. */
export interface CheckpointFilesOptions {
  /** What files are called: `checkpoint-12.safetensors` of step 12, `checkpoint-best.safetensors`; `checkpoint` unless given. */
  readonly name?: string
  /** How many of the last checkpoints are kept, apart from the best: 2 unless given. */
  readonly keepLast?: number
  /** Is told of a damaged file that was passed over; `console.warn` unless given. */
  readonly warn?: (message: string) => void
}

/**
 * Keeps the last checkpoints of a run, and the best, in a folder. Each is written whole and synced before an older one is
 * deleted; `load` passes over damaged ones, and says so. Temporary files of a process that was killed are cleaned away.
 */
export class CheckpointFiles implements CheckpointStore {
  private readonly folder: string
  private readonly options: Required<CheckpointFilesOptions>

  constructor(folder: string, options: CheckpointFilesOptions = {}) {
    this.folder = folder
    this.options = { name: 'checkpoint', keepLast: 2, warn: message => { console.warn(message) }, ...options }
    if (!(this.options.keepLast >= 1)) fail('value', 'CheckpointFiles', `keepLast must be ≥ 1, got ${this.options.keepLast}`)
    for (const file of this.files()) if (file.endsWith(temporaryEnding)) rmSync(join(folder, file), { force: true })
  }

  save(checkpoint: Uint8Array, step: number): void {
    writeWhole(this.path(step), checkpoint)
    // a run that began anew leaves no later steps of the one before it
    const others = this.steps().filter(other => other !== step)
    for (const other of [...others.filter(other => other > step), ...others.filter(other => other < step).slice(this.options.keepLast - 1)]) rmSync(this.path(other), { force: true })
  }

  saveBest(checkpoint: Uint8Array): void {
    writeWhole(this.path('best'), checkpoint)
  }

  /** The newest checkpoint that is whole, or `null` where there is none. Throws where there are some, and all are damaged. */
  load(): Uint8Array | null {
    const damaged: string[] = []
    for (const step of this.steps()) {
      const bytes = whole(readFileSync(this.path(step)))
      if (bytes instanceof Uint8Array) {
        if (damaged.length > 0) this.options.warn(`CheckpointFiles: ${damaged.join('; ')}. Going on from ${this.path(step)} instead`)
        return bytes
      }
      damaged.push(`${this.path(step)} is damaged (${bytes.message})`)
    }
    return damaged.length === 0 ? null : fail('data', 'CheckpointFiles', `${damaged.join('; ')}. None is left; delete them to begin anew`)
  }

  /** The best checkpoint, or `null` where there is none. */
  loadBest(): Uint8Array | null {
    return existsSync(this.path('best')) ? readFileSync(this.path('best')) : null
  }

  /** Deletes all checkpoints of this name. */
  clear(): void {
    for (const file of this.files()) rmSync(join(this.folder, file), { force: true })
  }

  private path(which: number | 'best'): string {
    return join(this.folder, `${this.options.name}-${which}.safetensors`)
  }

  /** The steps of which there are files, the last first. */
  private steps(): number[] {
    return this.files().flatMap(file => /-(\d+)\.safetensors$/.exec(file)?.[1] ?? []).map(Number).sort((a, b) => b - a)
  }

  /** Files of this name, temporary ones too. */
  private files(): string[] {
    if (!existsSync(this.folder)) return []
    const { name } = this.options
    return readdirSync(this.folder).filter(file => file.startsWith(`${name}-`) && /^(\d+|best)\.safetensors(\.tmp)?$/.test(file.slice(name.length + 1)))
  }
}

/** The bytes where they are a whole checkpoint, else what is wrong with them. */
function whole(bytes: Uint8Array): Uint8Array | BpError {
  try {
    readCheckpointProgress(bytes)
    return bytes
  } catch (error) {
    if (error instanceof BpError) return error
    throw error
  }
}
