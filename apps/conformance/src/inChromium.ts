// Runs cases in pages of a headless Chromium. A page that crashes, hangs or no longer computes fails its case, and the next case has a fresh one.

import { type Adapter, findDrawing, scriptPage, serve, sibling, startChromium } from '@bp/browser'
import type { Listed } from './list.ts'
import type { Device, Ended, PageApi, Task } from './page.ts'
import type { Place } from './place.ts'
import type { CaseResult } from './report.ts'
import { judge, type Setting } from './suites/suite.ts'
import type { SuiteName } from './suites/suites.ts'

/** What the pages shall do. */
export interface PagesOptions {
  readonly suite: SuiteName
  readonly setting: Setting
  readonly device: Device
  /** What may draw; the first that does is taken. */
  readonly adapters: readonly Adapter[]
  /** Milliseconds given to a case. */
  readonly patience?: number
}

/** Milliseconds given to a backend to start. */
const startTime = 60_000

type Browser = Awaited<ReturnType<typeof startChromium>>

interface Opened {
  readonly browser: Browser
  readonly page: Awaited<ReturnType<Browser['newPage']>>
  /** Rejects when the page crashes. */
  readonly crash: Promise<never>
}

/** In the page. */
declare const conformance: PageApi

/** Starts a Chromium and its first page; rejects where there is none, or where it has not what the device needs. */
export async function inChromium({ suite, setting, device, adapters, patience = 120_000 }: PagesOptions): Promise<Place> {
  const { chromium, adapter } = await findDrawing(adapters)
  let files: ReturnType<Listed['load']> = {}
  const server = await serve(await scriptPage({ title: 'conformance', entry: sibling(import.meta.url, 'page') }),
    name => name.startsWith('case/') ? files[name.slice('case/'.length)] ?? null : null)
  let open: Opened | null = null

  /** Closes the page with its browser: a page that hangs cannot be closed by itself. */
  const leave = async (): Promise<void> => {
    const { browser } = open ?? {}
    open = null
    await browser?.close()
  }
  const start = async (): Promise<Opened> => {
    const browser = await startChromium(chromium, adapter)
    const page = await browser.newPage()
    const crash = new Promise<never>((_, fail) => { page.once('crash', () => { fail(new Error('the page crashed')) }) })
    crash.catch(() => { /* between cases, the next one notices */ })
    open = { browser, page, crash }
    await page.goto(server.address('plain', 'index.html'))
    await page.waitForFunction('globalThis.conformance')
    await inTime(startTime, page.evaluate(name => conformance.start(name), device))
    return open
  }
  const runTask = async (task: Task): Promise<CaseResult> => {
    const { page, crash } = open ?? await start()
    const { result, computes } = await inTime(patience, Promise.race<Ended>([page.evaluate(one => conformance.run(one), task), crash]))
    if (!computes) await leave()
    return result
  }
  try {
    await start()
  } catch (error) {
    await leave()
    server.close()
    throw error
  }
  return {
    run: async ({ name, load }) => {
      const loaded = await judge(name, () => {
        files = load()
        return { maxError: 0 }
      })
      if (loaded.status !== 'pass') return loaded
      try {
        return await runTask({ suite, name, setting, files: Object.keys(files) })
      } catch (error) {
        await leave()
        return { name, status: 'fail', reason: error instanceof Error ? error.message.split('\n')[0]! : String(error) }
      }
    },
    close: async () => {
      await leave()
      server.close()
    },
  }
}

/** Rejects where a promise takes longer. */
async function inTime<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, fail) => { timer = setTimeout(() => { fail(new Error(`no answer within ${milliseconds / 1000} s`)) }, milliseconds) })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
