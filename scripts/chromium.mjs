// Chromium for the browser tests: the one that is there, else Debian's, where this process may install it.
// Runs on a bare Node 20, before anything is installed: Node's own modules only.

import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from './toolchain.mjs'

const onPath = (...names) => [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'].flatMap(folder => names.map(name => join(folder, name))).find(existsSync)
const installed = () => onPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')

/** The path of a Chromium: what `CHROME_PATH` says, one on the PATH, or Debian's, installed now; `undefined` where there is none. */
export async function provideChromium() {
  const there = process.env.CHROME_PATH || installed()
  if (there || process.getuid?.() !== 0 || !onPath('apt-get')) return there
  console.log("Installing Debian's Chromium for the browser tests …")
  process.env.DEBIAN_FRONTEND = 'noninteractive'
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
    const { code } = await run('apt-get', args, { quiet: true })
    if (code !== 0) return undefined
  }
  return installed()
}
