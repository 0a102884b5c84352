// node dist/support.js FILE: writes what the WebGL backend supports, found in a page of a headless Chromium; docs/backends.md is made of it.

import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findChromium, serve, startChromium, texts, whyNot } from '@bp/browser'
import { build } from 'esbuild'

/** In the page. */
declare const support: () => Promise<{ readonly failed: readonly { readonly name: string; readonly message: string }[] }>

/** The report; rejects where there is no Chromium that has WebGL. */
async function found(): Promise<Awaited<ReturnType<typeof support>>> {
  const chromium = findChromium()
  const reason = chromium === null ? 'there is no Chromium here. Install one (Debian: apt-get install chromium), or say where it is by CHROME_PATH' : await whyNot(chromium, 'llvmpipe')
  if (chromium === null || reason !== null) throw new Error(reason ?? undefined)
  const entry = join(dirname(fileURLToPath(import.meta.url)), 'supportPage.js')
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', target: 'es2022', write: false, logLevel: 'error' })
  const server = await serve(texts({ 'index.html': '<!doctype html><meta charset="utf-8"><title>support</title><script type="module" src="page.js"></script>', 'page.js': outputFiles[0]!.text }))
  const browser = await startChromium(chromium, 'llvmpipe')
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
