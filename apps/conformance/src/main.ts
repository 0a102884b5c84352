// npm run conformance -- SUITE PATH: holds the packages against other people's numbers.

import { existsSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { inChromium } from './inChromium.ts'
import { lists } from './list.ts'
import { here, type Place } from './place.ts'
import { type CaseResult, toReport, toTable } from './report.ts'
import type { Setting } from './suites/suite.ts'
import { type SuiteName, suites } from './suites/suites.ts'

/** Where the cases of a suite run. */
type Open = (suite: SuiteName, compiled: boolean) => Place | Promise<Place>

const setting = (compiled: boolean, single: boolean): Setting => ({ compiled, single })

/** By name; each is there with `-compiled` behind it too. */
const places: Readonly<Record<string, Open>> = {
  cpu: (suite, compiled) => here(suite, setting(compiled, false)),
  'cpu-chromium': (suite, compiled) => inChromium({ suite, setting: setting(compiled, false), device: 'cpu', adapters: ['none'] }),
  webgl: (suite, compiled) => inChromium({ suite, setting: setting(compiled, true), device: 'webgl', adapters: ['llvmpipe', 'swiftshader'] }),
}
const backends = Object.keys(places).flatMap(name => [name, `${name}-compiled`])

const usage = `usage: npm run -s conformance -- SUITE PATH [--backend ${backends.join('|')}] [--filter SUBSTRING] [--json FILE]
suites: ${Object.keys(suites).join(', ')}
`

/** Says what is wrong with the command line; exit status 2. */
function refuse(message: string): number {
  process.stderr.write(`${message}\n${usage}`)
  return 2
}

async function main(argv: readonly string[]): Promise<number> {
  const text = { type: 'string' } as const
  let parsed
  try {
    parsed = parseArgs({ args: [...argv], allowPositionals: true, options: { backend: text, filter: text, json: text } })
  } catch (error) {
    return refuse((error as Error).message)
  }
  const { positionals: [name = '', path = '', ...rest], values: { backend = 'cpu', filter = '', json } } = parsed
  const known = Object.hasOwn(suites, name)
  if (!known || path === '' || rest.length > 0) return refuse(name === '' || known ? 'needs a suite and a path' : `there is no suite ${name}`)
  if (!existsSync(path)) return refuse(`${path} does not exist`)
  if (!backends.includes(backend)) return refuse(`there is no backend ${backend}`)
  const suite = name as SuiteName
  let place
  try {
    place = await places[backend.replace(/-compiled$/, '')]!(suite, backend.endsWith('-compiled'))
  } catch (error) {
    process.stderr.write(`${backend}: ${(error as Error).message}\n`)
    return 2
  }
  const start = performance.now()
  const results: CaseResult[] = []
  try {
    const cases = lists[suite](path).filter(one => one.name.includes(filter))
    for (const one of cases) {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${results.length + 1}/${cases.length} ${one.name}`)
      results.push(await place.run(one))
    }
  } finally {
    await place.close()
  }
  const report = toReport(name, backend, results, (performance.now() - start) / 1000)
  process.stdout.write(`${toTable(report)}\n`)
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 1)}\n`)
  return report.failed > 0 ? 1 : 0
}

process.exitCode = await main(process.argv.slice(2))
