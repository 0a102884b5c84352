// Drives the page as a person would, in a Chromium without a window, and watches what goes wrong in it.

/// <reference lib="dom" />

import { serve, startChromium } from '@bp/browser'
import type { Browser, Page } from 'playwright-core'
import { bundle } from './bundle.ts'
import type { PlaceName } from './place.ts'
import type { BackendName, Held } from './protocol.ts'
import type { RunRecord } from './record.ts'

/** The page's files on a port of this machine. */
export async function open(): Promise<{ readonly address: string; readonly close: () => void }> {
  const files = await bundle()
  const { address, close } = await serve(name => files[name] ?? null)
  return { address: address('isolated', 'index.html'), close }
}

/** What a visit begins with. */
export interface VisitOptions {
  readonly backend?: BackendName
  readonly place?: PlaceName
  readonly epochs?: number
  /** JavaScript that the page runs before its own. */
  readonly before?: string
}

/** A page that was opened and is driven. */
export class Visit {
  readonly page: Page
  /** What the page said on its console as an error, or threw. */
  readonly troubles: string[] = []

  private constructor(page: Page) {
    this.page = page
    page.on('console', message => { if (['error', 'warning'].includes(message.type())) this.troubles.push(message.text()) })
    page.on('pageerror', error => { this.troubles.push(String(error)) })
  }

  /** Opens the page, chooses, and waits until a run is ready, or has failed. */
  static async begin(browser: Browser, address: string, { backend = 'webgl', place = 'worker', epochs = 4, before = '' }: VisitOptions = {}): Promise<Visit> {
    const visit = new Visit(await browser.newPage({ viewport: { width: 1200, height: 1000 } }))
    // counts what keeps the page from answering; tasks that opened the page are over when training starts
    await visit.page.addInitScript(`${before}
      globalThis.longTasks = []
      new PerformanceObserver(list => { for (const { duration, startTime } of list.getEntries()) longTasks.push([Math.round(startTime), Math.round(duration)]) }).observe({ type: 'longtask' })`)
    await visit.page.goto(address)
    if (epochs !== 4) {
      await visit.page.fill('#epochs', String(epochs))
      await visit.page.locator('#epochs').press('Tab')
    }
    if (place !== 'worker') await visit.page.locator(`[value=${place}]`).check({ force: true })
    if (backend !== 'webgl') await visit.page.locator(`[value=${backend}]`).check({ force: true })
    await visit.state('Ready', 'Stopped')
    return visit
  }

  /** Waits until the page says one of some words of its run. */
  async state(...words: readonly string[]): Promise<string> {
    const handle = await this.page.waitForFunction(wanted => wanted.find(word => document.getElementById('state')!.textContent === word), words, { timeout: 120_000 })
    return await handle.jsonValue() ?? ''
  }

  /** Waits until a run has taken so many steps, or is over; for ever where `timeout` is 0. */
  async steps(count: number, timeout = 120_000): Promise<void> {
    await this.page.waitForFunction(wanted => {
      const { record } = globalThis as unknown as { record: RunRecord }
      return record.losses.length >= wanted || ['Done', 'Stopped'].includes(document.getElementById('state')!.textContent)
    }, count, { timeout, polling: 100 })
  }

  /** What the page remembers of its run. */
  record(): Promise<{ readonly steps: number; readonly losses: readonly number[]; readonly accuracies: readonly (readonly [step: number, accuracy: number])[]; readonly held: readonly Held[] }> {
    return this.page.evaluate(() => {
      const { steps, losses, accuracies, held } = (globalThis as unknown as { record: RunRecord }).record
      return { steps, losses: losses.map(([, loss]) => loss), accuracies, held }
    })
  }

  /** Tasks of the page's own thread of over 50 ms since the last question: when they began, and how long they took. */
  longTasks(): Promise<(readonly [begun: number, milliseconds: number])[]> {
    return this.page.evaluate(() => (globalThis as unknown as { longTasks: [number, number][] }).longTasks.splice(0))
  }

  /** The text of an element. */
  async text(id: string): Promise<string> {
    return (await this.page.locator(`#${id}`).textContent() ?? '').trim()
  }

  /** Draws a line on the pad with the mouse, through points from 0 to 1. */
  async draw(...points: readonly (readonly [x: number, y: number])[]): Promise<void> {
    const { mouse } = this.page
    await this.page.locator('#pad').scrollIntoViewIfNeeded()
    const box = (await this.page.locator('#pad').boundingBox())!
    for (const [i, [x, y]] of points.entries()) {
      await mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: 4 })
      if (i === 0) await mouse.down()
    }
    await mouse.up()
  }

  close(): Promise<void> {
    return this.page.close()
  }
}

/** Starts the Chromium at a path with llvmpipe in place of a graphics card. */
export const start = (chromium: string): Promise<Browser> => startChromium(chromium, 'llvmpipe')

/** The least and the most textures and bytes of tensors from a step on. */
export function range(held: readonly Held[], from: number): Readonly<Record<keyof Held, readonly [least: number, most: number]>> {
  const of = (name: keyof Held): readonly [number, number] => {
    const values = held.slice(from - 1).map(one => one[name])
    return [Math.min(...values), Math.max(...values)]
  }
  return { textures: of('textures'), bytes: of('bytes'), pooled: of('pooled'), pooledBytes: of('pooledBytes') }
}

/** From which steps on a count was what: `20 from step 1, 23 from step 266`, at most the last eight. */
export function changes(held: readonly Held[], name: keyof Held): string {
  const found = held.flatMap((one, i) => i > 0 && held[i - 1]![name] === one[name] ? [] : [`${one[name].toLocaleString('en')} from step ${i + 1}`])
  return `${found.length > 8 ? `${found.length - 8} changes, then ` : ''}${found.slice(-8).join(', ')}`
}
