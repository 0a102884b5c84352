// A chart of one or two lines over the steps of a run, as SVG.

/// <reference lib="dom" />

/** A point of a line: a step, and its value. */
export type Point = readonly [step: number, value: number]

/** The vertical axis: where a value lies between its bottom, 0, and its top, 1. */
export interface Scale {
  readonly ticks: readonly number[]
  readonly place: (value: number) => number
  readonly label: (value: number) => string
}

/** From one number to another by logarithms; what lies outside is drawn at the edge. */
export const logarithmic = (low: number, high: number, ticks: readonly number[]): Scale => ({
  ticks, label: String,
  place: value => Math.min(1, Math.max(0, Math.log(value / low) / Math.log(high / low))),
})

/** Shares from 0 to 1, in per cent. */
export const shares: Scale = { ticks: [0, 0.25, 0.5, 0.75, 1], place: value => value, label: value => `${100 * value} %` }

const left = 42, right = 12, top = 8, bottom = 24

/** At most so many points of a line are drawn, each the mean of its neighbours. */
const most = 300

function thinned(points: readonly Point[]): readonly Point[] {
  const size = Math.ceil(points.length / most)
  if (size <= 1) return points
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const part = points.slice(i * size, (i + 1) * size)
    return [part.reduce((sum, [step]) => sum + step, 0) / part.length, part.reduce((sum, [, value]) => sum + value, 0) / part.length]
  })
}

/** Draws into an SVG element as large as its box. */
export class Chart {
  private readonly scale: Scale
  private readonly grid = element('g')
  private readonly faint = element('path', { class: 'faint' })
  private readonly bold = element('path', { class: 'bold' })
  private readonly last = element('circle', { r: 4 })
  private drawn = ''
  /** Kept, for asking in the middle of a change makes the browser lay everything out. */
  private box = { width: 0, height: 0 }

  constructor(svg: SVGSVGElement, scale: Scale) {
    this.scale = scale
    svg.append(this.grid, this.faint, this.bold, this.last)
    this.box = svg.getBoundingClientRect()
    new ResizeObserver(() => { this.box = svg.getBoundingClientRect() }).observe(svg)
  }

  /** Draws the lines of a run of so many steps. */
  draw(steps: number, bold: readonly Point[], faint: readonly Point[] = []): void {
    const { width, height } = this.box
    const x = (step: number): number => left + step / steps * (width - left - right)
    const y = (value: number): number => top + (1 - this.scale.place(value)) * (height - top - bottom)
    const path = (points: readonly Point[]): string => thinned(points).map(([step, value], i) => `${i ? 'L' : 'M'}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join('')
    const frame = `${steps} ${width} ${height}`
    if (frame !== this.drawn) this.frame(steps, x, y, width, height)
    this.drawn = frame
    this.faint.setAttribute('d', path(faint))
    this.bold.setAttribute('d', path(bold))
    const end = bold.at(-1)
    this.last.setAttribute('visibility', end ? 'visible' : 'hidden')
    if (end) {
      this.last.setAttribute('cx', x(end[0]).toFixed(1))
      this.last.setAttribute('cy', y(end[1]).toFixed(1))
    }
  }

  private frame(steps: number, x: (step: number) => number, y: (value: number) => number, width: number, height: number): void {
    const every = [50, 100, 200, 250, 500, 1000, 2000].find(n => steps / n <= Math.max(2, width / 80)) ?? 5000
    this.grid.replaceChildren(
      ...this.scale.ticks.flatMap(value => [
        element('line', { class: 'grid', x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        element('text', { x: left - 8, y: y(value) + 4, 'text-anchor': 'end' }, this.scale.label(value)),
      ]),
      ...Array.from({ length: Math.floor(steps / every) + 1 }, (_, i) => element('text', { x: x(i * every), y: height - 4, 'text-anchor': i === 0 ? 'start' : 'middle' }, (i * every).toLocaleString('en'))),
    )
  }
}

function element<K extends keyof SVGElementTagNameMap>(name: K, attributes: Readonly<Record<string, string | number>> = {}, text = ''): SVGElementTagNameMap[K] {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  made.textContent = text
  return made
}
