// What needs Node: worker threads, folders of images, files.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { tensor, use } from '@bp/core'
import { encodeSafetensors } from '@bp/nn'
import { cpu } from '@bp/backend-cpu'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type NdArray, ndarray } from '../array.ts'
import { encodePng } from '../formats/image.ts'
import { DataLoader, type DataLoaderState } from '../loader.ts'
import { readCsv, readIdx, readNpy, readNpz, readSafetensors, streamCsv, writeNpy, writeNpz } from './files.ts'
import { ImageFolder } from './imageFolder.ts'
import { broken, fatal, impossible, noisy, nothing } from './workers.fixture.ts'
import { startWorkers } from './workers.ts'

beforeEach(() => { use(cpu()) })

let folder: string
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'bp-data-')) })
afterAll(() => { rmSync(folder, { recursive: true }) })

const textsOf = async (batches: AsyncIterable<unknown>): Promise<string[]> => {
  const out: string[] = []
  for await (const batch of batches) out.push(String(batch))
  return out
}

describe('worker threads', () => {
  const module = new URL('./workers.fixture.ts', import.meta.url)
  const options = { batchSize: 8, shuffle: true, seed: 1 }

  it('make the same batches as the calling thread, however many there are, and from any state', async () => {
    const here = new DataLoader(noisy(50), options)
    const want = [...here, ...here].map(String)
    for (const count of [1, 3]) {
      const workers = await startWorkers<[NdArray, NdArray]>(module, noisy.name, { args: [50], count })
      expect(workers.prefetch).toBe(2 * count)
      const loader = new DataLoader(workers, options)
      let state: DataLoaderState | undefined
      let given = 0
      for await (const batch of loader) {
        expect(String(batch)).toBe(want[given])
        if (++given === 3) {
          state = loader.stateDict()
          break
        }
      }
      expect(await textsOf(loader)).toEqual(want.slice(7))
      loader.loadStateDict(state!)
      expect(await textsOf(loader)).toEqual(want.slice(3, 7))
      expect(await workers.get(4, 1)).toEqual(noisy(50).get(4, 1))
      const collated = new DataLoader(workers, { ...options, collate: samples => samples.map(([, y]) => Number(y.data[0])) })
      for await (const labels of collated) expect(labels.length).toBeGreaterThan(1)
      workers.close()
      await expect(workers.get(0)).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: WorkerDataset: the worker of noisy was closed. Start workers anew]`)
    }
  })

  it('that fail or end say so to the loop', async () => {
    const failing = await startWorkers<number>(module, broken.name, { args: [11], count: 2 })
    const seen: string[] = []
    const run = async (): Promise<void> => { for await (const batch of new DataLoader(failing, { batchSize: 4 })) seen.push(String(batch)) }
    await expect(run()).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: WorkerDataset: the worker of broken: dataset: sample 11 could not be made: the file is damaged]`)
    expect(seen).toHaveLength(2)
    // one sample that fails ends no worker
    expect(await failing.get(3)).toBe(3)
    failing.close()
    const ending = await startWorkers<number>(module, fatal.name, { args: [11], count: 1 })
    await expect(textsOf(new DataLoader(ending, { batchSize: 4 }))).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: WorkerDataset: the worker of fatal ended: it exited with code 3]`)
    await expect(ending.get(0)).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: WorkerDataset: the worker of fatal ended: it exited with code 3. Start workers anew]`)
    ending.close()
  })

  it('do not start without a dataset', async () => {
    await expect(startWorkers(module, impossible.name, { count: 1 })).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: WorkerDataset: the worker of impossible made no dataset: no such folder]`)
    await expect(startWorkers(module, nothing.name, { count: 1 })).rejects.toThrow('nothing of file:')
    await expect(startWorkers(module, 'images', { count: 1 })).rejects.toThrow(/has no function named images; it exports broken, fatal, impossible, noisy, nothing/)
    await expect(startWorkers('file:///none.js', 'images', { count: 1 })).rejects.toThrow('the worker of images made no dataset: Cannot find module')
  })
})

describe('a folder of images', () => {
  const put = (path: string, level: number, [h, w] = [2, 3] as [number, number]): void => {
    mkdirSync(join(folder, 'images', path, '..'), { recursive: true })
    writeFileSync(join(folder, 'images', path), encodePng(ndarray(new Uint8Array(h * w).fill(level), [h, w, 1])))
  }

  it('gives classes by name, and images in one form', () => {
    put('b/2.png', 20)
    put('b/more/1.PNG', 10)
    put('a/x.png', 30, [4, 4])
    writeFileSync(join(folder, 'images', 'a', 'notes.txt'), 'no image')
    const images = new ImageFolder(join(folder, 'images'), { channels: 1, size: 2 })
    expect(images.classes).toEqual(['a', 'b'])
    expect(images.labels).toEqual(Int32Array.of(0, 1, 1))
    for (const [x, y] of new DataLoader(images, { batchSize: 3 })) {
      expect(x.shape).toEqual([3, 2, 2, 1])
      expect(Array.from(x.dataSync(), Number).filter((_, i) => i % 4 === 0)).toEqual([30, 20, 10])
      expect(String(y)).toBe('tensor([0, 1, 1], int32)')
    }
    expect(new ImageFolder(pathToFileURL(join(folder, 'images'))).get(1)[0].shape).toEqual([2, 3, 3])
  })

  it('is refused where a class is empty or an image damaged', () => {
    writeFileSync(join(folder, 'images', 'a', 'x.png'), encodePng(ndarray(new Uint8Array(4), [2, 2, 1])).subarray(0, 40))
    expect(() => new ImageFolder(join(folder, 'images')).get(0)).toThrow(/x\.png: image: the PNG could not be read: .* The file is truncated or damaged/)
    mkdirSync(join(folder, 'images', 'c'))
    expect(() => new ImageFolder(join(folder, 'images'))).toThrow(/ImageFolder: the class c in .* has no images \(\.png, \.jpg, \.jpeg\)\. Remove its folder, or give other extensions/)
    expect(() => new ImageFolder(join(folder, 'images', 'c'))).toThrow('has no folders, of which each would be a class')
    expect(() => new ImageFolder(join(folder, 'none'))).toThrow(/ImageFolder: .*none cannot be read: ENOENT/)
  })
})

describe('files', () => {
  it('are read and written, and named in errors', async () => {
    const path = (name: string): string => join(folder, name)
    writeNpy(path('x.npy'), ndarray([1, 2]))
    writeNpy(pathToFileURL(path('x.npy')), ndarray([3, 4]))
    expect(readNpy(pathToFileURL(path('x.npy')))).toEqual(ndarray([3, 4]))
    writeNpz(path('x.npz'), { a: tensor([5]) })
    expect(readNpz(path('x.npz')).get('a')).toEqual(ndarray([5]))
    expect(readdirSync(folder).filter(name => name.endsWith('.part'))).toEqual([])
    writeFileSync(path('x.idx'), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 7))
    expect(readIdx(path('x.idx'))).toEqual(ndarray(Uint8Array.of(7)))
    writeFileSync(path('x.safetensors'), encodeSafetensors({ w: tensor([1]) }))
    expect(String(readSafetensors(path('x.safetensors')).get('w'))).toBe('tensor([1], float32)')
    writeFileSync(path('x.csv'), 'a,b\n1,x\n2,y\n')
    expect(readCsv(path('x.csv')).column('b').categories).toEqual(['x', 'y'])
    expect(await textsOf(new DataLoader(streamCsv(path('x.csv'), { columns: { a: 'int32' } }), { batchSize: 2, collate: rows => rows.map(({ a }) => a.data[0]).join() }))).toEqual(['1,2'])
    expect(() => readNpy(path('x.csv'))).toThrow(/x\.csv: npy: it does not begin as an npy file does/)
    expect(() => readNpy(path('none.npy'))).toThrow(/none\.npy: ENOENT/)
    await expect(textsOf(new DataLoader(streamCsv(path('none.csv'), { columns: { a: 'int32' } })))).rejects.toThrow('ENOENT')
  })
})
