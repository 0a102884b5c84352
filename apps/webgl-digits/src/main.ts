// npm run webgl: serves the page; or drives it once without a window, and says how it went.

import { findChromium, noChromiumHint } from '@bp/browser'
import { choice, flag, readOptions, text, UsageError, whole } from '@bp/kit'
import { changes, open, start, Visit } from './drive.ts'

const specs = {
  check: flag('train once in a Chromium without a window, say how it went, and end'),
  steps: whole(0, 'of the check; 0 for all of the epochs', 0),
  epochs: whole(4, 'of the check'),
  backend: choice(['webgl', 'cpu'], 'of the check: webgl or cpu', 'B'),
  place: choice(['worker', 'page'], 'of the check: worker or page', 'P'),
  screenshot: text('', 'where the check leaves a picture of the page', 'FILE'),
}

async function main(argv: readonly string[]): Promise<number> {
  const given = readOptions(argv, specs, 'Serves a page that trains the digits network in the browser, on WebGL or the CPU.', 'npm run webgl')
  if (typeof given === 'string') {
    process.stdout.write(given)
    return 0
  }
  const { address, close } = await open()
  if (!given.check) {
    process.stdout.write(`The page is at ${address}\nCtrl-C ends it.\n`)
    return 0
  }
  const chromium = findChromium()
  if (chromium === null) throw new UsageError(`--check needs a Chromium, and there is none here. ${noChromiumHint}`)
  const browser = await start(chromium)
  try {
    return await check(await Visit.begin(browser, address, given), given)
  } finally {
    await browser.close()
    close()
  }
}

async function check(visit: Visit, { steps: wanted, screenshot }: { readonly steps: number; readonly screenshot: string }): Promise<number> {
  if (await visit.text('state') === 'Ready') {
    await visit.longTasks()
    await visit.page.locator('#run').click()
    const { steps } = await visit.record()
    const last = wanted > 0 ? Math.min(wanted, steps) : steps
    for (let step = 0; step < last && await visit.text('state') === 'Training';) {
      step = Math.min(last, step + Math.max(1, Math.ceil(last / 20)))
      await visit.steps(step, 0)
      const { losses } = await visit.record()
      process.stdout.write(`step ${String(losses.length).padStart(5)}   loss ${losses.at(-1)?.toFixed(4) ?? '–'}   ${await visit.text('accuracy')}   ${await visit.text('speed')} steps/s\n`)
    }
    if (last === steps) await visit.state('Done', 'Stopped')
  }
  if (screenshot) await visit.page.screenshot({ path: screenshot, fullPage: true })
  const { losses, accuracies, held } = await visit.record().catch(() => ({ losses: [], accuracies: [], held: [] }))
  const alert = await visit.text('alert'), longTasks = await visit.longTasks()
  const say = (name: string, value: string): void => { process.stdout.write(`${name.padEnd(15)} ${value}\n`) }
  say('computed by', await visit.text('device'))
  say('steps', String(losses.length))
  say('first losses', losses.slice(0, 10).map(loss => loss.toFixed(6)).join(' '))
  say('test accuracy', accuracies.map(([step, accuracy]) => `${(100 * accuracy).toFixed(2)} % (${step})`).slice(-3).join(', '))
  say('long tasks', longTasks.length ? longTasks.map(([, duration]) => `${duration} ms`).join(', ') : 'none over 50 ms on the page’s thread')
  for (const name of held.length > 0 ? ['textures', 'bytes', 'pooled', 'pooledBytes'] as const : []) say(name, changes(held, name))
  for (const trouble of visit.troubles) say('console', trouble)
  if (alert) say('failed', alert)
  return alert || visit.troubles.length ? 1 : 0
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\nnpm run webgl -- --help lists the options.\n`)
  process.exitCode = 2
}
