// TensorBoard's files: checksums against the format's, and what is written read back field by field.

import { cpu } from '@bp/backend-cpu'
import { tensor, use } from '@bp/core'
import { crc32c, Linear, mseLoss, SGD } from '@bp/nn'
import { describe, expect, test } from 'vitest'
import { EventWriter, fit, maskedCrc, tfRecord, TensorBoard } from '../index.ts'

use(cpu())

/** The data of the records in a file; every length and checksum is checked. */
function records(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset)
  const unmask = (masked: number): number => {
    const rotated = (masked - 0xa282ead8) >>> 0
    return ((rotated >>> 17) | (rotated << 15)) >>> 0
  }
  const out: Uint8Array[] = []
  for (let at = 0; at < file.length;) {
    const length = Number(view.getBigUint64(at, true))
    expect(unmask(view.getUint32(at + 8, true))).toBe(crc32c(file.subarray(at, at + 8)))
    const data = file.subarray(at + 12, at + 12 + length)
    expect(unmask(view.getUint32(at + 12 + length, true))).toBe(crc32c(data))
    out.push(data)
    at += length + 16
  }
  return out
}

type Fields = Record<number, (number | Uint8Array)[]>

/** A message's fields by number: numbers, or bytes. */
function fields(bytes: Uint8Array): Fields {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const out: Fields = {}
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const read = (): number | Uint8Array => {
      switch (tag % 8) {
        case 0: return varint()
        case 1: return view.getFloat64((at += 8) - 8, true)
        case 5: return view.getFloat32((at += 4) - 4, true)
        default: {
          const length = varint()
          return bytes.subarray(at, at += length)
        }
      }
    }
    (out[Math.floor(tag / 8)] ??= []).push(read())
  }
  return out
}

const at = (message: Fields, ...path: number[]): number | Uint8Array => path.slice(1).reduce<number | Uint8Array>((inner, number) => fields(inner as Uint8Array)[number]![0]!, message[path[0]!]![0]!)
const text = (bytes: number | Uint8Array): string => new TextDecoder().decode(bytes as Uint8Array)

function written(write: (events: EventWriter) => void): Fields[] {
  const parts: Uint8Array[] = []
  write(new EventWriter({ write: bytes => { parts.push(bytes) } }, () => 1.5))
  return parts.flatMap(records).map(fields)
}

describe('records', () => {
  test('are framed by masked checksums', () => {
    // as the RecordWriter of TensorBoard 2.21 writes it
    expect([...tfRecord(new TextEncoder().encode('abc'))].map(byte => byte.toString(16).padStart(2, '0')).join('')).toMatchInlineSnapshot(`"0300000000000000b099490e6162636e57f121"`)
    expect(maskedCrc(new TextEncoder().encode('123456789'))).toBe((((0xe3069283 >>> 15) | (0xe3069283 << 17)) + 0xa282ead8) >>> 0)
    expect(records(tfRecord(new Uint8Array()))[0]).toHaveLength(0)
  })
})

describe('events', () => {
  test('begin with the version of the file, and hold the time', () => {
    const [first] = written(() => undefined)
    expect(first![1]).toEqual([1.5])
    expect(text(at(first!, 3))).toBe('brain.Event:2')
  })

  test('hold scalars by tag and step', () => {
    const [, event] = written(events => { events.scalar('loss/train', 0.25, 300) })
    expect(event![2]).toEqual([300])
    expect(text(at(event!, 5, 1, 1))).toBe('loss/train')
    expect(at(event!, 5, 1, 2)).toBe(0.25)
  })

  test.each([
    [[0, 1, 2, 3], 30, 4], [[2, 2, NaN], 1, 2], [[], 0, 0], [Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i)), 30, 1000],
  ])('hold histograms whose counts add up', (values, rows, count) => {
    const [, event] = written(events => { events.histogram('w', values, 1) })
    const content = at(event!, 5, 1, 8, 4) as Uint8Array
    const numbers = [...new Float64Array(content.slice().buffer)]
    expect(numbers).toHaveLength(3 * rows)
    expect(numbers.filter((_, i) => i % 3 === 2).reduce((a, b) => a + b, 0)).toBe(count)
    for (let i = 3; i < numbers.length; i += 3) expect(numbers[i]).toBeCloseTo(numbers[i - 2]!, 12)
    expect(text(at(event!, 5, 1, 9, 1, 1))).toBe('histograms')
  })

  test('hold text, hyper-parameters, and where a run was resumed', () => {
    const [, note, hparams, resumed] = written(events => {
      events.text('note', 'größer', 2)
      events.hparams({ lr: 0.1, optimiser: 'Adam', nesterov: true })
      events.resume(7)
    })
    expect(text(at(note!, 5, 1, 8, 8))).toBe('größer')
    const start = fields(at(hparams!, 5, 1, 9, 1, 2, 3) as Uint8Array)
    const entries = start[1]!.map(entry => fields(entry as Uint8Array)).map(entry => [text(entry[1]![0]!), fields(entry[2]![0] as Uint8Array)] as const)
    expect(entries.map(([name]) => name)).toEqual(['lr', 'optimiser', 'nesterov'])
    expect([entries[0]![1][2], text(entries[1]![1][3]![0]!), entries[2]![1][4]]).toEqual([[0.1], 'Adam', [1]])
    expect([resumed![2], at(resumed!, 7, 1)]).toEqual([[7], 1])
  })
})

test('a run writes its losses, epochs and parameters', async () => {
  const parts: Uint8Array[] = []
  const model = new Linear(1, 1)
  const data = Array.from({ length: 4 }, () => [tensor([[1]]), tensor([[2]])] as const)
  await fit(model, {
    data, validation: data, loss: mseLoss, optimiser: new SGD(model.parameters(), { lr: 0.1 }), epochs: 2, clipNorm: 1,
    callbacks: [new TensorBoard({ write: bytes => { parts.push(bytes) } }, { everySteps: 2, histograms: true, hparams: { lr: 0.1 } })],
  })
  const tags = parts.flatMap(records).map(fields).filter(event => event[5]).map(event => `${text(at(event, 5, 1, 1))} ${String(event[2]![0])}`)
  expect(tags.join('\n')).toMatchInlineSnapshot(`
    "_hparams_/session_start_info 0
    loss/step 2
    gradNorm/step 2
    loss/step 4
    gradNorm/step 4
    loss/train 4
    lr 4
    loss/validation 4
    weight 4
    bias 4
    loss/step 6
    gradNorm/step 6
    loss/step 8
    gradNorm/step 8
    loss/train 8
    lr 8
    loss/validation 8
    weight 8
    bias 8"
  `)
})
