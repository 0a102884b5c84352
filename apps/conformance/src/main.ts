// npm run conformance -- SUITE PATH: holds the packages against other people's numbers.

import { existsSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { toReport, toTable } from './report.ts'
import { onnx } from './suites/onnx.ts'
import { opinfo } from './suites/opinfo.ts'
import { optim } from './suites/optim.ts'
import { parity } from './suites/parity.ts'
import { runCase, type Suite } from './suites/suite.ts'

const suites: Readonly<Record<string, Suite>> = { onnx, parity, optim, opinfo }
const backends = { cpu, 'cpu-compiled': cpu }

const usage = `usage: npm run -s conformance -- SUITE PATH [--backend ${Object.keys(backends).join('|')}] [--filter SUBSTRING] [--json FILE]
suites: ${Object.keys(suites).join(', ')}
`

/** Says what is wrong with the command line; exit status 2. */
function refuse(message: string): number {
  process.stderr.write(`${message}\n${usage}`)
  return 2
}

function main(argv: readonly string[]): number {
  const text = { type: 'string' } as const
  let parsed
  try {
    parsed = parseArgs({ args: [...argv], allowPositionals: true, options: { backend: text, filter: text, json: text } })
  } catch (error) {
    return refuse((error as Error).message)
  }
  const { positionals: [name = '', path = '', ...rest], values: { backend = 'cpu', filter = '', json } } = parsed
  const suite = Object.hasOwn(suites, name) ? suites[name] : undefined
  if (!suite || path === '' || rest.length > 0) return refuse(name === '' || suite ? 'needs a suite and a path' : `there is no suite ${name}`)
  if (!existsSync(path)) return refuse(`${path} does not exist`)
  if (!Object.hasOwn(backends, backend)) return refuse(`there is no backend ${backend}`)
  use(backends[backend as keyof typeof backends]())
  const start = performance.now()
  const cases = suite(path, backend.endsWith('-compiled')).filter(({ name }) => name.includes(filter))
  const results = cases.map((one, i) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${i + 1}/${cases.length} ${one.name}`)
    return runCase(one)
  })
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
  const report = toReport(name, backend, results, (performance.now() - start) / 1000)
  process.stdout.write(`${toTable(report)}\n`)
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 1)}\n`)
  return report.failed > 0 ? 1 : 0
}

process.exitCode = main(process.argv.slice(2))
