// Reading a model and the data beside it from disk, and from nowhere else.

import { readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BpError } from '@bp/core'
import { fail } from '@bp/core/extend'
import { importOnnx, type ImportOptions } from '../import/import.ts'
import type { OnnxModule } from '../import/module.ts'
import type { ExternalData } from '../proto/tensor.ts'

/**
 * Reads a model from a file as {@link importOnnx} does, and tensors that it stores outside of itself from files in its folder and below it.
 * A link that leads out of the folder is not followed, and only regular files are read; give `externalData` to find them elsewhere. Throws a
 * `data` error that names the file.
 *
 * @example
 * ```ts
 * import { mkdtempSync, writeFileSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { tensor } from '@bp/core'
 * import { exportOnnx } from '@bp/onnx'
 * import { importOnnxFile } from '@bp/onnx/node'
 * import { mul } from '@bp/ops'
 * const path = join(mkdtempSync(join(tmpdir(), 'onnx-')), 'twice.onnx')
 * writeFileSync(path, exportOnnx(x => mul(x, 2), [{ name: 'x', shape: [2], dtype: 'float32' }]))
 * importOnnxFile(path).forward(tensor([1, 2])) // => tensor([2, 4], float32)
 * ```
 */
export function importOnnxFile(path: string | URL, options: ImportOptions = {}): OnnxModule {
  const file = path instanceof URL ? fileURLToPath(path) : path
  return named(file, () => importOnnx(read(file), { externalData: externalFiles(dirname(file)), ...options }))
}

/**
 * Reads the files in a folder and below it by their paths from there, as {@link importOnnxFile} does: the `externalData` of a model
 * whose bytes are already read. Links that lead out of the folder are refused with a `data` error, as is what is no regular file.
 *
 * @example
 * ```ts
 * import { mkdtempSync, writeFileSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { externalFiles } from '@bp/onnx/node'
 * const folder = mkdtempSync(join(tmpdir(), 'onnx-'))
 * writeFileSync(join(folder, 'weights.bin'), Uint8Array.of(1, 2, 3))
 * externalFiles(folder)('weights.bin').length // => 3
 * ```
 */
export const externalFiles = (folder: string): ExternalData => path => named(path, () => {
  const top = realpathSync(folder)
  const file = realpathSync(join(top, path))
  const below = top.endsWith(sep) ? top : top + sep
  return file.startsWith(below) ? read(file) : fail('data', path, `it is a link that leads out of the model's folder, which is not followed. Put the data itself there, or pass { externalData }`)
})

const read = (file: string): Uint8Array => statSync(file).isFile() ? readFileSync(file) : fail('data', file, 'it is no regular file')

/** What `f` returns; what it throws that is no error of ours names the file. */
function named<T>(file: string, f: () => T): T {
  try {
    return f()
  } catch (error) {
    if (error instanceof BpError) throw error
    return fail('data', file, (error as Error).message, { cause: error })
  }
}
