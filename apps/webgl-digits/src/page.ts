// The page: what buttons ask of the session, and what becomes of its reports.

/// <reference lib="dom" />

import { greys, contextOf, listenToPen, show } from './ink.ts'
import { openPlace, type Place, type PlaceName } from './place.ts'
import type { BackendName, Format, Told } from './protocol.ts'
import { RunRecord } from './record.ts'
import { get, judgeSamples, showChances, showRun, showSamples, showTrouble } from './view.ts'

/** What a run is doing, and what the page says of it. */
const states = { opening: 'Opening …', ready: 'Ready', running: 'Training', pausing: 'Pausing …', paused: 'Paused', ended: 'Done', failed: 'Stopped' } as const

let state: keyof typeof states = 'opening'
let place: Place | null = null
let placeName: PlaceName | null = null
let record = new RunRecord(1)
/** Counts runs, so that reports of one that was given up are told from those of the present one. */
let run = 0
/** Whether to start as soon as the run is ready. */
let soon = false
/** The image whose chances are shown; whether it still has to be sent, and whether an answer is on its way. */
const question = { pixels: null as Float32Array | null, waits: false, asked: false }

const pad = get<HTMLCanvasElement>('pad'), seen = get<HTMLCanvasElement>('seen')
const chosen = (name: string): string => document.querySelector<HTMLInputElement>(`input[name=${name}]:checked`)!.value

function enter(next: keyof typeof states): void {
  state = next
  get('state').textContent = states[state]
  const button = get<HTMLButtonElement>('run')
  button.textContent = { running: 'Pause', pausing: 'Pause', paused: 'Resume' }[state as string] ?? 'Start'
  button.disabled = ['pausing', 'ended', 'failed'].includes(state)
  for (const format of ['onnx', 'safetensors']) get<HTMLButtonElement>(format).disabled = !['ready', 'running', 'paused', 'ended'].includes(state)
}

/** Begins a new run with what is chosen. */
function begin(): void {
  const epochs = get<HTMLInputElement>('epochs')
  if (!epochs.checkValidity()) {
    epochs.reportValidity()
    return
  }
  const wanted = chosen('place') as PlaceName
  // a session that failed in a worker is given up with it
  if (place && (wanted !== placeName || state === 'failed')) {
    place.leave()
    place = null
  }
  const backend = chosen('backend') as BackendName
  soon = false
  enter('opening')
  showTrouble(null)
  document.body.dataset.backend = backend
  get('device').textContent = '…'
  record.rest()
  question.asked = false
  placeName = wanted
  place ??= openPlace(wanted, receive)
  place.send({ kind: 'begin', run: ++run, backend, epochs: epochs.valueAsNumber })
}

function receive(told: Told): void {
  if (told.run !== run) return
  const { report } = told
  switch (report.kind) {
    case 'begun':
      record = new RunRecord(report.steps)
      Object.assign(globalThis, { record })
      showRun(record)
      get('device').textContent = report.device
      showSamples(report.shown, pixels => { ask(pixels, true) })
      enter('ready')
      if (soon) start()
      ask(question.pixels)
      break
    case 'step':
      record.add(report)
      break
    case 'judged':
      record.accuracies.push([report.step, report.accuracy])
      judgeSamples(report.labels)
      // the network has changed, and with it what it says
      ask(question.pixels)
      break
    case 'predicted':
      question.asked = false
      if (question.pixels) showChances(report.chances)
      if (question.waits) ask(question.pixels)
      break
    case 'saved':
      save(report.format, report.bytes)
      break
    case 'paused':
    case 'ended':
      record.rest()
      enter(report.kind)
      break
    case 'failed':
      record.rest()
      enter('failed')
      showTrouble(report)
  }
  drawSoon()
}

function start(): void {
  place?.send({ kind: 'run' })
  enter('running')
}

function pause(): void {
  place?.send({ kind: 'pause' })
  enter('pausing')
}

let due = false
/** A few times a second is enough for the eye, and leaves the page its time. */
function drawSoon(): void {
  if (due) return
  due = true
  setTimeout(() => {
    due = false
    showRun(record)
  }, 250)
}

/** Asks what the network takes an image for: one question at a time, the newest. */
function ask(pixels: Float32Array | null, copy = false): void {
  question.pixels = pixels
  question.waits = question.asked && pixels !== null
  if (copy && pixels) {
    contextOf(pad).clearRect(0, 0, pad.width, pad.height)
    contextOf(seen).clearRect(0, 0, seen.width, seen.height)
    show(seen, pixels)
    contextOf(pad).drawImage(seen, 0, 0, pad.width, pad.height)
  }
  if (!pixels) {
    contextOf(seen).clearRect(0, 0, seen.width, seen.height)
    showChances(null)
  } else if (!question.asked && place && state !== 'opening' && state !== 'failed') {
    question.asked = true
    place.send({ kind: 'predict', pixels })
  }
}

function save(format: Format, bytes: Uint8Array<ArrayBuffer>): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([bytes]))
  link.download = `digits.${format}`
  link.click()
  setTimeout(() => { URL.revokeObjectURL(link.href) }, 10_000)
}

let strokes = false
listenToPen(pad, () => {
  // what lies there may be a test digit
  if (!strokes) contextOf(pad).clearRect(0, 0, pad.width, pad.height)
  strokes = true
}, () => {
  const pixels = greys(pad)
  if (pixels) show(seen, pixels)
  ask(pixels)
})
get('clear').addEventListener('click', () => {
  contextOf(pad).clearRect(0, 0, pad.width, pad.height)
  ask(null)
})
get('samples').addEventListener('click', () => { strokes = false })
get('run').addEventListener('click', () => {
  if (state === 'opening') soon = true
  else if (state === 'running') pause()
  else start()
})
get('reset').addEventListener('click', begin)
for (const input of document.querySelectorAll('.controls input')) input.addEventListener('change', begin)
for (const format of ['onnx', 'safetensors'] as const) get(format).addEventListener('click', () => { place?.send({ kind: 'save', format }) })
new ResizeObserver(drawSoon).observe(document.body)

showChances(null)
begin()
