// What an error says, for snapshots of many.

import { BpError } from '@bp/core'
import { expect } from 'vitest'

/** The text of the error of ours that a function throws. */
export function messageOf(f: () => unknown): string {
  try {
    f()
  } catch (error) {
    expect(error).toBeInstanceOf(BpError)
    return (error as BpError).message
  }
  return 'no error'
}
