// A line chart with linear or logarithmic axes, as SVG.

/** A line: its name and its points. */
export interface Line {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
  /** Whether each point has a dot; where unset, lines of up to 30 points have. */
  readonly dots?: boolean
}

/** An axis: what it says, and whether it is logarithmic. */
export interface Axis {
  readonly name: string
  readonly log?: boolean
}

/** From values to shares of the axis' length, with the values that are marked. */
interface Scale {
  readonly share: (value: number) => number
  readonly marks: readonly number[]
}

const size = { width: 760, height: 460, left: 80, right: 230, top: 50, bottom: 60 }
const colours = ['#8a8a8a', '#1f6feb', '#d9480f', '#2b8a3e', '#9c36b5']
/** Two names of lines stand at least as far apart, in pixels. */
const lineHeight = 18

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** Powers of ten, from the decade below the least value to the one above the largest. */
function logarithmic(values: readonly number[]): Scale {
  const least = Math.floor(Math.log10(Math.min(...values)))
  const most = Math.max(least + 1, Math.ceil(Math.log10(Math.max(...values))))
  return { share: value => (Math.log10(value) - least) / (most - least), marks: Array.from({ length: most - least + 1 }, (_, i) => 10 ** (least + i)) }
}

/** Some five round numbers, from the one below the least value to the one above the largest. */
function linear(values: readonly number[]): Scale {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const rough = (high - low || 1) / 5
  const decade = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(factor => factor * decade).find(candidate => candidate >= rough)!
  const [first, last] = [Math.floor(low / step), Math.max(Math.ceil(high / step), Math.floor(low / step) + 1)]
  return { share: value => (value / step - first) / (last - first), marks: Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12))) }
}

/** The heights of names that would be at the given ones, moved down until no two touch. */
function spread(heights: readonly number[]): number[] {
  const out = [...heights]
  let least = -Infinity
  for (const i of heights.map((_, index) => index).sort((a, b) => heights[a]! - heights[b]!)) least = out[i] = Math.max(heights[i]!, least + lineHeight)
  return out
}

/** Draws lines, each named at its end. Values on a logarithmic axis must be above 0. */
export function plot(title: string, x: Axis, y: Axis, lines: readonly Line[]): string {
  const all = lines.flatMap(({ points }) => points)
  const scale = ({ log }: Axis, values: readonly number[]): Scale => log ? logarithmic(values) : linear(values)
  const [across, up] = [scale(x, all.map(([value]) => value)), scale(y, all.map(([, value]) => value))]
  const px = (value: number): number => size.left + across.share(value) * (size.width - size.left - size.right)
  const py = (value: number): number => size.height - size.bottom - up.share(value) * (size.height - size.top - size.bottom)
  const text = (at: number, height: number, label: string, anchor: string, more = ''): string => `<text x="${at.toFixed(1)}" y="${height.toFixed(1)}" text-anchor="${anchor}"${more}>${escape(label)}</text>`
  const label = (value: number): string => Math.abs(value) < 1e4 ? String(value) : `10^${Math.round(Math.log10(value))}`
  const middle = (size.top + size.height - size.bottom) / 2
  const names = spread(lines.map(({ points }) => py(points.at(-1)![1]) + 4))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="13">`,
    `<rect width="${size.width}" height="${size.height}" fill="white"/>`,
    text(size.left, 28, title, 'start', ' font-size="17"'),
    ...across.marks.flatMap(mark => [`<path d="M${px(mark).toFixed(1)} ${size.top}V${size.height - size.bottom}" stroke="#e5e5e5"/>`, text(px(mark), size.height - size.bottom + 20, label(mark), 'middle')]),
    ...up.marks.flatMap(mark => [`<path d="M${size.left} ${py(mark).toFixed(1)}H${size.width - size.right}" stroke="#e5e5e5"/>`, text(size.left - 8, py(mark) + 4, label(mark), 'end')]),
    text((size.left + size.width - size.right) / 2, size.height - 14, x.name, 'middle'),
    text(18, middle, y.name, 'middle', ` transform="rotate(-90 18 ${middle})"`),
    ...lines.flatMap(({ name, points, dots = points.length <= 30 }, i) => {
      const colour = colours[i % colours.length]!
      return [
        `<path d="${points.map((point, j) => `${j === 0 ? 'M' : 'L'}${px(point[0]).toFixed(1)} ${py(point[1]).toFixed(1)}`).join('')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...dots ? points.map(point => `<circle cx="${px(point[0]).toFixed(1)}" cy="${py(point[1]).toFixed(1)}" r="3" fill="${colour}"/>`) : [],
        text(size.width - size.right + 12, names[i]!, name, 'start', ` fill="${colour}"`),
      ]
    }),
    '</svg>\n',
  ].join('\n')
}
