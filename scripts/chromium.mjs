// Chromium and Mesa for the browser tests: those that are there, else Debian's, where this process may install them.
// Runs on a bare Node 20, before anything is installed: Node's own modules only.

import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from './toolchain.mjs'

/** What draws WebGL on llvmpipe. */
const mesa = ['libegl1', 'libegl-mesa0', 'libgles2', 'libgl1-mesa-dri']

const onPath = (...names) => [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'].flatMap(folder => names.map(name => join(folder, name))).find(existsSync)
const installed = () => process.env.CHROME_PATH || onPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')

/** Which of Debian's packages are not installed. */
async function missing(packages) {
  const { text } = await run('dpkg-query', ['-W', '-f=${Package} ${db:Status-Status}\n', ...packages], { quiet: true })
  const there = new Set(text.split('\n').filter(line => line.endsWith(' installed')).map(line => line.split(' ')[0]))
  return packages.filter(name => !there.has(name))
}

/**
 * The path of a Chromium, `undefined` where there is none: what `CHROME_PATH` says, one on the PATH, or Debian's, installed
 * now. `mesa` is whether Debian's libraries of Mesa are there, or are now.
 */
export async function provideChromium() {
  if (!onPath('apt-get')) return { chromium: installed(), mesa: false }
  const lacking = [installed() ? [] : ['chromium'], await missing(mesa)].filter(packages => packages.length > 0)
  if (lacking.length > 0 && process.getuid?.() === 0) {
    console.log(`Installing ${lacking.flat().join(', ')} for the browser tests …`)
    process.env.DEBIAN_FRONTEND = 'noninteractive'
    const { code } = await run('apt-get', ['update'], { quiet: true })
    for (const packages of code === 0 ? lacking : []) await run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { quiet: true })
  }
  return { chromium: installed(), mesa: (await missing(mesa)).length === 0 }
}
