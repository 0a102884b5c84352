// What the page shows: figures, charts, test digits, chances and troubles.

/// <reference lib="dom" />

import { type Images, pixelsPerImage } from '@bp/digits/data'
import { Chart, logarithmic, shares } from './chart.ts'
import { show } from './ink.ts'
import type { Report } from './protocol.ts'
import type { RunRecord } from './record.ts'

/** The element of an id. */
export function get<T extends Element = HTMLElement>(id: string): T {
  return document.getElementById(id) as Element as T
}

const lossChart = new Chart(get('lossChart'), logarithmic(0.01, 3, [3, 1, 0.3, 0.1, 0.03, 0.01]))
const accuracyChart = new Chart(get('accuracyChart'), shares)

const text = (id: string, value: string): void => {
  const element = get(id)
  if (element.textContent !== value) element.textContent = value
}
const percent = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)} %`
const size = (bytes: number): string => bytes < 2 ** 20 ? `${(bytes / 2 ** 10).toFixed(0)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** Figures and charts of a run. */
export function showRun(record: RunRecord): void {
  const { steps, losses, means, accuracies, held, speed } = record
  text('step', losses.length.toLocaleString('en'))
  text('steps', steps.toLocaleString('en'))
  text('speed', speed === null ? '–' : speed.toFixed(1))
  text('accuracy', accuracies.length ? percent(accuracies.at(-1)![1]) : '–')
  text('loss', means.length ? means.at(-1)![1].toFixed(3) : '')
  get<HTMLProgressElement>('progress').value = losses.length / steps
  const now = held.at(-1)
  text('textures', now ? String(now.textures) : '–')
  text('bytes', now ? size(now.bytes) : '–')
  text('pooled', now ? `and ${now.pooled} pooled` : '')
  text('pooledBytes', now ? `and ${size(now.pooledBytes)} pooled` : '')
  lossChart.draw(steps, means, losses)
  accuracyChart.draw(steps, accuracies)
}

/** The test digits as buttons; `choose` is told which was pressed. */
export function showSamples({ pixels, labels }: Images, choose: (pixels: Float32Array) => void): void {
  get('samples').replaceChildren(...Array.from(labels, (label, i) => {
    const button = document.createElement('button'), canvas = document.createElement('canvas'), guess = document.createElement('span')
    const image = pixels.slice(i * pixelsPerImage, (i + 1) * pixelsPerImage)
    canvas.width = canvas.height = 28
    show(canvas, image)
    guess.textContent = '–'
    button.type = 'button'
    button.dataset.label = String(label)
    button.append(canvas, guess)
    button.addEventListener('click', () => { choose(image) })
    return button
  }))
}

/** What the network takes the test digits for. */
export function judgeSamples(guesses: readonly number[]): void {
  let wrong = 0
  get('samples').querySelectorAll('button').forEach((button, i) => {
    const { label } = button.dataset, guess = String(guesses[i])
    const mistaken = guess !== label
    if (mistaken) wrong++
    button.classList.toggle('wrong', mistaken)
    button.lastElementChild!.textContent = mistaken ? `✗ ${guess}` : guess
    button.title = mistaken ? `A ${label}, taken for a ${guess}` : `A ${label}`
    button.setAttribute('aria-label', button.title)
  })
  text('mistakes', `${wrong} of ${guesses.length} wrong`)
}

/** The chances of an image; nothing where there is none. */
export function showChances(chances: readonly number[] | null): void {
  const list = get('chances')
  if (list.childElementCount === 0) {
    list.replaceChildren(...Array.from({ length: 10 }, (_, digit) => {
      const item = document.createElement('li')
      item.innerHTML = `<span>${digit}</span><span class="bar"></span><span></span>`
      return item
    }))
  }
  const best = chances ? chances.indexOf(Math.max(...chances)) : -1
  text('guess', best < 0 ? '–' : String(best));
  [...list.children].forEach((item, digit) => {
    const chance = chances?.[digit]
    item.classList.toggle('most', digit === best);
    (item.children[1] as HTMLElement).style.setProperty('--share', `${100 * (chance ?? 0)}%`)
    item.children[2]!.textContent = chance === undefined ? '' : percent(chance)
  })
}

const troubles: Readonly<Record<(Report & { kind: 'failed' })['reason'], string>> = {
  'no-webgl': 'This browser gives the page no WebGL 2 that can compute, so the graphics card cannot be used. Choose “CPU” above: it trains the same network.',
  lost: 'The graphics card was taken away from this page, and the network on it is lost. That happens when a driver restarts or a computer sleeps. Press Reset to begin again.',
  other: 'Something went wrong, and this run is over. Press Reset to begin again.',
}

/** Says what went wrong, or that nothing has. */
export function showTrouble(report: (Report & { kind: 'failed' }) | null): void {
  const box = get('alert')
  box.replaceChildren()
  if (!report) return
  const words = document.createElement('p'), details = document.createElement('details'), summary = document.createElement('summary')
  words.textContent = troubles[report.reason]
  summary.textContent = 'What the program says'
  details.append(summary, report.message)
  box.append(words, details)
}
