// npm run bench: our jobs and the peers' in turns, medians and ratios.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Contender, dataFolder, nodeContender, pythonContender, pythonWith } from './contender.ts'
import { footprint } from './footprint.ts'
import { help, type Options, parseOptions, type PeerName, UsageError } from './options.ts'
import { peak } from './peak.ts'
import { profile } from './profile.ts'
import { charts, failures, type JobReport, machine, memoryTable, page, type Report, singlesTable, table } from './report.ts'
import { agree, median } from './statistics.ts'
import { trainings } from './training.ts'
import { NoBrowserError } from './webgl/browser.ts'
import { raceInPage } from './webgl/race.ts'
import { webglCharts, webglPage } from './webgl/results.ts'

/** Timed repetitions of each. */
const repetitions = 9

const progress = (text: string): void => { process.stderr.write(`${text}\n`) }

/** Peers in Python. */
const inPython: readonly string[] = ['torch', 'jax'] satisfies PeerName[]

/** A peer's processes, or why there are none. */
interface Running {
  readonly name: PeerName
  readonly processes: readonly Contender[] | string
}

/** The processes of a peer: those in Python have one for each number of threads, and so has onnxruntime-web. */
function start(peer: PeerName, folder: string): Running['processes'] {
  if (peer === 'onnxruntime-web') return [1, 2].map(threads => nodeContender(`${peer}-${threads}`))
  if (!inPython.includes(peer)) return [nodeContender(peer)]
  const python = pythonWith(peer)
  if (!python) return `no python3 here can import ${peer}`
  return [1, Math.max(2, availableParallelism())].map(threads => pythonContender(`${peer}-${threads}`, python, `${peer}_peer.py`, threads, folder))
}

/** Contenders of ours: compiled, and op by op where that is another job. */
interface Ours {
  readonly compiled: Contender
  readonly opByOp: Contender
}

/** One job: everybody prepares, then all are timed in turns. */
async function runJob(job: string, ours: Ours, peers: readonly Running[], found: Record<string, string>): Promise<JobReport> {
  const unit = job === 'overhead' ? 'µs/op' : 'ms'
  const own = await ours.compiled.ask({ ask: 'prepare', job })
  if ('fail' in own || !('values' in own)) return { job, unit, ours: 'fail' in own ? own.fail : 'no answer', oursVariant: '', peers: {}, ratios: {}, variants: {} }
  const results: Record<string, number | string> = {}
  const variants: Record<string, string> = {}
  const racing: Contender[] = []
  /** Whether a contender has prepared the same job; why not stands in the results. */
  const enter = async (process: Contender): Promise<boolean> => {
    const prepared = await process.ask({ ask: 'prepare', job })
    if ('fail' in prepared) results[process.name] = prepared.fail
    else if ('values' in prepared && !agree(own.values, prepared.values)) results[process.name] = `computes something else: ${prepared.values.slice(0, 4).join(', ')} instead of ${own.values.slice(0, 4).join(', ')}`
    else if ('values' in prepared) {
      racing.push(process)
      variants[process.name] = prepared.variant
      if (prepared.version !== undefined) found[process.name.replace(/-\d+$/, '')] = prepared.version
      return true
    }
    return false
  }
  for (const { name, processes } of peers) {
    if (typeof processes === 'string') results[name] = processes
    else for (const process of processes) await enter(process)
  }
  const opByOp = job in trainings && await enter(ours.opByOp)
  const times = new Map<Contender, number[]>([ours.compiled, ...racing].map(process => [process, []]))
  for (let i = 0; i < repetitions; i++) {
    for (const [process, list] of times) {
      const answer = await process.ask({ ask: 'run' })
      if ('time' in answer) list.push(answer.time)
    }
  }
  const mine = median(times.get(ours.compiled)!)
  const eager = opByOp ? median(times.get(ours.opByOp)!) : null
  for (const process of racing) if (process !== ours.opByOp) results[process.name] = median(times.get(process)!)
  for (const { name, processes } of peers) if (typeof processes !== 'string') takeBest(name, processes, results, variants)
  const ratios = Object.fromEntries(Object.entries(results).flatMap(([name, value]) => typeof value === 'number' ? [[name, value / mine]] : []))
  return { job, unit, ours: mine, oursVariant: own.variant, peers: results, ratios, variants, ...eager !== null && { opByOp: eager, compiledGain: eager / mine }, ...await products(job, mine) }
}

