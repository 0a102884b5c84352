// What the root commands share: installing with pnpm, and running tools on the Node that the root pins.
// Runs on a bare Node 20, before anything is installed: Node's own modules only.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's root. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const bin = join(root, 'node_modules', '.bin')
const stamp = join(root, 'node_modules', '.installed')

/** The environment in which `node` and every tool's `#!/usr/bin/env node` mean the pinned Node. */
export const environment = () => ({
  ...process.env,
  PATH: `${bin}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH}`,
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
})

/** Runs a command, its output passed through or, where `quiet`, kept; resolves with its exit code, output and seconds. */
export function run(command, args, { quiet = false, cwd = root, output = process.stdout } = {}) {
  const start = performance.now()
  return new Promise(resolve => {
    const child = spawn(command, args, { cwd, env: environment(), stdio: ['inherit', 'pipe', 'pipe'], shell: process.platform === 'win32' })
    let text = ''
    const take = chunk => {
      text += chunk
      if (!quiet) output.write(chunk)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', error => { take(`${error.message}\n`) })
    child.on('close', code => { resolve({ code: code ?? 1, text, seconds: (performance.now() - start) / 1000 }) })
  })
}

/** Installs the locked dependencies, or does nothing where the lock file is the one installed last. */
export async function install(output = process.stdout) {
  const lock = createHash('sha256').update(readFileSync(join(root, 'pnpm-lock.yaml'))).update(readFileSync(join(root, 'package.json'))).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return { code: 0, text: 'up to date\n', seconds: 0 }
  output.write('Installing the dependencies …\n')
  const result = await run('npx', ['-y', 'pnpm@10', 'install', '--frozen-lockfile'], { quiet: true })
  if (result.code === 0) writeFileSync(stamp, lock)
  else output.write(result.text)
  return result
}

/** Builds packages and apps through turbo, quietly unless it fails. */
export async function build(output = process.stdout, ...filters) {
  const result = await run('turbo', ['run', 'build', '--output-logs=errors-only', '--env-mode=loose', ...filters.map(name => `--filter=${name}...`)], { quiet: true })
  if (result.code !== 0) output.write(result.text)
  return result
}

/**
 * Runs a built app in the foreground with this terminal and these arguments, and ends with its exit code. Ctrl-C reaches
 * the app from the terminal itself; here it is ignored, so that the app can finish what it writes.
 */
export function runApp(name, args) {
  const child = spawn(join(bin, 'node'), ['--no-warnings', join(root, 'apps', name, 'dist', 'main.js'), ...args], { cwd: root, env: environment(), stdio: 'inherit' })
  process.on('SIGINT', () => { /* the app has had it too */ })
  process.on('SIGTERM', () => { child.kill('SIGTERM') })
  child.on('close', (code, signal) => { process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)) })
}

