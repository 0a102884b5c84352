// Packs every package as it would be published, checks the tarballs with publint and are-the-types-wrong, and imports
// every entry point of the installed tarballs, and runs their command, with plain Node.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './toolchain.mjs'

const folder = mkdtempSync(join(tmpdir(), 'bp-packed-'))
let failures = 0

function step(name, command, args, cwd) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 300_000 })
  if (status === 0) return
  failures++
  console.log(`✗ ${name}\n${stdout}\n${stderr}`)
}

try {
  const packages = readdirSync(join(root, 'packages')).map(name => ({ name, path: join(root, 'packages', name) }))
  const tools = [{ name: 'onnx', path: join(root, 'apps', 'onnx') }]
  for (const { name, path } of [...packages, ...tools]) step(`pack ${name}`, 'pnpm', ['pack', '--pack-destination', folder], path)
  const tarballs = readdirSync(folder).filter(file => file.endsWith('.tgz')).map(file => join(folder, file))
  for (const file of tarballs) {
    step(`publint ${file}`, 'publint', ['run', file, '--strict'], root)
    // a command has no types to be wrong
    if (!file.includes('-cli-')) step(`attw ${file}`, 'attw', [file, '--profile', 'esm-only'], root)
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  step('install the tarballs', 'npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', ...tarballs], folder)
  const entries = packages.flatMap(({ path }) => {
    const { name, publishConfig } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
    return Object.keys(publishConfig.exports).map(entry => name + entry.slice(1))
  })
  writeFileSync(join(folder, 'import.mjs'), entries.map((entry, i) => `import * as m${i} from '${entry}'\nif (Object.keys(m${i}).length === 0 && !'${entry}'.endsWith('fluent')) throw new Error('${entry} exports nothing')\n`).join(''))
  step('import every entry point', process.execPath, ['import.mjs'], folder)
  step('run bp-onnx', join(folder, 'node_modules', '.bin', 'bp-onnx'), ['--help'], folder)
  console.log(`${tarballs.length} packages, ${entries.length} entry points, ${failures} failures`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failures > 0 ? 1 : 0
