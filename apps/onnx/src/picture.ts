// A graph as SVG: boxes and arrows placed by dagre, layer by layer from top to bottom.

import { Graph, layout } from '@dagrejs/dagre'

/** A box of the picture. */
export interface Box {
  readonly id: string
  readonly lines: readonly string[]
  /** What kind of thing it is, which gives it its colour. */
  readonly kind: Kind
}

/** An arrow from box to box, with what flows along it. */
export interface Arrow {
  readonly from: string
  readonly to: string
  readonly label: string
}

/** Kinds of boxes: ends of the graph, ops with weights, moves of elements, and all others. */
export type Kind = 'end' | 'weights' | 'move' | 'other'

const colours: Readonly<Record<Kind, string>> = { end: '#d8f5e3', weights: '#dbe9ff', move: '#f1f1f1', other: '#fff4dc' }

/* Pixels; a sans-serif letter of this size is about 0.58 of it wide. */
const font = { size: 12, letter: 7, line: 15 }
const margin = 16

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** Draws boxes and arrows. */
export function picture(boxes: readonly Box[], arrows: readonly Arrow[]): string {
  const graph = new Graph({ multigraph: true })
  graph.setGraph({ rankdir: 'TB', nodesep: 24, ranksep: 36, marginx: margin, marginy: margin })
  for (const { id, lines } of boxes) graph.setNode(id, { width: Math.max(...lines.map(line => line.length)) * font.letter + 20, height: lines.length * font.line + 12 })
  arrows.forEach(({ from, to, label }, i) => { graph.setEdge(from, to, { width: label.length * font.letter, height: font.line, labelpos: 'r' }, String(i)) })
  layout(graph)
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  const text = (x: number, y: number, line: string, more = ''): string => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${more}>${escape(line)}</text>`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}" width="${Math.ceil(width)}" height="${Math.ceil(height)}" font-family="sans-serif" font-size="${font.size}">`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#667"/></marker></defs>',
    `<rect width="${Math.ceil(width)}" height="${Math.ceil(height)}" fill="white"/>`,
    ...arrows.flatMap(({ from, to, label }, i) => {
      const { points, x, y } = graph.edge(from, to, String(i)) as { points: { x: number; y: number }[]; x?: number; y?: number }
      const path = points.map((point, j) => `${j === 0 ? 'M' : 'L'}${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join('')
      return [`<path d="${path}" fill="none" stroke="#667" marker-end="url(#tip)"/>`, ...label !== '' && x !== undefined && y !== undefined ? [text(x - label.length * font.letter / 2 + 6, y + 4, label, ' fill="#556" font-size="10"')] : []]
    }),
    ...boxes.flatMap(({ id, lines, kind }) => {
      const box = graph.node(id) as { x: number; y: number; width: number; height: number }
      const top = box.y - box.height / 2
      return [
        `<rect x="${(box.x - box.width / 2).toFixed(1)}" y="${top.toFixed(1)}" width="${box.width.toFixed(1)}" height="${box.height.toFixed(1)}" rx="5" fill="${colours[kind]}" stroke="#889"/>`,
        ...lines.map((line, i) => text(box.x, top + 6 + font.line * (i + 0.8), line, ` text-anchor="middle"${i === 0 ? ' font-weight="bold"' : ''}`)),
      ]
    }),
    '</svg>\n',
  ].join('\n')
}
