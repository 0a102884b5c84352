// Memory stays flat over 10,000 updates op by op in one synchronous loop, with nothing disposed of.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { Mark } from '../test/memory.ts'

test('memory is flat over 10,000 updates in a synchronous loop', async () => {
  const program = fileURLToPath(new URL('../test/memory.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--conditions=@bp/source', program])
  const marks = JSON.parse(stdout) as Mark[]
  expect(marks).toHaveLength(10)
  // the first thousand is the engine's to compile in
  const [first, ...later] = marks.slice(1)
  for (const { kept, rss } of later) {
    expect(Math.abs(kept / first!.kept - 1)).toBeLessThan(0.05)
    // the engine takes some 20 MB at once now and then; keeping what goes into and out of relu alone would take 80 MB
    expect(rss / first!.rss).toBeLessThan(1.3)
  }
}, 120_000)
