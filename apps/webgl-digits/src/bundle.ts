// The page's files, made in memory: scripts by esbuild, the digits packed.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readDigits } from '@bp/digits/files'
import { build } from 'esbuild'
import { pack } from './packed.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** All files by name: index.html, page.js, the worker training.js, the CPU backend's worker.js, chunks they share, and digits.bin. */
export async function bundle(minify = true): Promise<Record<string, string | Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: { page: here('../src/page.ts'), training: here('../src/training.ts'), worker: here('../../../packages/backend-cpu/src/threads/worker.ts') },
    bundle: true, splitting: true, format: 'esm', target: 'es2022', minify, write: false, outdir: 'out', logLevel: 'error',
    // from the sources, so that nothing has to be built before
    conditions: ['@bp/source'],
  })
  const html = readFileSync(here('../src/index.html'), 'utf8').replace('<link rel="stylesheet" href="page.css">', () => `<style>\n${readFileSync(here('../src/page.css'), 'utf8')}</style>`)
  return { 'index.html': html, 'digits.bin': pack(readDigits()), ...Object.fromEntries(outputFiles.map(({ path, text }) => [basename(path), text])) }
}
