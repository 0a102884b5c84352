// A page that runs one script: bundled in memory from a module and all it imports.

import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { type Content, texts } from './server.ts'

/** What a page runs. */
export interface Script {
  /** The page's title. */
  readonly title: string
  /** A module, of sources or of what they were built to; what it imports is taken of the same. */
  readonly entry: URL
  readonly minify?: boolean
}

/** The page, as `index.html`, and its script, as `page.js`. */
export async function scriptPage({ title, entry, minify = false }: Script): Promise<Content> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)], bundle: true, format: 'esm', target: 'es2022', minify, write: false, logLevel: 'error',
    conditions: entry.href.endsWith('.ts') ? ['@bp/source', 'module'] : ['module'],
  })
  return texts({ 'index.html': `<!doctype html><meta charset="utf-8"><title>${title}</title><script type="module" src="page.js"></script>`, 'page.js': outputFiles[0]!.text })
}

/** The URL of a module that stands beside one of sources or of what they were built to, as `sibling(import.meta.url, 'page')`. */
export const sibling = (of: string, name: string): URL => new URL(`./${name}${of.endsWith('.ts') ? '.ts' : '.js'}`, of)
