// What an error says and of which kind it is, for snapshots of many.

import { BpError } from '../src/index.ts'
import { expect } from 'vitest'

/** The kind and the text of the error of ours that a function throws. */
export function message(f: () => unknown): string {
  try {
    f()
  } catch (error) {
    expect(error).toBeInstanceOf(BpError)
    return `${(error as BpError).code} | ${(error as BpError).message}`
  }
  return 'no error'
}
