// Lists the cases that a path holds, and reads the files of each: the part of a suite that needs Node.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { nameOf, parseVector } from './suites/opinfo/vectors.ts'
import type { Subject } from './suites/suite.ts'
import type { SuiteName } from './suites/suites.ts'

/** A case that can be read. */
export interface Listed {
  readonly name: string
  /** Reads its files; throws where one is not there. */
  readonly load: () => Subject['files']
}

/** What a path holds for each suite. */
export const lists: Readonly<Record<SuiteName, (path: string) => Listed[]>> = {
  onnx: path => {
    const folders = filesUnder(path).filter(file => basename(file) === 'model.onnx').map(file => join(path, dirname(file))).sort()
    return folders.filter(folder => readdirSync(folder).some(name => name.startsWith('test_data_set_'))).map(folder => {
      const inner = folders.filter(other => other.startsWith(folder + sep))
      return { name: basename(folder), load: () => read(folder, filesUnder(folder).filter(file => !inner.some(other => file.startsWith(relative(folder, other) + sep)))) }
    })
  },
  parity: path => ['vjp', 'train'].flatMap(kind => {
    const folder = join(path, kind)
    const names = existsSync(folder) ? readdirSync(folder).filter(name => existsSync(join(folder, name, 'case.json'))).sort() : []
    return names.map(name => ({ name: `${kind}/${name}`, load: () => read(join(folder, name), ['case.json', 'data.safetensors', 'model.onnx']) }))
  }),
  optim: path => (JSON.parse(readFileSync(path, 'utf8')) as { kind: string; name: string }[])
    .map((entry, i) => ({ name: `${entry.kind}/${entry.name}#${i}`, load: () => ({ 'entry.json': encode(JSON.stringify(entry)) }) })),
  opinfo: path => {
    const bytes = readFileSync(path)
    const lines = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString('utf8').split('\n').filter(line => line !== '')
    return lines.map((line, i) => ({ name: `${nameOf(parseVector(line))}#${i}`, load: () => ({ 'vector.json': encode(line) }) }))
  },
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Every file under a folder, as a path from there. */
const filesUnder = (folder: string): string[] => readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(({ parentPath, name }) => relative(folder, join(parentPath, name)))

/** Files of a folder by their paths, whose parts are parted by `/` everywhere. */
const read = (folder: string, files: readonly string[]): Subject['files'] => Object.fromEntries(files.map(file => [file.split(sep).join('/'), readFileSync(join(folder, file))]))
