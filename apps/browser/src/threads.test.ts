// The CPU backend in a real browser: on several threads, on one, without WebAssembly, bundled and as published.

import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, noChromiumHint, startChromium } from './chromium.ts'
import { files, serve, type Site, texts } from './server.ts'
import { train, type Trained } from './train.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const chromium = findChromium()
if (chromium === null) console.warn(`THE BROWSER TESTS ARE LEFT OUT: there is no Chromium here. ${noChromiumHint}.`)

/** Whether there is anything to share; a browser may count more cores than this process may use. */
const several = availableParallelism() > 1
const worker = 'packages/backend-cpu/dist/threads/worker.js'
const packages = ['core', 'ops', 'nn', 'backend-cpu']

/** The packages as they are published. */
function buildPackages(): void {
  const bin = join(root, 'node_modules', '.bin')
  const { status, stdout } = spawnSync(join(bin, 'turbo'), ['run', 'build', ...packages.map(name => `--filter=@bp/${name}`), '--env-mode=loose'], { cwd: root, encoding: 'utf8', env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` } })
  if (status !== 0) throw new Error(stdout)
}

/** Leaves imports of packages to the browser. */
const published: Plugin = { name: 'published', setup: ({ onResolve }) => { onResolve({ filter: /^@bp\// }, ({ path }) => ({ path, external: true })) } }

/** The page's script in one file, with everything in it or with the packages left where they are; and the worker beside it. */
async function bundle(): Promise<Record<string, string>> {
  const options = { bundle: true, format: 'esm', target: 'es2022', outdir: join(root, 'out'), absWorkingDir: root, write: false, logLevel: 'error' } as const
  const [whole, thin] = await Promise.all([
    build({ ...options, entryPoints: { page: 'apps/browser/src/page.ts', worker }, minify: true }),
    build({ ...options, entryPoints: { thin: 'apps/browser/src/page.ts' }, plugins: [published] }),
  ])
  return Object.fromEntries([...whole.outputFiles, ...thin.outputFiles].map(({ path, text }) => [path.slice(join(root, 'out').length + 1), text]))
}

const html = (script: string, head = ''): string => `<!doctype html><meta charset="utf-8"><title>threads</title>${head}<script type="module" src="${script}"></script>`

/** What import maps say where no bundler has been. */
const importMap = (site: Site): string => `<script type="importmap">${JSON.stringify({ imports: Object.fromEntries(packages.flatMap(name => [[`@bp/${name}`, `/${site}/packages/${name}/dist/index.js`], [`@bp/${name}/extend`, `/${site}/packages/${name}/dist/extend.js`]])) })}</script>`

/** Loads a page, and returns what it trained, how many workers it has and could have, and what it said, once that is as much as expected. */
async function visit(browser: Browser, address: string, said = 0): Promise<{ readonly trained: Trained; readonly workers: number; readonly cores: number; readonly notices: readonly string[] }> {
  const page = await browser.newPage()
  const notices: string[] = []
  const broken: Error[] = []
  page.on('console', message => { if (message.text().startsWith('@bp/')) notices.push(message.text()) })
  page.on('pageerror', error => { broken.push(error) })
  await page.goto(address)
  const trained = await page.evaluate(async () => {
    const scope = globalThis as { trained?: Promise<Trained> }
    while (!scope.trained) await new Promise(done => { setTimeout(done, 10) })
    return scope.trained
  })
  await expect.poll(() => notices.length, { timeout: 10_000 }).toBe(said)
  const workers = page.workers().length
  const cores = await page.evaluate(() => Math.min(8, navigator.hardwareConcurrency))
  await page.close()
  expect(broken).toEqual([])
  return { trained, workers, cores, notices }
}

describe.runIf(chromium !== null)('in Chromium', () => {
  let browser: Browser
  let server: Awaited<ReturnType<typeof serve>>
  let here: Trained

  beforeAll(async () => {
    buildPackages()
    const { 'page.js': page, ...made } = await bundle()
    server = await serve(texts({
      ...made,
      'page.js': page!, 'alone.html': html('page.js'), 'all.html': html('page.js?threads=all'),
      'inside.html': html('inside.js'), 'inside.js': "const worker = new Worker('page.js?threads=all', { type: 'module' }); globalThis.trained = new Promise(done => { worker.onmessage = ({ data }) => { done(data) } })",
      'lost/page.js': page!, 'lost/alone.html': html('page.js'),
      'isolated.html': html('thin.js?threads=all', importMap('isolated')), 'plain.html': html('thin.js', importMap('plain')),
    }), files(root));
    [browser, here] = await Promise.all([startChromium(chromium!), train(Math.min(8, availableParallelism()))])
  }, 120_000)

  afterAll(async () => {
    await browser.close()
    server.close()
  })

  test('an isolated page computes on all threads, to the bit what Node does', async () => {
    const { trained, workers, notices, cores } = await visit(browser, server.address('isolated', 'all.html'))
    expect({ threads: trained.threads, workers, notices }).toEqual({ threads: cores, workers: cores - 1, notices: [] })
    expect(trained.losses).toEqual(here.losses)
    expect(trained.bits).toEqual(here.bits)
    expect(here.losses.at(-1)).toBeLessThan(here.losses[0]!)
  })

  test('a worker of an isolated page, which may sleep, computes the same on all threads', async () => {
    const { trained, workers, cores } = await visit(browser, server.address('isolated', 'inside.html'))
    expect({ threads: trained.threads, workers }).toEqual({ threads: cores, workers: cores })
    expect(trained.bits).toEqual(here.bits)
  })

  test.runIf(several)('a page that is not isolated computes the same on one thread, and says so once', async () => {
    const { trained, workers, notices } = await visit(browser, server.address('plain', 'alone.html'), 1)
    expect({ threads: trained.threads, workers }).toEqual({ threads: 1, workers: 0 })
    expect(notices).toMatchInlineSnapshot(`
      [
        "@bp/backend-cpu: memory cannot be shared between threads here, so one thread computes. Serve the page with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
      ]
    `)
    expect(trained.bits).toEqual(here.bits)
  })

  test.runIf(several)('a page that cannot find its worker computes the same on one thread, and says so once', async () => {
    const { trained, workers, notices } = await visit(browser, server.address('isolated', 'lost/alone.html'), 1)
    expect({ threads: trained.threads, workers }).toEqual({ threads: 1, workers: 0 })
    expect(notices).toMatchInlineSnapshot(`
      [
        "@bp/backend-cpu: a worker did not start, so one thread computes. Serve threads/worker.js beside the code that looks for it; the README of @bp/backend-cpu says how bundlers do",
      ]
    `)
    expect(trained.bits).toEqual(here.bits)
  })

  test('a page whose policy forbids WebAssembly computes in TypeScript, to rounding the same', async () => {
    const { trained, workers, notices } = await visit(browser, server.address('strict', 'alone.html'))
    expect({ threads: trained.threads, workers, notices }).toEqual({ threads: 1, workers: 0, notices: [] })
    trained.losses.forEach((loss, i) => { expect(loss).toBeCloseTo(here.losses[i]!, 4) })
    expect(trained.bits).not.toEqual(here.bits)
  })

  test.each(['isolated', 'plain'] as const)('the published files need no bundler: %s', async site => {
    const { trained, cores } = await visit(browser, server.address(site, `${site}.html`), site === 'plain' && several ? 1 : 0)
    expect(trained.threads).toBe(site === 'isolated' ? cores : 1)
    expect(trained.bits).toEqual(here.bits)
  })
})
