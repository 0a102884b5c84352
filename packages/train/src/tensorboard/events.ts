// TensorBoard's events: scalars, histograms, text and hyper-parameters as records of a file.

import { tfRecord } from './record.ts'
import { type Bytes, double, doubles, float, join, nested, whole } from './wire.ts'

/** Takes records as they come: a file, or a list. */
export interface ByteSink {
  write(bytes: Uint8Array): void
}

/** Values of hyper-parameters. */
export type HyperParameters = Readonly<Record<string, number | string | boolean>>

/** How many buckets a histogram has, as in TensorFlow 2. */
const buckets = 30

/** Numbers of the enumerations in TensorFlow's types.proto, summary.proto and event.proto. */
const doubleType = 2, stringType = 7, tensorClass = 2, blobClass = 3, sessionStart = 1

/**
 * Writes the events that TensorBoard reads from files whose name has `tfevents` in it (TensorFlow's event.proto and
 * summary.proto, and the plugin data of TensorBoard's hparams). `EventFile` of @bp/train/node is such a file.
 *
 * @example
 * ```ts
 * import { EventWriter } from '@bp/train'
 * const records = []
 * const events = new EventWriter({ write: bytes => { records.push(bytes) } })
 * events.scalar('loss', 0.25, 1)
 * records.length // => 2
 * ```
 */
export class EventWriter {
  private readonly sink: ByteSink
  private readonly now: () => number

  /** `now` gives the time of events in seconds since 1970. */
  constructor(sink: ByteSink, now: () => number = () => Date.now() / 1000) {
    this.sink = sink
    this.now = now
    this.event([nested(3, 'brain.Event:2')])
  }

  /** Says that the run goes on after this step: TensorBoard drops what an interrupted run wrote beyond it. */
  resume(step: number): void {
    this.event([whole(2, step), nested(7, [whole(1, sessionStart)])])
  }

  /** A number of a step. */
  scalar(tag: string, value: number, step: number): void {
    this.summary(step, [nested(1, tag), float(2, value)])
  }

  /** How numbers are distributed; those that are not finite are left out. */
  histogram(tag: string, values: ArrayLike<number>, step: number): void {
    const rows = bucketsOf(values)
    this.summary(step, [nested(1, tag), tensorOf(doubleType, [rows.length / 3, 3], nested(4, doubles(rows))), plugin('histograms', tensorClass)])
  }

  /** Text in Markdown. */
  text(tag: string, text: string, step: number): void {
    this.summary(step, [nested(1, tag), tensorOf(stringType, [1], nested(8, text)), plugin('text', tensorClass)])
  }

  /** The run's hyper-parameters, for the table of all runs. */
  hparams(values: HyperParameters): void {
    const entry = (value: number | string | boolean): Bytes => typeof value === 'number' ? double(2, value) : typeof value === 'string' ? nested(3, value) : whole(4, value ? 1 : 0)
    const start = [...Object.entries(values).map(([name, value]) => nested(1, [nested(1, name), nested(2, entry(value))])), double(5, this.now())]
    const content = nested(3, start)
    this.summary(0, [nested(1, '_hparams_/session_start_info'), nothing(), plugin('hparams', blobClass, content)])
  }

  private summary(step: number, value: readonly Bytes[]): void {
    this.event([whole(2, step), nested(5, [nested(1, value)])])
  }

  private event(fields: readonly Bytes[]): void {
    this.sink.write(tfRecord(join([double(1, this.now()), ...fields])))
  }
}

/** A field of a summary's value: TensorProto of a type, a shape, and content. */
const tensorOf = (type: number, shape: readonly number[], content: Bytes): Bytes =>
  nested(8, [whole(1, type), nested(2, shape.map(size => nested(2, [whole(1, size)]))), content])

/** An empty tensor, where all is said in the metadata. */
const nothing = (): Bytes => nested(8, [whole(1, 1), nested(2, [nested(2, [whole(1, 0)])])])

/** A field of a summary's value: which part of TensorBoard shows it. */
const plugin = (name: string, dataClass: number, content?: Bytes): Bytes =>
  nested(9, [nested(1, [nested(1, name), ...content ? [nested(2, content)] : []]), whole(4, dataClass)])

/** Rows of left edge, right edge and count, of equal widths, as TensorFlow 2 makes them; one row where all numbers are equal. */
function bucketsOf(values: ArrayLike<number>): number[] {
  const finite = Array.from(values).filter(Number.isFinite)
  if (finite.length === 0) return []
  const least = finite.reduce((a, b) => Math.min(a, b)), most = finite.reduce((a, b) => Math.max(a, b))
  if (least === most) return [least - 0.5, most + 0.5, finite.length]
  const width = (most - least) / buckets
  const counts = Array<number>(buckets).fill(0)
  for (const value of finite) counts[Math.min(buckets - 1, Math.floor((value - least) / width))]!++
  return counts.flatMap((count, i) => [least + i * width, i === buckets - 1 ? most : least + (i + 1) * width, count])
}
