// The report: medians and ratios as JSON, as a table, and as a page with charts.

import { cpus } from 'node:os'
import type { Footprint } from './footprint.ts'
import { peerNames } from './options.ts'

/** Milliseconds of a run by itself: until the call returned, and until an element of its result was read. */
export interface Single {
  readonly busy: number
  readonly total: number
}

/** One job's result; times in its unit. */
export interface JobReport {
  readonly job: string
  readonly unit: string
  readonly ours: number | string
  readonly oursVariant: string
  readonly peers: Readonly<Record<string, number | string>>
  readonly ratios: Readonly<Record<string, number>>
  /** The way in which each contender was fastest. */
  readonly variants: Readonly<Record<string, string>>
  /** Of training steps: our time op by op, and how many times that of the compiled step it is. */
  readonly opByOp?: number
  readonly compiledGain?: number
  /** On a GPU, of calls that do not wait for it: a run by itself, by contender, ours as `ours`. */
  readonly singles?: Readonly<Record<string, Single>>
  /** Of matrix products: GFLOP/s, the machine's peak at 128 bits measured in the same run, and our share of it. */
  readonly gflops?: number
  readonly peak?: number
  readonly peakShare?: number
}

/** A whole run. */
export interface Report {
  readonly machine: string
  readonly node: string
  /** What drew, by its own name, where the jobs ran on a GPU. */
  readonly adapter?: string
  readonly date: string
  readonly versions: Readonly<Record<string, string>>
  readonly jobs: readonly JobReport[]
  /** First calls and peak bytes of the training jobs, or why there are none. */
  readonly memory: Readonly<Record<string, Footprint | string>>
}

/** The machine in a line. */
export const machine = (): string => `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`

const short = (x: number): string => x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x >= 1 ? x.toFixed(2) : x.toFixed(3)

const cell = (value: number | string | undefined, ratio: number | undefined): string => {
  if (value === undefined) return ''
  if (typeof value === 'string') return '–'
  return ratio === undefined ? short(value) : `${short(value)} (${short(ratio)}×)`
}

const markdown = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, i) => i === 0 ? '---' : '--:'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')

/** Peers that were asked for, in the order of their names' list. */
const peersOf = (jobs: readonly JobReport[]): string[] => peerNames.filter(name => jobs.some(({ peers }) => name in peers))

/** A Markdown table: each peer's time, and in brackets how many times ours it is. */
export function table({ jobs }: Report): string {
  const peers = peersOf(jobs)
  const opByOp = jobs.some(job => job.opByOp !== undefined)
  return markdown(['job', 'ours', ...opByOp ? ['ours, op by op'] : [], ...peers, 'how ours'], jobs.map(({ job, unit, ours, oursVariant, peers: times, ratios, peakShare, opByOp: eager, compiledGain }) => [
    `${job}, ${unit}`, cell(ours, undefined), ...opByOp ? [cell(eager, compiledGain)] : [], ...peers.map(peer => cell(times[peer], ratios[peer])),
    `${oursVariant}${peakShare === undefined ? '' : `; ${(100 * peakShare).toFixed(0)} % of peak`}`,
  ]))
}

/** A Markdown table of runs by themselves: for how long each contender's call keeps the page, and after how long its result is there. */
export function singlesTable({ jobs }: Report): string {
  const rows = jobs.flatMap(({ job, unit, singles = {} }) => {
    const { ours, ...peers } = singles
    return ours ? [[`${job}, ${unit}`, short(ours.busy), short(ours.total), ...peersOf(jobs).flatMap(name => (['busy', 'total'] as const).map(part => cell(peers[name]?.[part], peers[name] && peers[name][part] / ours[part])))]] : []
  })
  return rows.length === 0 ? '' : markdown(['a run by itself', 'ours, call', 'ours, until read', ...peersOf(jobs).flatMap(name => [`${name}, call`, `${name}, until read`])], rows)
}

/** A Markdown table of first calls and peak memory. */
export function memoryTable({ memory }: Report): string {
  const mebibytes = (bytes: number): string => short(bytes / 2 ** 20)
  return markdown(['step', 'first call, ms', 'compiled, MiB', 'op by op, MiB', 'compiled over op by op'], Object.entries(memory).map(([job, entry]) =>
    typeof entry === 'string' ? [job, entry, '', '', ''] : [job, entry.firstCall.toFixed(0), mebibytes(entry.compiled), mebibytes(entry.eager), `${(100 * entry.ratio).toFixed(0)} %`]))
}

/** What could not be run, and why: a line for each reason. */
export function failures({ jobs }: Report): string[] {
  const reasons = new Map<string, string[]>()
  for (const { job, ours, peers } of jobs) {
    for (const [peer, value] of [['ours', ours] as const, ...Object.entries(peers)]) {
      if (typeof value !== 'string') continue
      const list = reasons.get(`${peer}: ${value}`) ?? []
      reasons.set(`${peer}: ${value}`, [...list, job])
    }
  }
  return [...reasons].map(([reason, list]) => `${reason} (${list.length === jobs.length ? 'all jobs' : list.join(', ')})`)
}

