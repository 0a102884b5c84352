// Reading and writing files: bytes from disk to the decoders, with the file's name in their errors.

import { createReadStream, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Tensor } from '@bp/core'
import { BpError } from '@bp/core'
import { fail } from '@bp/core/extend'
import { decodeSafetensors } from '@bp/nn'
import type { ArraySource, NdArray } from '../array.ts'
import { type CsvOptions, type CsvTable, parseCsv } from '../formats/csv.ts'
import { type CsvColumns, CsvStream, type CsvStreamOptions } from '../formats/csvStream.ts'
import { decodeIdx } from '../formats/idx.ts'
import { decodeImage, type ImageOptions } from '../formats/image.ts'
import { decodeNpy, encodeNpy } from '../formats/npy.ts'
import { decodeNpz, encodeNpz, type NpzOptions } from '../formats/npz.ts'

/** The path of a file, or its file: URL. */
export type FilePath = string | URL

/** What `read` makes of a file; an error names the file. */
export function fromFile<T>(path: FilePath, read: (bytes: Uint8Array) => T): T {
  try {
    return read(readFileSync(path))
  } catch (error) {
    return fail(error instanceof BpError ? error.code : 'data', String(path), (error as Error).message, { cause: error })
  }
}

/** Reads an npy file, as `decodeNpy`. */
export const readNpy = (path: FilePath): NdArray => fromFile(path, decodeNpy)

/** Reads the arrays of an npz file, as `decodeNpz`. */
export const readNpz = (path: FilePath): Map<string, NdArray> => fromFile(path, decodeNpz)

/** Reads an IDX file, gzipped or not, as `decodeIdx`. */
export const readIdx = (path: FilePath): NdArray => fromFile(path, decodeIdx)

/** Reads a PNG or JPEG file as u8[h,w,c], as `decodeImage`. */
export const readImage = (path: FilePath, options?: ImageOptions): NdArray => fromFile(path, bytes => decodeImage(bytes, options))

/** Reads the tensors of a safetensors file. */
export const readSafetensors = (path: FilePath): Map<string, Tensor> => fromFile(path, bytes => decodeSafetensors(bytes).tensors)

/** Reads a CSV file whole, in UTF-8, as `parseCsv`. */
export const readCsv = (path: FilePath, options?: CsvOptions): CsvTable =>
  fromFile(path, bytes => parseCsv(utf8(bytes), options))

/** The rows of a CSV file as an iterable dataset, which reads it anew in each epoch, piece by piece. */
export const streamCsv = <const C extends CsvColumns>(path: FilePath, options: CsvStreamOptions<C>): CsvStream<C> =>
  new CsvStream(() => createReadStream(path) as AsyncIterable<Uint8Array>, options)

/** Writes an npy file; what was there before stays until the new one is whole. */
export function writeNpy(path: FilePath, source: ArraySource): void {
  replace(path, encodeNpy(source))
}

/** Writes arrays by name as an npz file; what was there before stays until the new one is whole. */
export function writeNpz(path: FilePath, arrays: Readonly<Record<string, ArraySource>>, options?: NpzOptions): void {
  replace(path, encodeNpz(arrays, options))
}

function replace(path: FilePath, bytes: Uint8Array): void {
  const beside = path instanceof URL ? new URL(`${path.href}.part`) : `${path}.part`
  writeFileSync(beside, bytes)
  renameSync(beside, path)
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    return fail('data', 'csv', 'the file is not UTF-8. Convert it, or decode it and give its text to parseCsv', { cause: error })
  }
}
