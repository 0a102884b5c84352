// The page, seen from the driver: bundled, and loaded in a Chromium that draws with a software adapter.

import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Page } from 'playwright-core'
import type { AdapterName } from '../options.ts'
import { findChromium, startChromium } from './chromium.ts'
import type { Bench, Outcome, Settings } from './page.ts'

/** Nothing to run on; the message says what would help. */
export class NoBrowserError extends Error {}

/** The page that is open. */
export interface OpenPage {
  /** What draws, by its own name. */
  readonly adapter: string
  readonly chromium: string
  /** See {@link Bench}. */
  race(job: string, names: readonly string[], settings: Settings): Promise<Record<string, Outcome>>
  close(): Promise<void>
}

type Scope = typeof globalThis & { bench?: Promise<Bench> }

/** The page's script in one file, of sources or of what they were built to, as this module is. */
async function bundle(): Promise<string> {
  const isSource = import.meta.url.endsWith('.ts')
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(isSource ? './page.ts' : './page.js', import.meta.url))],
    bundle: true, format: 'esm', target: 'es2022', minify: true, write: false, logLevel: 'error',
    conditions: isSource ? ['@bp/source', 'module'] : ['module'],
  })
  return outputFiles[0]!.text
}

/** The address of the page; nothing listens there, for the browser is answered from here. */
const address = 'http://localhost/bench'

async function load(page: Page, script: string): Promise<string> {
  const broken = new Promise<never>((_, reject) => { page.on('pageerror', reject) })
  // isolated pages have the finer clock
  const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
  await page.route('**/*', route => route.fulfill(route.request().url().endsWith('.js')
    ? { contentType: 'text/javascript; charset=utf-8', body: script, headers }
    : { contentType: 'text/html; charset=utf-8', body: '<!doctype html><title>bench</title><script type="module" src="bench.js"></script>', headers }))
  await page.goto(address)
  return Promise.race([broken, page.evaluate(async () => (await (globalThis as Scope).bench!).adapter)])
}

/** Starts a Chromium and loads the page; throws {@link NoBrowserError} where there is none, or none that has WebGL. */
export async function openPage(adapter: AdapterName): Promise<OpenPage> {
  const path = findChromium()
  if (path === null) throw new NoBrowserError('there is no Chromium here. Install one (Debian: apt-get install chromium libegl1 libegl-mesa0 libgles2 libgl1-mesa-dri), or say where it is by CHROME_PATH')
  const script = await bundle()
  const browser = await startChromium(path, adapter).catch((error: unknown) => {
    throw new NoBrowserError(`${path} does not start: ${String(error).split('\n')[0]!}. Say by CHROME_PATH which Chromium is to be used`)
  })
  try {
    const page = await browser.newPage()
    const name = await load(page, script).catch((error: unknown) => {
      throw new NoBrowserError(`the page does not start in ${path} on ${adapter}: ${String(error).split('\n')[0]!}. Install what the adapter needs (Debian: apt-get install libegl1 libegl-mesa0 libgles2 libgl1-mesa-dri), or choose another by --adapter`)
    })
    return {
      adapter: name,
      chromium: browser.version(),
      race: (job, names, settings) => page.evaluate(async args => (await (globalThis as Scope).bench!).race(...args), [job, names, settings] as const),
      close: () => browser.close(),
    }
  } catch (error) {
    await browser.close()
    throw error
  }
}
