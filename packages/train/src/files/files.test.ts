// Files: written whole, the last and the best kept, the previous one used where the newest is damaged.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpu } from '@bp/backend-cpu'
import { tensor, use } from '@bp/core'
import { encodeCheckpoint, Linear, mseLoss, readCheckpointProgress, SGD } from '@bp/nn'
import { afterAll, describe, expect, test } from 'vitest'
import { fit, JSONLog } from '../index.ts'
import { CheckpointFiles, EventFile, LogFile, writeWhole } from '../node.ts'

use(cpu())
const root = mkdtempSync(join(tmpdir(), 'bp-files-'))
afterAll(() => { rmSync(root, { recursive: true }) })

let made = 0
const folder = (): string => join(root, String(made++))
const checkpoint = (step: number): Uint8Array => encodeCheckpoint({}, { step })

describe('writeWhole', () => {
  test('makes folders, replaces what is there, and leaves nothing else', () => {
    const inside = join(folder(), 'a', 'b')
    writeWhole(join(inside, 'x'), Uint8Array.of(1, 2))
    writeWhole(join(inside, 'x'), Uint8Array.of(3))
    expect([...readFileSync(join(inside, 'x'))]).toEqual([3])
    expect(readdirSync(inside)).toEqual(['x'])
  })

  test('leaves the target and no temporary file where it fails', () => {
    const inside = folder()
    mkdirSync(join(inside, 'x', 'y'), { recursive: true })
    expect(() => { writeWhole(join(inside, 'x'), Uint8Array.of(1)) }).toThrow()
    expect(readdirSync(inside)).toEqual(['x'])
  })
})

describe('checkpoint files', () => {
  test('are the last ones and the best', () => {
    const inside = folder()
    const files = new CheckpointFiles(inside, { keepLast: 3 })
    expect([files.load(), files.loadBest()]).toEqual([null, null])
    for (const step of [1, 2, 9, 10, 11]) files.save(checkpoint(step), step)
    files.saveBest(checkpoint(2))
    expect(readdirSync(inside).sort()).toEqual(['checkpoint-10.safetensors', 'checkpoint-11.safetensors', 'checkpoint-9.safetensors', 'checkpoint-best.safetensors'])
    expect(readCheckpointProgress(files.load()!)).toEqual({ step: 11 })
    expect(readCheckpointProgress(files.loadBest()!)).toEqual({ step: 2 })
  })

  test('of a run that begins anew replace those of the one before', () => {
    const inside = folder()
    const files = new CheckpointFiles(inside)
    for (const step of [8, 9, 1]) files.save(checkpoint(step), step)
    expect(readdirSync(inside)).toEqual(['checkpoint-1.safetensors'])
  })

  test('that are damaged are passed over, and it is said', () => {
    const inside = folder()
    const warnings: string[] = []
    const files = new CheckpointFiles(inside, { warn: message => { warnings.push(message.replaceAll(inside, 'FOLDER')) } })
    for (const step of [1, 2]) files.save(checkpoint(step), step)
    truncateSync(join(inside, 'checkpoint-2.safetensors'), 100)
    expect(readCheckpointProgress(files.load()!)).toEqual({ step: 1 })
    expect(warnings).toMatchInlineSnapshot(`
      [
        "CheckpointFiles: FOLDER/checkpoint-2.safetensors is damaged (safetensors: the header claims 112 bytes, the file has 92 after its length. It is truncated, or no safetensors file). Going on from FOLDER/checkpoint-1.safetensors instead",
      ]
    `)
    const bytes = readFileSync(join(inside, 'checkpoint-1.safetensors'))
    bytes[bytes.length - 3]! ^= 1
    writeFileSync(join(inside, 'checkpoint-1.safetensors'), bytes)
    expect(() => files.load()).toThrow(/None is left; delete them to begin anew/)
    files.clear()
    expect(files.load()).toBeNull()
  })

  test('lose the temporary files of a killed process, and touch no others', () => {
    const inside = folder()
    mkdirSync(inside)
    for (const name of ['checkpoint-3.safetensors.tmp', 'checkpoint-best.safetensors.tmp', 'checkpoint-3.txt', 'other.tmp', 'checkpoint-x.tmp']) writeFileSync(join(inside, name), 'x')
    new CheckpointFiles(inside)
    expect(readdirSync(inside).sort()).toEqual(['checkpoint-3.txt', 'checkpoint-x.tmp', 'other.tmp'])
  })

  test('keep the best epoch of a run by a monitored number', async () => {
    const files = new CheckpointFiles(folder())
    const model = new Linear(1, 1)
    const data = [[tensor([[1]]), tensor([[2]])] as const]
    const { history } = await fit(model, {
      data, validation: data, loss: mseLoss, optimiser: new SGD(model.parameters(), { lr: 0.1 }), epochs: 5, checkpoint: { store: files, monitor: 'val_loss', everyEpochs: 2 },
      callbacks: [{ onEpochEnd: run => { if (run.epoch === 3) run.optimiser.groups[0]!.lr = -0.1 } }],
    })
    const losses = history.map(({ logs }) => logs.val_loss!)
    const best = losses.indexOf(Math.min(...losses))
    expect(best).toBe(2)
    expect(readCheckpointProgress(files.loadBest()!)).toMatchObject({ place: { epoch: best + 1 }, best: losses[best] })
    expect(readCheckpointProgress(files.load()!)).toMatchObject({ place: { epoch: 5 } })
  })
})

describe('logs', () => {
  test('are appended to, and cut to where a resumed run goes on', () => {
    const path = join(folder(), 'log')
    const first = new LogFile(path)
    first.write('größer\n')
    const { length } = first
    first.write('lost\n')
    first.close()
    const again = new LogFile(path)
    again.truncate(length)
    again.truncate(length + 100)
    again.write('next\n')
    again.close()
    expect(readFileSync(path, 'utf8')).toBe('größer\nnext\n')
  })

  test('hold a run as lines of JSON', async () => {
    const lines: string[] = []
    const model = new Linear(1, 1, { bias: false })
    model.loadStateDict(new Map([['weight', tensor([[1]])]]))
    await fit(model, {
      data: [[tensor([[1]]), tensor([[2]])] as const], loss: mseLoss, optimiser: new SGD(model.parameters(), { lr: 1e30 }), epochs: 3, checkFinite: false, clipNorm: 1,
      callbacks: [new JSONLog({ write: line => { lines.push(line) } }, { everySteps: 2 })],
    })
    expect(lines.join('')).toMatchInlineSnapshot(`
      "{"step":1,"epoch":1,"loss":1,"lr":1e+30,"end":"epoch"}
      {"step":2,"epoch":2,"loss":"Infinity","gradNorm":"Infinity","lr":1e+30}
      {"step":2,"epoch":2,"loss":"Infinity","lr":1e+30,"end":"epoch"}
      {"step":3,"epoch":3,"loss":"Infinity","lr":1e+30,"end":"epoch"}
      "
    `)
  })

  test('of TensorBoard have names that it looks for, one each', () => {
    const inside = folder()
    for (const file of [new EventFile(inside), new EventFile(inside)]) {
      file.write(Uint8Array.of(1))
      file.close()
    }
    const names = readdirSync(inside)
    expect(names).toHaveLength(2)
    for (const name of names) expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\..+\.\d+\.\d+$/)
  })
})
