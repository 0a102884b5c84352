// npz files: a zip archive of npy files, as NumPy's savez writes them.

import { unzipSync, zipSync } from 'fflate'
import type { BpError } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { ArraySource, NdArray } from '../array.ts'
import { decodeNpy, encodeNpy } from './npy.ts'
import { verifyZip } from './zip.ts'

/**
 * Reads the arrays of an npz file, by name. Each is checked against the archive's checksum.
 *
 * @example
 * ```ts
 * import { decodeNpz, encodeNpz, ndarray } from '@bp/data'
 * const file = encodeNpz({ x: ndarray([1, 2]), y: Int32Array.of(3) })
 * [...decodeNpz(file).keys()] // => [x, y]
 * ```
 */
export function decodeNpz(file: Uint8Array): Map<string, NdArray> {
  let entries: Record<string, Uint8Array>
  try {
    entries = unzipSync(file)
  } catch (error) {
    return fail('data', 'npz', `it could not be unzipped: ${(error as Error).message}. It is another file, truncated or damaged`, { cause: error })
  }
  verifyZip('npz', file, entries)
  return new Map(Object.entries(entries).map(([path, bytes]) => {
    const name = path.replace(/\.npy$/, '')
    try {
      return [name, decodeNpy(bytes)]
    } catch (error) {
      return fail('data', 'npz', `the array ${name}: ${(error as BpError).message}`, { cause: error })
    }
  }))
}

/** Options of {@link encodeNpz}. */
export interface NpzOptions {
  /** Deflates the arrays, as `savez_compressed` does; false unless given. */
  readonly compress?: boolean
}

/** Writes arrays by name as an npz file; the same arrays give the same bytes. */
export function encodeNpz(arrays: Readonly<Record<string, ArraySource>>, { compress = false }: NpzOptions = {}): Uint8Array<ArrayBuffer> {
  const entries = Object.fromEntries(Object.entries(arrays).map(([name, source]) => [`${name}.npy`, encodeNpy(source)]))
  // the earliest date that a zip file can have
  return zipSync(entries, { level: compress ? 6 : 0, mtime: new Date(1980, 0, 1) })
}
