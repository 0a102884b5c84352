// npm run bench: our jobs and the peers' in turns, medians and ratios.

import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Contender} from './contender.ts';
import { dataFolder, nodeContender, pythonContender, pythonWith } from './contender.ts'
import { help, type Options, parseOptions, type PeerName, UsageError } from './options.ts'
import { peak } from './peak.ts'
import { profile } from './profile.ts'
import { charts, failures, type JobReport, machine, page, type Report, table } from './report.ts'
import { agree, median } from './statistics.ts'

/** Timed repetitions of each. */
const repetitions = 9

const progress = (text: string): void => { process.stderr.write(`${text}\n`) }

/** The processes of a peer (torch has one for each number of threads), or why there are none. */
function start(peer: PeerName, folder: string): Contender[] | string {
  if (peer === 'jax') return 'its jobs are not written yet'
  if (peer !== 'torch') return [nodeContender(peer)]
  const python = pythonWith(peer)
  if (!python) return `no python3 here can import ${peer}`
  return [1, Math.max(2, availableParallelism())].map(threads => pythonContender(`torch-${threads}`, python, 'torch_peer.py', threads, folder))
}

/** One job: everybody prepares, then all are timed in turns. */
async function runJob(job: string, ours: Contender, peers: readonly { readonly name: PeerName; readonly processes: readonly Contender[] | string }[]): Promise<JobReport> {
  const unit = job === 'overhead' ? 'µs/op' : 'ms'
  const own = await ours.ask({ ask: 'prepare', job })
  if ('fail' in own || !('values' in own)) return { job, unit, ours: 'fail' in own ? own.fail : 'no answer', oursVariant: '', peers: {}, ratios: {} }
  const results: Record<string, number | string> = {}
  const racing: Contender[] = []
  for (const { name, processes } of peers) {
    if (typeof processes === 'string') {
      results[name] = processes
      continue
    }
    for (const process of processes) {
      const prepared = await process.ask({ ask: 'prepare', job })
      if ('fail' in prepared) results[process.name] = prepared.fail
      else if ('values' in prepared && !agree(own.values, prepared.values)) results[process.name] = `computes something else: ${prepared.values.slice(0, 4).join(', ')} instead of ${own.values.slice(0, 4).join(', ')}`
      else racing.push(process)
    }
  }
  const times = new Map<Contender, number[]>([ours, ...racing].map(process => [process, []]))
  for (let i = 0; i < repetitions; i++) {
    for (const [process, list] of times) {
      const answer = await process.ask({ ask: 'run' })
      if ('time' in answer) list.push(answer.time)
    }
  }
  const mine = median(times.get(ours)!)
  for (const process of racing) results[process.name] = median(times.get(process)!)
  const torch = Object.entries(results).filter(([name, value]) => name.startsWith('torch-') && typeof value === 'number').map(([, value]) => value as number)
  if (torch.length > 0) results.torch = Math.min(...torch)
  const ratios = Object.fromEntries(Object.entries(results).flatMap(([name, value]) => typeof value === 'number' ? [[name, value / mine]] : []))
  return { job, unit, ours: mine, oursVariant: own.variant, peers: results, ratios, ...await products(job, mine) }
}

/** GFLOP/s of a matrix product beside the peak of the machine. */
async function products(job: string, milliseconds: number): Promise<Pick<JobReport, 'gflops' | 'peak' | 'peakShare'>> {
  if (!job.startsWith('gemm-')) return {}
  const n = Number(job.slice(5))
  const gflops = 2 * n ** 3 / milliseconds / 1e6
  const most = await peak(availableParallelism())
  return { gflops, peak: most, peakShare: gflops / most }
}

function versions(): Record<string, string> {
  const require = createRequire(import.meta.url)
  const out: Record<string, string> = {}
  for (const name of ['@tensorflow/tfjs', '@jax-js/jax', 'onnxruntime-node']) {
    try {
      out[name] = (require(`${name}/package.json`) as { version: string }).version
    } catch {
      // a package that does not export its package.json keeps its version to itself
    }
  }
  return out
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  if (!options) {
    process.stdout.write(help)
    return 0
  }
  if (options.profile) return profile(options)
  const folder = dataFolder(options.jobs)
  const ours = nodeContender('ours')
  const peers = options.peers.map(name => ({ name, processes: start(name, folder.path) }))
  try {
    return await race(options, ours, peers)
  } finally {
    for (const { processes } of peers) if (typeof processes !== 'string') for (const process of processes) process.close()
    ours.close()
    folder.remove()
  }
}

async function race(options: Options, ours: Contender, peers: Parameters<typeof runJob>[2]): Promise<number> {
  const jobs: JobReport[] = []
  for (const job of options.jobs) {
    progress(`${job} …`)
    const report = await runJob(job, ours, peers)
    jobs.push(report)
    progress(`  ours ${typeof report.ours === 'number' ? report.ours.toPrecision(3) : report.ours} ${report.unit}; ${Object.entries(report.ratios).map(([name, ratio]) => `${name} ${ratio.toPrecision(3)}×`).join(', ')}`)
  }
  const report: Report = { machine: machine(), node: process.versions.node, date: new Date().toISOString().slice(0, 10), versions: versions(), jobs }
  process.stdout.write(`${table(report)}\n`)
  for (const line of failures(report)) process.stdout.write(`${line}\n`)
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
  if (options.writeResults) writeResults(report)
  return jobs.some(({ ours }) => typeof ours === 'string') ? 1 : 0
}

function writeResults(report: Report): void {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  mkdirSync(`${folder}figures`, { recursive: true })
  writeFileSync(`${folder}RESULTS.md`, page(report))
  for (const [name, svg] of Object.entries(charts(report))) writeFileSync(`${folder}figures/${name}`, svg)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n\n${help}`)
  process.exitCode = 2
}
