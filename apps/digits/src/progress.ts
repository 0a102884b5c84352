// The progress line: a bar on a terminal, one line an epoch elsewhere.

/** What a progress line says. */
export interface Status {
  readonly epoch: number
  readonly epochs: number
  /** Share of the epoch done, 0 to 1. */
  readonly done: number
  readonly loss: number
  /** Share of correct answers so far in this epoch. */
  readonly accuracy: number
  readonly samplesPerSecond: number
  /** Until the last epoch ends. */
  readonly secondsLeft: number
}

/** `1:05`, or `–` where it is not known yet. */
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–'
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

/** `epoch 2/5  ████████░░░░  loss 0.0812  acc 97.4 %  1,234/s  0:42 left` */
export function bar(status: Status, width = 24): string {
  const full = Math.round(status.done * width)
  const drawn = '█'.repeat(full) + '░'.repeat(width - full)
  const speed = Math.round(status.samplesPerSecond).toLocaleString('en')
  return `epoch ${status.epoch}/${status.epochs}  ${drawn}  loss ${status.loss.toFixed(4)}  acc ${(100 * status.accuracy).toFixed(1)} %  ${speed}/s  ${clock(status.secondsLeft)} left`
}

/** Shows progress on a stream as it is: redrawn in place on a terminal, else only whole epochs. */
export class ProgressLine {
  private readonly stream: NodeJS.WriteStream
  private drawnAt = 0

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream
  }

  /** Redraws the bar, at most ten times a second. */
  update(status: Status): void {
    if (!this.stream.isTTY || performance.now() - this.drawnAt < 100) return
    this.drawnAt = performance.now()
    this.stream.write(`\r\x1b[2K${bar(status).slice(0, this.stream.columns || 80)}`)
  }

  /** Replaces the bar by a line that stays. */
  line(text: string): void {
    this.stream.write(this.stream.isTTY ? `\r\x1b[2K${text}\n` : `${text}\n`)
  }
}
