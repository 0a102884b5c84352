// Progress on a terminal: a bar that is redrawn, and a line that stays for each epoch.

import type { Logs } from '../evaluate.ts'
import type { Callback, Run } from './callback.ts'

/** Where text goes: `process.stdout`, or anything that writes. */
export interface TextStream {
  write(text: string): unknown
  /** Whether lines can be redrawn. */
  readonly isTTY?: boolean
  readonly columns?: number
}

/** What a bar says. */
export interface Status {
  /** `epoch 2/5`, or `step 120`. */
  readonly label: string
  /** Share done, 0 to 1, where it is known. */
  readonly done?: number | undefined
  readonly logs: Logs
  readonly samplesPerSecond: number
  /** Infinity where it is not known. */
  readonly secondsLeft: number
}

/** How a number of the logs is shown. */
export type FormatLog = (name: string, value: number) => string

/** At most so often is the bar redrawn, in milliseconds. */
const redrawEvery = 100

/** `1:05`, or `–` where it is not known yet. */
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–'
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

/** `loss 0.0812`, `accuracy 0.9740`; small and large numbers as powers of ten. */
export function formatLog(name: string, value: number): string {
  const size = Math.abs(value)
  return `${name} ${size === 0 || (size >= 1e-3 && size < 1e5) ? value.toFixed(4) : value.toExponential(2)}`
}

/**
 * A bar, the numbers, the speed and the time left in one line.
 *
 * @example
 * ```ts
 * import { bar } from '@bp/train'
 * bar({ label: 'epoch 2/5', done: 0.5, logs: { loss: 0.08123 }, samplesPerSecond: 1234.4, secondsLeft: 65 }, { width: 8 }) // => epoch 2/5  ████░░░░  loss 0.0812  1,234/s  1:05 left
 * ```
 */
export function bar({ label, done, logs, samplesPerSecond, secondsLeft }: Status, { width = 24, format = formatLog }: { readonly width?: number; readonly format?: FormatLog } = {}): string {
  const full = Math.round((done ?? 0) * width)
  return [
    label,
    ...done === undefined ? [] : ['█'.repeat(full) + '░'.repeat(width - full)],
    ...Object.entries(logs).map(([name, value]) => format(name, value)),
    `${Math.round(samplesPerSecond).toLocaleString('en')}/s`,
    ...secondsLeft === Infinity ? [] : [`${clock(secondsLeft)} left`],
  ].join('  ')
}

/**
 * Shows a run on a stream as it is: a bar redrawn in place on a terminal, and a line for each epoch everywhere.
 * In Node: `new ProgressBar(process.stdout)`.
 */
export class ProgressBar implements Callback {
  private readonly stream: TextStream
  private readonly format: FormatLog
  private drawn = -Infinity
  private begun = 0
  private firstStep = 0
  private trained = 0
  private counted = 0

  constructor(stream: TextStream, { format = formatLog }: { readonly format?: FormatLog } = {}) {
    this.stream = stream
    this.format = format
  }

  onTrainBegin(run: Run): void {
    this.begun = performance.now()
    this.firstStep = run.step
    this.trained = 0
    this.counted = run.samples
  }

  onStepEnd(run: Run): void {
    this.trained += run.samples - this.counted
    this.counted = run.samples
    if (!this.stream.isTTY || performance.now() - this.drawn < redrawEvery) return
    this.drawn = performance.now()
    this.stream.write(`\r\x1b[2K${bar(this.status(run), { format: this.format }).slice(0, this.stream.columns ?? 80)}`)
  }

  onEpochEnd(run: Run): void {
    this.counted = 0
    const { done: _, ...status } = this.status(run)
    this.line(bar(status, { format: this.format }))
  }

  /** Replaces the bar by a line that stays. */
  line(text: string): void {
    this.stream.write(this.stream.isTTY ? `\r\x1b[2K${text}\n` : `${text}\n`)
  }

  private status(run: Run): Status {
    const seconds = (performance.now() - this.begun) / 1000
    const total = Math.min(run.steps, run.stepsPerEpoch === undefined ? Infinity : run.epochs * run.stepsPerEpoch)
    const { lr: _, ...logs } = run.logs
    return {
      label: run.epochs === Infinity ? `step ${run.step}${run.steps === Infinity ? '' : `/${run.steps}`}` : `epoch ${run.epoch}/${run.epochs}`,
      done: run.epochs === Infinity ? run.step / run.steps : run.stepsPerEpoch === undefined ? undefined : run.epochStep / run.stepsPerEpoch,
      logs,
      samplesPerSecond: this.trained / seconds,
      secondsLeft: (total - run.step) * seconds / (run.step - this.firstStep),
    }
  }
}
