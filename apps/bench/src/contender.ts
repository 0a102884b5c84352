// A contender's process, seen from the driver.

import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { inputs } from './data.ts'
import type { Answer, Request } from './peer.ts'

/** A process that answers requests in turn. */
export class Contender {
  readonly name: string
  private readonly child: ChildProcessByStdio<Writable, Readable, null>
  private readonly lines: AsyncIterator<string>

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    this.child.on('error', () => undefined)
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  /** Sends a request and waits for its answer; a process that died answers that it did. */
  async ask(request: Request): Promise<Answer> {
    for (;;) {
      if (this.child.exitCode !== null) return { fail: 'its process ended' }
      this.child.stdin.write(`${JSON.stringify(request)}\n`)
      const { value, done } = await this.lines.next() as IteratorResult<string, undefined>
      if (done) return { fail: 'its process ended' }
      // libraries print notices
      if (value.startsWith('{')) return JSON.parse(value) as Answer
    }
  }

  close(): void {
    this.child.stdin.end()
    this.child.kill()
  }
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** A contender in Node. */
export const nodeContender = (name: string): Contender => new Contender(name, process.execPath, [...process.execArgv, here(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js'), name])

/** The first python3 on the PATH that can import a module, or `null`. */
export function pythonWith(module: string): string | null {
  const all = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'].map(folder => join(folder, 'python3')).filter(existsSync)
  return [...new Set(all)].find(python => spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0) ?? null
}

/** A contender in Python, on a number of threads, with its data in a folder. */
export const pythonContender = (name: string, python: string, script: string, threads: number, folder: string): Contender =>
  new Contender(name, python, [here(`../peers/${script}`), String(threads), folder])

/** Writes the inputs of jobs where other languages can read them, and says where and how to remove them. */
export function dataFolder(jobs: readonly string[]): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'bp-bench-'))
  for (const job of jobs) {
    const entries = Object.entries(inputs[job]!()).map(([name, { values, shape }]) => {
      const file = `${job}.${name}.bin`
      writeFileSync(join(path, file), new Uint8Array(values.buffer))
      return [name, { file, shape, dtype: values instanceof Int32Array ? 'int32' : 'float32' }]
    })
    writeFileSync(join(path, `${job}.json`), JSON.stringify(Object.fromEntries(entries)))
  }
  return { path, remove: () => { rmSync(path, { recursive: true, force: true }) } }
}
