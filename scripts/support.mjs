// npm run support: asks the CPU and, where there is a Chromium, the WebGL backend what they support, and writes the table of
// docs/backends.md from all reports in docs/support.
// A report of another backend is the JSON of `await conformance(backend, { mode: 'support' }).run()`; name its file to add it:
// npm run support -- mine.json

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, install, root, run } from './toolchain.mjs'

for (const step of [() => install(process.stderr), () => build(process.stderr, '@bp/testkit', '@bp/backend-cpu', '@bp/conformance')]) {
  const { code } = await step()
  if (code !== 0) process.exit(code)
}
const { conformance, supportTable } = await import('@bp/testkit')
const { cpu } = await import('@bp/backend-cpu')

const folder = join(root, 'docs', 'support')
mkdirSync(folder, { recursive: true })

/** One op a line, so that changes can be read. */
function write({ backend, ops }) {
  writeFileSync(join(folder, `${backend}.json`), `{"backend":${JSON.stringify(backend)},"ops":[\n${ops.map(op => JSON.stringify(op)).join(',\n')}\n]}\n`)
}

const own = await conformance(cpu(), { mode: 'support' }).run()
for (const { name, message } of own.failed) console.error(`${name}: ${message}`)
if (own.failed.length > 0) process.exit(1)

const browser = join(mkdtempSync(join(tmpdir(), 'support-')), 'webgl.json')
const { code } = await run(process.execPath, [join(root, 'apps', 'conformance', 'dist', 'support.js'), browser])
if (code === 1) process.exit(1)
if (code !== 0) console.error('the column of webgl stays as it was')
const paths = [...code === 0 ? [browser] : [], ...process.argv.slice(2)]
for (const report of [own, ...paths.map(path => JSON.parse(readFileSync(path, 'utf8')))]) write(report)

const reports = readdirSync(folder).filter(name => name.endsWith('.json')).sort().map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')))
const page = join(root, 'docs', 'backends.md')
const [before, , after] = readFileSync(page, 'utf8').split(/(?<=<!-- support -->\n)([\s\S]*)(?=<!-- \/support -->)/)
writeFileSync(page, `${before}\n${supportTable(reports)}\n\n${after}`)
console.log(`docs/backends.md: ${reports.map(({ backend, ops }) => `${backend} ${ops.length} ops`).join(', ')}`)
