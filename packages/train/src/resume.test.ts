// Resuming: a run that is killed again and again ends bit by bit as the unbroken one, and its checkpoints are always whole.

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readCheckpointProgress } from '@bp/nn'
import { Generator } from '@bp/ops'
import { afterAll, expect, test } from 'vitest'
import { places, run, steps } from '../test/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'bp-resume-'))
afterAll(() => { rmSync(folder, { recursive: true }) })

const program = fileURLToPath(new URL('../test/run.ts', import.meta.url))
const killed = join(folder, 'killed')

/** How many updates a process takes at most before it waits to be killed. */
const most = 9

/** Runs the program; kills it, if told to, so many milliseconds after so many updates. */
function child(args: readonly string[], after: { readonly updates: number; readonly milliseconds: number } | null): Promise<string | number> {
  return new Promise((ended, failed) => {
    const process = spawn(globalThis.process.execPath, ['--conditions=@bp/source', program, killed, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'], env: { ...globalThis.process.env, NODE_COMPILE_CACHE: join(folder, 'cache') },
    })
    let updates = 0
    let said = ''
    process.stdout.on('data', (dots: Buffer) => {
      if (after && updates < after.updates && (updates += dots.length) >= after.updates) setTimeout(() => { process.kill('SIGKILL') }, after.milliseconds)
    })
    process.stderr.on('data', (text: Buffer) => { said += text.toString() })
    process.on('error', failed).on('close', (code, signal) => {
      if (code === 0 || signal) ended(signal ?? 0)
      else failed(new Error(said))
    })
  })
}

/** The checkpoints in the folder, each of which must be whole, and the temporary files. */
function look(): { whole: string[]; temporary: string[] } {
  const files = readdirSync(killed)
  const whole = files.filter(file => file.startsWith('checkpoint') && file.endsWith('.safetensors'))
  for (const file of whole) readCheckpointProgress(readFileSync(join(killed, file)))
  return { whole, temporary: files.filter(file => file.endsWith('.tmp')) }
}

test('killed twenty times, ten of them while it writes a checkpoint, a run ends bit by bit as the unbroken one', async () => {
  const unbroken = join(folder, 'unbroken')
  await run(unbroken, steps)
  const random = new Generator(2026).bits([20]).dataSync() as Int32Array
  let cut = 0
  for (let i = 0; i < 20; i++) {
    const place = i % 2 === 0 ? undefined : places[(i >> 1) % places.length]
    const after = place === undefined ? { updates: 1 + random[i]! % most, milliseconds: (random[i]! >> 8) % 20 } : null
    expect(await child(place === undefined ? [String(most)] : ['1000', place], after)).toBe('SIGKILL')
    const { whole, temporary } = look()
    expect(whole.length).toBeGreaterThan(0)
    cut += temporary.length
    if (place === 'half of the file') expect(temporary).toHaveLength(1)
  }
  expect(cut).toBeGreaterThanOrEqual(6)
  expect(await child([], null)).toBe(0)
  expect(look().temporary).toEqual([])
  for (const file of ['final.safetensors', 'history.json', 'log.jsonl']) {
    expect(readFileSync(join(killed, file)).equals(readFileSync(join(unbroken, file))), file).toBe(true)
  }
}, 120_000)
