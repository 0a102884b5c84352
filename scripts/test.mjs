// npm test: install, build, checks and all tests, and one line at the end that adds them up.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { provideChromium } from './chromium.mjs'
import { install, root, run } from './toolchain.mjs'

/** The steps in order; each is a turbo task, so that what has not changed is not done again. */
const steps = [
  ['build', 'all packages and apps compile to dist'],
  ['//#check', 'types, tests included'],
  ['//#lint', 'eslint with type information, import fences'],
  ['//#cycles', 'no import cycles'],
  ['//#unit', 'unit tests, laws, examples in the docs'],
  ['//#knip', 'no unused files, exports or dependencies'],
  ['//#size', 'bundle sizes within their limits'],
  ['//#packed', 'packed tarballs: publint, are-the-types-wrong, import by plain Node'],
]

let passed = 0
let failed = 0
/** Prints a step's line; a step that has no count of its own counts as one. */
const count = (ok, name, seconds, note, tests = ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }) => {
  passed += tests.passed
  failed += tests.failed
  console.log(`${ok ? '✓' : '✗'} ${name.padEnd(9)} ${seconds.toFixed(1).padStart(6)} s   ${note}`)
}

/** The numbers of vitest's report: what it says, also where turbo took it from its cache. */
function unitTests() {
  const report = JSON.parse(readFileSync(join(root, 'reports', 'vitest.json'), 'utf8'))
  const broken = report.testResults.filter(file => file.status === 'failed' && file.assertionResults.length === 0).length
  return { passed: report.numPassedTests, failed: report.numFailedTests + broken }
}

const installed = await install()
count(installed.code === 0, 'install', installed.seconds, 'the locked dependencies')
if (installed.code === 0) {
  const { chromium, mesa } = await provideChromium()
  // turbo knows by these whether the browser tests have run
  if (chromium) process.env.CHROME_PATH = chromium
  if (mesa) process.env.MESA = 'installed'
  if (!chromium) console.log('! THE BROWSER TESTS ARE LEFT OUT: there is no Chromium here, and none can be installed. Say where one is by CHROME_PATH')
  for (const [task, what] of steps) {
    const name = task.replace('//#', '')
    const result = await run('turbo', ['run', task, '--output-logs=full', '--log-order=grouped', '--no-color', '--env-mode=loose', ...task === '//#unit' ? ['--concurrency=1'] : []], { quiet: true })
    const cached = />>> FULL TURBO/.test(result.text)
    let note = cached ? `${what} (cached)` : what
    let tests
    if (name === 'unit') {
      if (chromium) for (const line of result.text.match(/! THE TESTS .* ARE LEFT OUT: .*/g) ?? []) console.log(line)
      try {
        tests = unitTests()
        note += `: ${tests.passed} passed, ${tests.failed} failed`
        if (result.code !== 0 && tests.failed === 0) tests.failed = 1
      } catch (error) {
        note += `: no report (${error.message})`
        result.code ||= 1
      }
    }
    count(result.code === 0, name, result.seconds, note, tests)
    if (result.code !== 0) console.log(result.text)
  }
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
