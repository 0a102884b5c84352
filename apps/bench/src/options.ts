// The command line of the bench app.

import { jobs } from './data.ts'

/** Contenders, in the order of the table. */
export const peerNames = ['torch', 'jax', 'jax-js', 'tfjs-wasm', 'tfjs-cpu', 'onnxruntime-node', 'onnxruntime-web'] as const

/** The name of a contender. */
export type PeerName = typeof peerNames[number]

/** What to do. */
export interface Options {
  readonly jobs: readonly string[]
  readonly peers: readonly PeerName[]
  readonly json: string | null
  readonly profile: boolean
  readonly trace: string | null
  readonly writeResults: boolean
}

/** Beginnings of names that stand for several jobs. */
const groups: readonly string[] = ['infer-cnn', 'onnx']

/** Bad usage: the message says what would be right. */
export class UsageError extends Error {}

/** What `--help` prints. */
export const help = `npm run -s bench -- [--jobs a,b,…] [--peers x,y,…] [--json FILE] [--profile [--trace FILE]] [--write-results]

Times our jobs and the peers' in turns, and prints medians and ratios (a peer's time over ours).

  --jobs a,b       ${jobs.join(', ')}; infer-cnn means both, onnx all that begin so
  --peers x,y      ${peerNames.join(', ')}; torch and jax need a python3 on the PATH that has them
  --json FILE      writes the report
  --profile        shows where a run of each job spends its time, op by op, instead
  --trace FILE     with --profile: writes that as a Chrome trace
  --write-results  writes apps/bench/RESULTS.md and its charts
`

/** The options of an argument list; `null` where help is asked for. */
export function parseOptions(argv: readonly string[]): Options | null {
  const out = { jobs, peers: peerNames as readonly PeerName[], json: null as string | null, profile: false, trace: null as string | null, writeResults: false }
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    const value = (): string => argv[++i] ?? usage(`${arg} needs a value`)
    if (arg === '--help' || arg === '-h') return null
    else if (arg === '--jobs') out.jobs = choose('job', value(), [...jobs, ...groups]).flatMap(job => groups.includes(job) ? jobs.filter(name => name.startsWith(`${job}-`)) : job)
    else if (arg === '--peers') out.peers = choose('peer', value(), peerNames) as PeerName[]
    else if (arg === '--json') out.json = value()
    else if (arg === '--profile') out.profile = true
    else if (arg === '--trace') out.trace = value()
    else if (arg === '--write-results') out.writeResults = true
    else usage(`there is no option ${arg}`)
  }
  if (out.trace !== null && !out.profile) usage('--trace goes with --profile')
  return out
}

function choose(what: string, list: string, known: readonly string[]): string[] {
  const names = list.split(',').filter(name => name !== '')
  const unknown = names.find(name => !known.includes(name))
  if (unknown !== undefined) usage(`there is no ${what} ${unknown}. There are: ${known.join(', ')}`)
  return names
}

function usage(message: string): never {
  throw new UsageError(message)
}
