// The report: medians and ratios as JSON, as a table, and as a page with charts.

import { cpus } from 'node:os'

/** One job's result; times in its unit. */
export interface JobReport {
  readonly job: string
  readonly unit: string
  readonly ours: number | string
  readonly oursVariant: string
  readonly peers: Readonly<Record<string, number | string>>
  readonly ratios: Readonly<Record<string, number>>
  /** Of matrix products: GFLOP/s, the machine's peak at 128 bits measured in the same run, and our share of it. */
  readonly gflops?: number
  readonly peak?: number
  readonly peakShare?: number
}

/** A whole run. */
export interface Report {
  readonly machine: string
  readonly node: string
  readonly date: string
  readonly versions: Readonly<Record<string, string>>
  readonly jobs: readonly JobReport[]
}

/** The machine in a line. */
export const machine = (): string => `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`

const short = (x: number): string => x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x >= 1 ? x.toFixed(2) : x.toFixed(3)

const cell = (value: number | string | undefined, ratio: number | undefined): string => {
  if (value === undefined) return ''
  if (typeof value === 'string') return '–'
  return ratio === undefined ? short(value) : `${short(value)} (${short(ratio)}×)`
}

/** A Markdown table: each peer's time, and in brackets how many times ours it is. */
export function table({ jobs }: Report): string {
  const peers = [...new Set(jobs.flatMap(({ peers }) => Object.keys(peers)))]
  const rows = jobs.map(({ job, unit, ours, oursVariant, peers: times, ratios, peakShare }) => [
    `${job}, ${unit}`, cell(ours, undefined), `${oursVariant}${peakShare === undefined ? '' : `; ${(100 * peakShare).toFixed(0)} % of peak`}`, ...peers.map(peer => cell(times[peer], ratios[peer])),
  ])
  const lines = [['job', 'ours', 'how', ...peers], ['---', '--:', '---', ...peers.map(() => '--:')], ...rows]
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** What peers could not do, and why. */
export const failures = ({ jobs }: Report): string[] =>
  [...new Set(jobs.flatMap(({ job, ours, peers }) => [['ours', ours] as const, ...Object.entries(peers)].flatMap(([peer, value]) => typeof value === 'string' ? `${peer}, ${job}: ${value}` : [])))]

const colours = ['#4269d0', '#efb118', '#ff725c', '#6cc5b0', '#9c6b4e', '#a463f2', '#97bbf5']

/** A bar chart of ratios, on a logarithmic scale: right of the line at 1, ours is faster. */
export function chart(title: string, jobs: readonly JobReport[]): string {
  const bars = jobs.flatMap(({ job, ratios }) => Object.entries(ratios).map(([peer, ratio]) => ({ job, peer, ratio })))
  const peers = [...new Set(bars.map(({ peer }) => peer))]
  const [left, width, bar, gap] = [120, 560, 12, 10]
  const most = Math.max(10, ...bars.map(({ ratio }) => ratio)) * 1.2
  const least = Math.min(0.4, ...bars.map(({ ratio }) => ratio)) * 0.9
  const x = (ratio: number): number => left + width * Math.log(ratio / least) / Math.log(most / least)
  let y = 56
  const parts: string[] = []
  for (const job of [...new Set(bars.map(entry => entry.job))]) {
    const own = bars.filter(entry => entry.job === job)
    parts.push(`<text x="${left - 8}" y="${y + own.length * bar / 2 + 4}" text-anchor="end">${job}</text>`)
    for (const { peer, ratio } of own) {
      const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))]
      parts.push(`<rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(1, to - from).toFixed(1)}" height="${bar - 2}" fill="${colours[peers.indexOf(peer) % colours.length]}"/>`)
      parts.push(`<text x="${(to + 4).toFixed(1)}" y="${y + bar - 3}" font-size="9">${short(ratio)}</text>`)
      y += bar
    }
    y += gap
  }
  const ticks = [0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000].filter(t => t > least && t < most)
  const grid = ticks.map(t => `<line x1="${x(t).toFixed(1)}" x2="${x(t).toFixed(1)}" y1="48" y2="${y - gap + 4}" stroke="#888" stroke-width="${t === 1 ? 1.5 : 0.4}"/><text x="${x(t).toFixed(1)}" y="44" text-anchor="middle" font-size="9">${t}×</text>`)
  const key = peers.map((peer, i) => `<rect x="${left + i * 95}" y="${y + 4}" width="10" height="10" fill="${colours[i % colours.length]}"/><text x="${left + i * 95 + 14}" y="${y + 13}" font-size="10">${peer}</text>`)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 60}" height="${y + 28}" font-family="system-ui, sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/><g fill="#222"><text x="${left}" y="20" font-size="14">${title}</text>${[...grid, ...parts, ...key].join('')}</g></svg>\n`
}

/** The charts, by file name. */
export function charts({ jobs }: Report): Record<string, string> {
  const some = (title: string, names: RegExp): string => chart(title, jobs.filter(({ job, ratios }) => names.test(job) && Object.keys(ratios).length > 0))
  return {
    'training.svg': some("A training step: a peer's time over ours", /^(mlp|cnn|gpt)$/),
    'kernels.svg': some("Kernels: a peer's time over ours", /^(gemm|exp|gelu|sum|softmax)/),
    'other.svg': some("Overhead and inference: a peer's time over ours", /^(overhead|infer)/),
  }
}

/** The page. */
export function page(report: Report): string {
  const versions = Object.entries(report.versions).map(([name, version]) => `${name} ${version}`).join(', ')
  return `# Benchmark results

Made by \`npm run -s bench -- --write-results\` on ${report.date}: ${report.machine}, Node ${report.node}. ${versions}.
Medians of at least 7 repetitions, ours and each peer's in turns in one run; in brackets a peer's time over ours, so above 1
we are faster. Every job first checks that the results agree to 1e-3. The machine is shared: only ratios of one run count.

${table(report)}

![training](figures/training.svg)

![kernels](figures/kernels.svg)

![overhead and inference](figures/other.svg)

${failures(report).length > 0 ? `What could not be run:\n\n${failures(report).map(line => `- ${line}`).join('\n')}\n` : ''}`
}