/** By Observable's categorical palette, a colour for each peer. */
const colours: Readonly<Record<string, string>> = { 'torch': '#ff725c', 'jax': '#efb118', 'jax-js': '#4269d0', 'tfjs-wasm': '#6cc5b0', 'tfjs-cpu': '#97bbf5', 'onnxruntime-node': '#9c6b4e', 'onnxruntime-web': '#a463f2', 'tfjs-webgl': '#6cc5b0' }

/** A bar chart of ratios, on a logarithmic scale: right of the line at 1, ours is faster. */
export function chart(title: string, jobs: readonly JobReport[]): string {
  const peers = peersOf(jobs)
  const all = jobs.flatMap(({ ratios }) => peers.flatMap(peer => ratios[peer] ?? []))
  const [names, width, bar, gap, top] = [120, 560, 12, 10, 64]
  // numbers left of the shortest bar have a place of their own
  const left = names + 40
  const most = Math.max(10, ...all) * 1.2
  const least = Math.min(0.4, ...all)
  const x = (ratio: number): number => left + width * Math.log(ratio / least) / Math.log(most / least)
  const parts: string[] = []
  let y = top
  for (const { job, ratios } of jobs) {
    const own = peers.flatMap(peer => ratios[peer] === undefined ? [] : [{ peer, ratio: ratios[peer] }])
    parts.push(`<text x="${names}" y="${y + own.length * bar / 2 + 3}" text-anchor="end">${job}</text>`)
    for (const { peer, ratio } of own) {
      const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))]
      parts.push(`<rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(1, to - from).toFixed(1)}" height="${bar - 2}" fill="${colours[peer]!}"/>`)
      parts.push(ratio < 1 ? `<text x="${(from - 4).toFixed(1)}" y="${y + bar - 3}" font-size="9" text-anchor="end">${short(ratio)}</text>` : `<text x="${(to + 4).toFixed(1)}" y="${y + bar - 3}" font-size="9">${short(ratio)}</text>`)
      y += bar
    }
    y += gap
  }
  const ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter(t => t > least && t < most)
  const grid = ticks.map(t => `<line x1="${x(t).toFixed(1)}" x2="${x(t).toFixed(1)}" y1="${top - 8}" y2="${y - gap + 4}" stroke="#888" stroke-width="${t === 1 ? 1.5 : 0.4}"/><text x="${x(t).toFixed(1)}" y="${top - 12}" text-anchor="middle" font-size="9">${t}×</text>`)
  const sides = `<text x="${(x(1) - 8).toFixed(1)}" y="38" text-anchor="end" font-size="10">← the peer is faster</text><text x="${(x(1) + 8).toFixed(1)}" y="38" font-size="10">ours is faster →</text>`
  let at = names + 8
  const key = peers.filter(peer => jobs.some(({ ratios }) => peer in ratios)).map(peer => {
    const from = at
    at += 34 + 6.5 * peer.length
    return `<rect x="${from.toFixed(1)}" y="${y + 4}" width="10" height="10" fill="${colours[peer]!}"/><text x="${(from + 14).toFixed(1)}" y="${y + 13}" font-size="10">${peer}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 50}" height="${y + 28}" font-family="system-ui, sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/><g fill="#222"><text x="${names + 8}" y="20" font-size="14">${title}</text>${sides}${[...grid, ...parts, ...key].join('')}</g></svg>\n`
}

/** The charts, by file name. */
export function charts({ jobs }: Report): Record<string, string> {
  const some = (title: string, names: RegExp): string => chart(title, jobs.filter(({ job, ratios }) => names.test(job) && Object.keys(ratios).length > 0))
  return {
    'training.svg': some("A training step: a peer's time over ours", /^(mlp|cnn|gpt)$/),
    'kernels.svg': some("Kernels: a peer's time over ours", /^(gemm|exp|gelu|sum|softmax)/),
    'onnx.svg': some("Published ONNX models: a peer's time over ours", /^onnx/),
    'other.svg': some("Overhead and inference: a peer's time over ours", /^(overhead|infer)/),
  }
}

/** The page. */
export function page(report: Report): string {
  const versions = Object.entries(report.versions).map(([name, version]) => `${name} ${version}`).join(', ')
  const missing = failures(report)
  return `# Benchmark results

Made by \`npm run -s bench -- --write-results\` on ${report.date}: ${report.machine}, Node ${report.node}. ${versions}.
Medians of at least 7 repetitions, ours and each peer's in turns in one run; in brackets a time over that of ours, so above 1
we are faster. Every job first checks that the results agree to 1e-3. Where a peer offers several ways to do a job, numbers of
threads among them, the fastest counts. The machine is shared: only ratios of one run count.

${table(report)}

![training](figures/training.svg)

![kernels](figures/kernels.svg)

![overhead and inference](figures/other.svg)

![published ONNX models](figures/onnx.svg)

[ONNX.md](ONNX.md) says what these models are, and what they take on one thread.
${Object.keys(report.memory).length > 0 ? `
## Memory

The most bytes of values alive at once in a training step, gradients and the batch among them; parameters and the optimiser's
state are counted on neither side. Compiled: the program's arena, known before it runs. Op by op: arrays alive after each op,
garbage collected each time, so what a process really takes is more. The first call is that of a new process: it traces,
plans, compiles and takes one step.

${memoryTable(report)}
` : ''}${missing.length > 0 ? `\nWhat could not be run:\n\n${missing.map(line => `- ${line}`).join('\n')}\n` : ''}`
}
