// Finds a Chromium on this machine, and starts it without a window on one of its software adapters.

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

const adapters = {
  llvmpipe: ['--use-gl=angle', '--use-angle=gl-egl', '--ignore-gpu-blocklist'],
  swiftshader: ['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--enable-features=Vulkan', '--ignore-gpu-blocklist'],
} as const

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

/** Starts it, without calls home and, for root, without the sandbox that root may not have. */
export const startChromium = (executablePath: string, adapter: keyof typeof adapters): Promise<Browser> => chromium.launch({
  executablePath,
  chromiumSandbox: process.getuid?.() !== 0,
  args: [...adapters[adapter], '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
