// The command line of the bench app.

import { jobs as cpuJobs } from './data.ts'
import { webglJobs } from './webgl/data.ts'

/** Contenders, in the order of the table. */
export const peerNames = ['torch', 'jax', 'jax-js', 'tfjs-wasm', 'tfjs-cpu', 'onnxruntime-node', 'onnxruntime-web', 'tfjs-webgl'] as const

/** The name of a contender. */
export type PeerName = typeof peerNames[number]

const inPage: readonly PeerName[] = ['tfjs-webgl']

const backends = {
  cpu: { jobs: cpuJobs, peers: peerNames.filter(name => !inPage.includes(name)) },
  webgl: { jobs: webglJobs, peers: inPage },
} as const

/** What is measured. */
export type BackendName = keyof typeof backends

const adapters = ['llvmpipe', 'swiftshader'] as const

/** What draws in place of a graphics card. */
export type AdapterName = typeof adapters[number]

/** What to do. */
export interface Options {
  readonly backend: BackendName
  readonly adapter: AdapterName
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
export const help = `npm run -s bench -- [--backend cpu|webgl] [--jobs a,b,…] [--peers x,y,…] [--json FILE] [--profile [--trace FILE]] [--write-results]

Times our jobs and the peers' in turns, and prints medians and ratios (a peer's time over ours).

  --backend B      ${Object.keys(backends).join(' or ')}: the CPU unless given; webgl runs everybody in one page of a Chromium, found on the PATH or by CHROME_PATH
  --adapter A      with --backend webgl: ${adapters.join(' or ')}, what draws; the first unless given
  --jobs a,b       ${cpuJobs.join(', ')}; infer-cnn means both, onnx all that begin so;
                   with --backend webgl: ${webglJobs.join(', ')}
  --peers x,y      ${backends.cpu.peers.join(', ')}; torch and jax need a python3 on the PATH that has them;
                   with --backend webgl: ${backends.webgl.peers.join(', ')}
  --json FILE      writes the report
  --profile        shows where a run of each job spends its time, op by op, instead
  --trace FILE     with --profile: writes that as a Chrome trace
  --write-results  writes apps/bench/RESULTS.md, or WEBGL.md of --backend webgl, and its charts
`

/** The options of an argument list; `null` where help is asked for. */
export function parseOptions(argv: readonly string[]): Options | null {
  const out = { backend: 'cpu' as BackendName, adapter: null as AdapterName | null, jobs: null as string | null, peers: null as string | null, json: null as string | null, profile: false, trace: null as string | null, writeResults: false }
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    const value = (): string => argv[++i] ?? usage(`${arg} needs a value`)
    if (arg === '--help' || arg === '-h') return null
    else if (arg === '--backend') out.backend = one('backend', value(), Object.keys(backends) as BackendName[])
    else if (arg === '--adapter') out.adapter = one('adapter', value(), adapters)
    else if (arg === '--jobs') out.jobs = value()
    else if (arg === '--peers') out.peers = value()
    else if (arg === '--json') out.json = value()
    else if (arg === '--profile') out.profile = true
    else if (arg === '--trace') out.trace = value()
    else if (arg === '--write-results') out.writeResults = true
    else usage(`there is no option ${arg}`)
  }
  if (out.trace !== null && !out.profile) usage('--trace goes with --profile')
  if (out.adapter !== null && out.backend !== 'webgl') usage('--adapter goes with --backend webgl')
  if (out.profile && out.backend !== 'cpu') usage('--profile goes with --backend cpu')
  const known = backends[out.backend]
  const groupsHere = groups.filter(group => known.jobs.some(job => job.startsWith(`${group}-`)))
  return {
    ...out,
    adapter: out.adapter ?? adapters[0],
    jobs: out.jobs === null ? known.jobs : choose('job', out.jobs, [...known.jobs, ...groupsHere]).flatMap(job => groupsHere.includes(job) ? known.jobs.filter(name => name.startsWith(`${job}-`)) : job),
    peers: out.peers === null ? known.peers : choose('peer', out.peers, known.peers) as PeerName[],
  }
}

function one<T extends string>(what: string, name: string, known: readonly T[]): T {
  return known.find(each => each === name) ?? usage(`there is no ${what} ${name}. There are: ${known.join(', ')}`)
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
