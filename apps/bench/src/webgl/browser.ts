// The page, seen from the driver: bundled, and loaded in a Chromium that draws with a software adapter.

import { findChromium, scriptPage, serve, sibling, startChromium } from '@bp/browser'
import type { AdapterName } from '../options.ts'
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

type Page = Awaited<ReturnType<Awaited<ReturnType<typeof startChromium>>['newPage']>>

/** Loads the page, isolated for the finer clock that this gives, and says by what it is drawn. */
async function load(page: Page, address: string): Promise<string> {
  const broken = new Promise<never>((_, reject) => { page.on('pageerror', reject) })
  await page.goto(address)
  return Promise.race([broken, page.evaluate(async () => (await (globalThis as Scope).bench!).adapter)])
}

/** Starts a Chromium and loads the page; throws {@link NoBrowserError} where there is none, or none that has WebGL. */
export async function openPage(adapter: AdapterName): Promise<OpenPage> {
  const path = findChromium()
  if (path === null) throw new NoBrowserError('there is no Chromium here. Install one (Debian: apt-get install chromium libegl1 libegl-mesa0 libgles2 libgl1-mesa-dri), or say where it is by CHROME_PATH')
  const server = await serve(await scriptPage({ title: 'bench', entry: sibling(import.meta.url, 'page'), minify: true }))
  const browser = await startChromium(path, adapter).catch((error: unknown) => {
    server.close()
    throw new NoBrowserError(`${path} does not start: ${line(error)}. Say by CHROME_PATH which Chromium is to be used`)
  })
  const close = async (): Promise<void> => {
    await browser.close()
    server.close()
  }
  try {
    const page = await browser.newPage()
    return {
      adapter: await load(page, server.address('isolated', 'index.html')),
      chromium: browser.version(),
      race: (job, names, settings) => page.evaluate(async args => (await (globalThis as Scope).bench!).race(...args), [job, names, settings] as const),
      close,
    }
  } catch (error) {
    await close()
    throw new NoBrowserError(`the page does not start in ${path} on ${adapter}: ${line(error)}. Install what the adapter needs (Debian: apt-get install libegl1 libegl-mesa0 libgles2 libgl1-mesa-dri), or choose another by --adapter`)
  }
}

const line = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!
