// Finds a Chromium on this machine, and starts it without a window, drawing with one of its software adapters.

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium, type LaunchOptions } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The options by which Chromium draws with each adapter; `none` draws nothing, for pages that only compute. */
const adapters = {
  none: ['--disable-gpu'],
  /** Mesa's, the faster one. */
  llvmpipe: ['--use-gl=angle', '--use-angle=gl-egl', '--ignore-gpu-blocklist'],
  /** Chromium's own. */
  swiftshader: ['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--enable-features=Vulkan', '--ignore-gpu-blocklist'],
} as const

/** What draws in place of a graphics card. */
export type Adapter = keyof typeof adapters

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The path of a Chromium: what `CHROME_PATH` says, else the first on the PATH; `null` where there is none. */
export function findChromium(): string | null {
  const own = process.env.CHROME_PATH
  if (own !== undefined && own !== '') return own
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'].flatMap(folder => names.map(name => join(folder, name))).find(isProgram) ?? null
}

/** What to do where there is none. */
export const noChromiumHint = 'Install one (Debian: apt-get install chromium), or say where it is by CHROME_PATH'

/** How to start it, without calls home and, for root, without the sandbox that root may not have. */
export const launchOptions = (executablePath: string, adapter: Adapter = 'none'): LaunchOptions => ({
  executablePath,
  chromiumSandbox: process.getuid?.() !== 0,
  args: [...adapters[adapter], '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})

/** Starts it. */
export const startChromium = (executablePath: string, adapter: Adapter = 'none'): Promise<Browser> => chromium.launch(launchOptions(executablePath, adapter))

/** What WebGL 2 says that it is drawn by, as `ANGLE (Mesa, llvmpipe (LLVM 15.0.6 256 bits), OpenGL ES 3.2)`; `null` where a page has no WebGL 2. */
export async function rendererOf(browser: Browser): Promise<string | null> {
  const page = await browser.newPage()
  try {
    return await page.evaluate<string | null>(`(() => {
      const gl = document.createElement('canvas').getContext('webgl2')
      return gl && gl.getParameter((gl.getExtension('WEBGL_debug_renderer_info') || {}).UNMASKED_RENDERER_WEBGL || gl.RENDERER)
    })()`)
  } finally {
    await page.close()
  }
}

/** A Chromium, and the first of some adapters that draws in it; rejects, saying why, where there is none. */
export async function findDrawing(wanted: readonly Adapter[]): Promise<{ readonly chromium: string; readonly adapter: Adapter }> {
  const chromium = findChromium()
  if (chromium === null) throw new Error(`there is no Chromium here. ${noChromiumHint}`)
  const reasons: string[] = []
  for (const adapter of wanted) {
    const reason = await whyNot(chromium, adapter)
    if (reason === null) return { chromium, adapter }
    reasons.push(reason)
  }
  throw new Error(reasons.join('; '))
}

/** Why pages would not be drawn by an adapter; `null` where they are. */
export async function whyNot(executablePath: string, adapter: Adapter): Promise<string | null> {
  if (adapter === 'none') return null
  let browser: Browser | undefined
  try {
    browser = await startChromium(executablePath, adapter)
    const renderer = await rendererOf(browser)
    if (renderer?.toLowerCase().includes(adapter)) return null
    return renderer === null ? `pages have no WebGL 2 on ${adapter}` : `pages are drawn by ${renderer} in place of ${adapter}`
  } catch (error) {
    return `Chromium does not start with ${adapter}: ${(error as Error).message.split('\n')[0]!}`
  } finally {
    await browser?.close()
  }
}
