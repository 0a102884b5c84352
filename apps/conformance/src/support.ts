// node dist/support.js FILE: writes what the WebGL backend supports, found in a page of a headless Chromium; docs/backends.md is made of it.

import { writeFileSync } from 'node:fs'
import { findDrawing, scriptPage, serve, sibling, startChromium } from '@bp/browser'

/** In the page. */
declare const support: () => Promise<{ readonly failed: readonly { readonly name: string; readonly message: string }[] }>

/** The report; rejects where there is no Chromium that has WebGL. */
async function found(): Promise<Awaited<ReturnType<typeof support>>> {
  const { chromium, adapter } = await findDrawing(['llvmpipe'])
  const server = await serve(await scriptPage({ title: 'support', entry: sibling(import.meta.url, 'supportPage') }))
  const browser = await startChromium(chromium, adapter)
  try {
    const page = await browser.newPage()
    await page.goto(server.address('plain', 'index.html'))
    await page.waitForFunction('globalThis.support')
    return await page.evaluate(() => support())
  } finally {
    await browser.close()
    server.close()
  }
}

const [path] = process.argv.slice(2)
if (path === undefined) {
  process.stderr.write('usage: node dist/support.js FILE\n')
  process.exitCode = 2
} else {
  try {
    const report = await found()
    for (const { name, message } of report.failed) process.stderr.write(`${name}: ${message}\n`)
    if (report.failed.length > 0) process.exitCode = 1
    else writeFileSync(path, JSON.stringify(report))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = 2
  }
}
