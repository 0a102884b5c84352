// A line chart with logarithmic axes, as SVG.

/** A line: its name and its points. */
export interface Line {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

const size = { width: 760, height: 460, left: 80, right: 230, top: 50, bottom: 60 }
const colours = ['#8a8a8a', '#1f6feb', '#d9480f', '#2b8a3e']

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** Draws lines over powers of ten, from the decade below the least value to the one above the largest. */
export function plot(title: string, xName: string, yName: string, lines: readonly Line[]): string {
  const all = lines.flatMap(({ points }) => points)
  const decades = (values: readonly number[]): readonly [number, number] => [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))]
  const [x0, x1] = decades(all.map(([x]) => x))
  const [y0, y1] = decades(all.map(([, y]) => y))
  const px = (x: number): number => size.left + (Math.log10(x) - x0) / (x1 - x0) * (size.width - size.left - size.right)
  const py = (y: number): number => size.height - size.bottom - (Math.log10(y) - y0) / (y1 - y0) * (size.height - size.top - size.bottom)
  const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i))
  const text = (x: number, y: number, label: string, anchor: string, more = ''): string => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${more}>${escape(label)}</text>`
  const label = (value: number): string => value < 1e4 ? String(value) : `10^${Math.round(Math.log10(value))}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="13">`,
    `<rect width="${size.width}" height="${size.height}" fill="white"/>`,
    text(size.left, 28, title, 'start', ' font-size="17"'),
    ...range(x0, x1).flatMap(x => [`<path d="M${px(x).toFixed(1)} ${size.top}V${size.height - size.bottom}" stroke="#e5e5e5"/>`, text(px(x), size.height - size.bottom + 20, label(x), 'middle')]),
    ...range(y0, y1).flatMap(y => [`<path d="M${size.left} ${py(y).toFixed(1)}H${size.width - size.right}" stroke="#e5e5e5"/>`, text(size.left - 8, py(y) + 4, label(y), 'end')]),
    text((size.left + size.width - size.right) / 2, size.height - 14, xName, 'middle'),
    text(18, (size.top + size.height - size.bottom) / 2, yName, 'middle', ` transform="rotate(-90 18 ${(size.top + size.height - size.bottom) / 2})"`),
    ...lines.flatMap(({ name, points }, i) => {
      const colour = colours[i % colours.length]!
      const last = points.at(-1)!
      return [
        `<path d="${points.map(([x, y], j) => `${j === 0 ? 'M' : 'L'}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join('')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...points.map(([x, y]) => `<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="3" fill="${colour}"/>`),
        text(size.width - size.right + 12, py(last[1]) + 4 + (i === 2 ? 18 : 0), name, 'start', ` fill="${colour}"`),
      ]
    }),
    '</svg>',
  ].join('\n')
}
