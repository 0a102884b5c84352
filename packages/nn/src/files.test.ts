// Safetensors and checkpoints: what is written is read back, and what is damaged is refused.

import { cpu } from '@bp/backend-cpu'
import { type DType, tensor, use } from '@bp/core'
import { Generator, square, sum } from '@bp/ops'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Adam, decodeCheckpoint, decodeSafetensors, encodeCheckpoint, encodeSafetensors, Linear } from './index.ts'

use(cpu())

/** A file with any header, as a text or an object, and some data. */
function file(header: unknown, data = new Uint8Array(8)): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const out = new Uint8Array(8 + json.length + data.length)
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true)
  out.set(json, 8)
  out.set(data, 8 + json.length)
  return out
}

describe('safetensors', () => {
  test('every dtype comes back as it was, from any alignment', () => {
    const tensors = {
      a: tensor([1.5, -2]), b: tensor([[0.1]], { dtype: 'float64' }), c: tensor([1, -1], { dtype: 'int32' }),
      d: tensor([2n ** 60n]), e: tensor([true, false]), f: tensor([255], { dtype: 'uint8' }), empty: tensor([], { shape: [0, 3] }),
    }
    const bytes = encodeSafetensors(tensors, { note: 'x' })
    const shifted = new Uint8Array(bytes.length + 3)
    shifted.set(bytes, 3)
    const again = decodeSafetensors(shifted.subarray(3))
    expect(again.metadata).toEqual({ note: 'x' })
    for (const [name, value] of Object.entries(tensors)) expect(String(again.tensors.get(name))).toBe(String(value))
    expect(encodeSafetensors(again.tensors, again.metadata)).toEqual(bytes)
  })

  const entry = (shape: unknown, offsets: unknown, dtype = 'F32'): unknown => ({ w: { dtype, shape, data_offsets: offsets } })
  test.each<[string, Uint8Array]>([
    ['an empty file', new Uint8Array()],
    ['a header beyond the file', file({}).fill(255, 0, 8)],
    ['no JSON', file('{')],
    ['a list', file('[]')],
    ['an unknown dtype', file(entry([1], [0, 2], 'F8_E5M2'))],
    ['data beyond the file', file(entry([4], [0, 16]))],
    ['a hole', file(entry([1], [4, 8]))],
    ['bytes left over', file(entry([1], [0, 4]))],
    ['sizes that do not fit', file(entry([3], [0, 8]))],
    ['absurd sizes', file(entry([2 ** 40, 2 ** 40], [0, 8]))],
    ['a negative size', file(entry([-2], [0, 8]))],
    ['a fraction', file(entry([0.5, 4], [0, 8]))],
    ['offsets backwards', file(entry([2], [8, 0]))],
    ['no entry', file({ w: null })],
    ['metadata that is no text', file({ __metadata__: { a: 1 } }, new Uint8Array())],
    ['an overlap', file({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] }, b: { dtype: 'F32', shape: [1], data_offsets: [4, 8] } })],
  ])('refuses %s', (name, bytes) => {
    expect(() => decodeSafetensors(bytes)).toThrow(expect.objectContaining({ name: 'BpError', code: 'data' }) as Error)
    try {
      decodeSafetensors(bytes)
    } catch (error) {
      expect({ [name]: (error as Error).message }).toMatchSnapshot()
    }
  })

  test('a damaged byte anywhere gives a tensor or our error, never another', () => {
    const bytes = encodeSafetensors({ a: tensor([1, 2]), b: tensor([3n]) }, { k: 'v' })
    fc.assert(fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: bytes.length }), (at, value, length) => {
      for (const damaged of [bytes.with(at, value), bytes.slice(0, length)]) {
        try {
          decodeSafetensors(damaged)
        } catch (error) {
          expect((error as Error).name).toBe('BpError')
        }
      }
    }), { numRuns: 500, seed: 1 })
  })

  test('a name from an object’s prototype is only a name', () => {
    const odd = new Map([['__proto__', tensor([1])], ['constructor', tensor([2])]])
    expect(() => decodeSafetensors(encodeSafetensors(odd))).not.toThrow()
    expect(decodeSafetensors(file('{"__proto__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}')).tensors.has('__proto__')).toBe(true)
  })
})

describe('checkpoints', () => {
  const parts = (seed: number) => {
    const model = new Linear(3, 2, { generator: new Generator(seed) })
    return { model, optimiser: new Adam(model.parameters(), { lr: 0.1 }), generators: { noise: new Generator(seed + 1) } }
  }
  const step = ({ model, optimiser, generators }: ReturnType<typeof parts>): void => {
    optimiser.zeroGrad()
    sum(square(model.forward(generators.noise.normal([4, 3])))).backward()
    optimiser.step()
  }

  test('a run that is saved and resumed equals the unbroken one bit by bit', () => {
    const whole = parts(1)
    for (let i = 0; i < 3; i++) step(whole)
    const saved = encodeCheckpoint(whole, { epoch: 3 })
    for (let i = 0; i < 3; i++) step(whole)
    const resumed = parts(2)
    expect(decodeCheckpoint(saved, resumed)).toEqual({ epoch: 3 })
    for (let i = 0; i < 3; i++) step(resumed)
    expect(encodeCheckpoint(resumed)).toEqual(encodeCheckpoint(whole))
  })

  test('a file of another kind or model is refused', () => {
    expect(() => decodeCheckpoint(encodeSafetensors({}), parts(1))).toThrow(/holds tensors but no run/)
    const other = new Linear(4, 2)
    expect(() => decodeCheckpoint(encodeCheckpoint(parts(1)), { model: other, optimiser: new Adam(other.parameters()) })).toThrow(/different: weight/)
  })
})

test('dtypes are what the file says', () => {
  const kinds: DType[] = ['float64', 'float32', 'int64', 'int32', 'uint8', 'bool']
  for (const dtype of kinds) expect(decodeSafetensors(encodeSafetensors({ x: tensor([1, 0], { dtype }) })).tensors.get('x')!.dtype).toBe(dtype)
})
