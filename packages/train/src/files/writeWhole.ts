// Writing files so that a reader never sees half of one.

import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** What a file is called while it is being written. */
export const temporaryEnding = '.tmp'

/**
 * Writes a file as a whole: to a temporary file beside it, synced to the disk, renamed over the target, and the folder synced too.
 * Whatever happens, the target is either as it was or as it shall be (Pillai et al. 2014, "All File Systems Are Not Created
 * Equal"). Makes the folder where there is none; two processes must not write one target at once.
 */
export function writeWhole(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = path + temporaryEnding
  try {
    const file = openSync(temporary, 'w')
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  syncFolder(dirname(path))
}

/** A rename is on the disk when its folder is. Windows opens no folders, and writes renames through. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
