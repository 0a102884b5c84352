// What a suite is: how a case is run, anywhere, from the bytes that it consists of, and what becomes of what it throws.

import { BpError } from '@bp/core'
import { UnsupportedError } from '@bp/onnx'
import { Mismatch, Unsupported } from '../compare.ts'
import type { CaseResult } from '../report.ts'

/** What a case that passed has to say. */
export interface Outcome {
  readonly maxError: number
  /** What was not checked to the letter, and why. */
  readonly note?: string
}

/** How cases are run. */
export interface Setting {
  /** What can be compiled shall be. */
  readonly compiled: boolean
  /** On a backend of float32: what PyTorch computed in float64 is computed in float32, and everything to its tolerances. */
  readonly single: boolean
}

/** A case, as bytes by the names of its files. */
export interface Subject {
  readonly name: string
  readonly files: Readonly<Record<string, Uint8Array>>
}

/** A suite runs a case; it throws where the case does not pass. */
export type Suite = (subject: Subject, setting: Setting) => Outcome | Promise<Outcome>

/** The bytes of one of a case's files. */
export function fileOf({ files }: Subject, name: string): Uint8Array {
  if (!Object.hasOwn(files, name)) throw new Error(`there is no file ${name}`)
  return files[name]!
}

/** The text of one of a case's files. */
export const textOf = (subject: Subject, name: string): string => new TextDecoder().decode(fileOf(subject, name))

/** The result of a case that is run so; whatever is thrown becomes its result. */
export async function judge(name: string, run: () => Outcome | Promise<Outcome>): Promise<CaseResult> {
  try {
    const { maxError, note } = await run()
    return { name, status: 'pass', maxError, ...note ? { reason: note } : {} }
  } catch (error) {
    if (error instanceof Unsupported || error instanceof UnsupportedError || isLack(error)) return { name, status: 'unsupported', reason: error.message }
    if (error instanceof Mismatch) return { name, status: 'fail', reason: error.message }
    return { name, status: 'fail', reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }
  }
}

/** Whether an error says that a backend has no such kernel or type. */
const isLack = (error: unknown): error is BpError => error instanceof BpError && (error.code === 'dtype' || error.code === 'backend') && /\bhas no\b/.test(error.message)