/** Where a peer has several processes, the fastest counts. */
function takeBest(name: string, processes: readonly Contender[], results: Record<string, number | string>, variants: Record<string, string>): void {
  const timed = processes.map(process => process.name).filter(each => typeof results[each] === 'number').sort((a, b) => (results[a] as number) - (results[b] as number))
  const [best] = timed
  if (best === undefined || best === name) return
  results[name] = results[best]!
  variants[name] = `${variants[best]!}, as ${best}`
}

/** GFLOP/s of a matrix product beside the peak of the machine. */
async function products(job: string, milliseconds: number): Promise<Pick<JobReport, 'gflops' | 'peak' | 'peakShare'>> {
  if (!job.startsWith('gemm-')) return {}
  const n = Number(job.slice(5))
  const gflops = 2 * n ** 3 / milliseconds / 1e6
  const most = await peak(availableParallelism())
  return { gflops, peak: most, peakShare: gflops / most }
}

/** The versions of peers that npm installs, pinned in this app's package.json. */
function versions(...names: readonly string[]): Record<string, string> {
  const { devDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { devDependencies: Record<string, string> }
  return Object.fromEntries(names.map(name => [name, devDependencies[name]!]))
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  if (!options) {
    process.stdout.write(help)
    return 0
  }
  if (options.profile) return profile(options)
  return publish(await (options.backend === 'webgl' ? onWebgl(options) : onCpu(options)), options)
}

/** What every report begins with. */
const here = () => ({ machine: machine(), node: process.versions.node, date: new Date().toISOString().slice(0, 10) })

function tell(job: string, report: JobReport | null): void {
  if (!report) progress(`${job} …`)
  else progress(`  ours ${typeof report.ours === 'number' ? report.ours.toPrecision(3) : report.ours} ${report.unit}; ${Object.entries(report.ratios).map(([name, ratio]) => `${name} ${ratio.toPrecision(3)}×`).join(', ')}`)
}

async function onWebgl(options: Options): Promise<Report> {
  const { adapter, chromium, jobs } = await raceInPage(options, tell)
  return { ...here(), adapter, versions: { 'Chromium': chromium, ...versions('@tensorflow/tfjs') }, jobs, memory: {} }
}

async function onCpu(options: Options): Promise<Report> {
  // while nobody else is at work
  const memory = Object.fromEntries(options.jobs.filter(job => job in trainings).map(job => [job, footprint(job)]))
  const folder = dataFolder(options.jobs)
  const ours = { compiled: nodeContender('ours'), opByOp: nodeContender('ours-op-by-op') }
  const peers = options.peers.map((name): Running => ({ name, processes: start(name, folder.path) }))
  try {
    const jobs: JobReport[] = []
    const found = versions('@tensorflow/tfjs', '@jax-js/jax', 'onnxruntime-node', 'onnxruntime-web')
    for (const job of options.jobs) {
      tell(job, null)
      const report = await runJob(job, ours, peers, found)
      jobs.push(report)
      tell(job, report)
    }
    return { ...here(), versions: found, jobs, memory }
  } finally {
    for (const { processes } of peers) if (typeof processes !== 'string') for (const process of processes) process.close()
    for (const process of Object.values(ours)) process.close()
    folder.remove()
  }
}

/** Prints a report and writes what was asked for. */
function publish(report: Report, { json, writeResults }: Options): number {
  process.stdout.write(`${table(report)}\n`)
  if (report.adapter !== undefined) process.stdout.write(`\n${singlesTable(report)}\n\n${report.adapter}\n`)
  if (Object.keys(report.memory).length > 0) process.stdout.write(`\n${memoryTable(report)}\n`)
  for (const line of failures(report)) process.stdout.write(`${line}\n`)
  if (json !== null) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`)
  if (writeResults) {
    const folder = fileURLToPath(new URL('..', import.meta.url))
    mkdirSync(`${folder}figures`, { recursive: true })
    const [name, text, figures] = report.adapter === undefined ? ['RESULTS.md', page(report), charts(report)] : ['WEBGL.md', webglPage(report), webglCharts(report)]
    writeFileSync(`${folder}${name}`, text)
    for (const [figure, svg] of Object.entries(figures)) writeFileSync(`${folder}figures/${figure}`, svg)
  }
  return report.jobs.some(({ ours }) => typeof ours === 'string') ? 1 : 0
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof UsageError) process.stderr.write(`${error.message}\n\n${help}`)
  else if (error instanceof NoBrowserError) process.stderr.write(`bench: ${error.message}\n`)
  else throw error
  process.exitCode = 2
}
