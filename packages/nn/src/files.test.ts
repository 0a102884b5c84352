// Safetensors and checkpoints: what is written is read back, and what is damaged is refused.

import { cpu } from '@bp/backend-cpu'
import { type DType, Tensor, tensor, use } from '@bp/core'
import { Generator, square, sum } from '@bp/ops'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Adam, crc32c, decodeCheckpoint, decodeSafetensors, encodeCheckpoint, encodeSafetensors, Linear, readCheckpointProgress, type Stateful } from './index.ts'

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
    return { model, optimiser: new Adam(model.parameters(), { lr: 0.1 }), noise: new Generator(seed + 1) }
  }
  const step = ({ model, optimiser, noise }: ReturnType<typeof parts>): void => {
    optimiser.zeroGrad()
    sum(square(model.forward(noise.normal([4, 3])))).backward()
    optimiser.step()
  }
  /** A part that holds any state. */
  const holder = (state: unknown): Stateful & { state: unknown } => ({ state, stateDict() { return this.state }, loadStateDict(next) { this.state = next } })

  test('a run that is saved and resumed equals the unbroken one bit by bit', () => {
    const whole = parts(1)
    for (let i = 0; i < 3; i++) step(whole)
    const saved = encodeCheckpoint(whole, { epoch: 3 })
    for (let i = 0; i < 3; i++) step(whole)
    const resumed = parts(2)
    expect(decodeCheckpoint(saved, resumed)).toEqual({ epoch: 3 })
    expect(readCheckpointProgress(saved)).toEqual({ epoch: 3 })
    for (let i = 0; i < 3; i++) step(resumed)
    expect(encodeCheckpoint(resumed)).toEqual(encodeCheckpoint(whole))
  })

  test('states of tensors, numbers, lists, records and maps at any depth come back as they were', () => {
    const state = {
      half: tensor([1.5, 65504], { dtype: 'float16' }), long: tensor([2n ** 62n]), flags: tensor([true, false]), scalar: tensor(3),
      numbers: [Infinity, -Infinity, NaN, -0, 0.1], nothing: null, left: undefined, tensor: ['tensor', 'a'], ['__proto__']: 1,
      'a.b': tensor([1]), a: { b: tensor([2]) },
      map: new Map<string, unknown>([['0.x', tensor([3])], ['empty', new Map()]]),
    }
    const before = holder(state), after = holder(null)
    const saved = encodeCheckpoint({ part: before }, { best: -Infinity })
    expect(decodeCheckpoint(saved, { part: after })).toEqual({ best: -Infinity })
    const { left: _, ...kept } = state
    expect(show(after.state)).toEqual(show(kept))
    expect((after.state as typeof state).numbers.map(n => Object.is(n, -0))).toEqual([false, false, false, true, false])
    expect(encodeCheckpoint({ part: after }, { best: -Infinity })).toEqual(saved)
    expect([...decodeSafetensors(saved).tensors.keys()].sort()).toEqual(['part.a.b', 'part.a.b#2', 'part.flags', 'part.half', 'part.long', 'part.map.0.x', 'part.scalar'])
  })

  /** Tensors as text, so that states can be compared. */
  const show = (state: unknown): unknown => {
    if (state instanceof Tensor) return String(state)
    if (Array.isArray(state)) return state.map(show)
    if (state instanceof Map) return new Map([...state].map(([key, child]) => [key, show(child)]))
    return typeof state === 'object' && state !== null ? Object.fromEntries(Object.entries(state).map(([key, child]) => [key, show(child)])) : state
  }

  test('a part that refuses its state leaves all parts as they were', () => {
    const run = parts(1)
    step(run)
    const saved = encodeCheckpoint({ ...run, last: holder(1) })
    const other = parts(2)
    step(other)
    const before = encodeCheckpoint(other)
    const last: Stateful = { stateDict: () => 0, loadStateDict() { if (other.noise.state().seed === 2) throw new Error('I am full') } }
    expect(() => decodeCheckpoint(saved, { ...other, last })).toThrowErrorMatchingInlineSnapshot(`[BpError: checkpoint: the part last refuses its state, and nothing was changed: I am full]`)
    expect(encodeCheckpoint(other)).toEqual(before)
  })

  test.each<[string, () => unknown]>([
    ['no checkpoint', () => decodeCheckpoint(encodeSafetensors({}), parts(1))],
    ['another model', () => decodeCheckpoint(encodeCheckpoint({ model: new Linear(4, 2) }), { model: new Linear(3, 2) })],
    ['other parts', () => decodeCheckpoint(encodeCheckpoint(parts(1)), { model: new Linear(3, 2), scaler: holder(1) })],
    ['another version', () => decodeCheckpoint(encodeSafetensors({}, { checkpoint: '{"version":1}' }), parts(1))],
    ['a description that is no JSON', () => decodeCheckpoint(encodeSafetensors({}, { checkpoint: '{' }), parts(1))],
    ['another writer', () => decodeCheckpoint(encodeSafetensors({}, { checkpoint: '{"version":2}' }), parts(1))],
    ['a function', () => encodeCheckpoint({ part: holder({ list: [() => 1] }) })],
    ['a class instance', () => encodeCheckpoint({ part: holder({ date: new Date(0) }) })],
  ])('%s is refused', (name, act) => {
    try {
      act()
      expect.unreachable()
    } catch (error) {
      expect((error as Error).name).toBe('BpError')
      expect({ [name]: (error as Error).message }).toMatchSnapshot()
    }
  })

  test('without strictness, the parts that both have are loaded', () => {
    const { model } = parts(2)
    const run = parts(1)
    decodeCheckpoint(encodeCheckpoint(run), { model, scaler: holder(1) }, { strict: false })
    expect(String(model.weight)).toBe(String(run.model.weight))
  })

  test('a change of any byte is noticed', () => {
    const run = parts(1)
    step(run)
    const saved = encodeCheckpoint(run, { epoch: 1 })
    const before = encodeCheckpoint(parts(2))
    fc.assert(fc.property(fc.integer({ min: 0, max: saved.length - 1 }), fc.integer({ min: 1, max: 255 }), fc.integer({ min: 0, max: saved.length - 1 }), (at, change, length) => {
      for (const damaged of [saved.with(at, saved[at]! ^ change), saved.slice(0, length)]) {
        const other = parts(2)
        expect(() => decodeCheckpoint(damaged, other)).toThrow(expect.objectContaining({ name: 'BpError', code: 'data' }) as Error)
        expect(encodeCheckpoint(other)).toEqual(before)
      }
    }), { numRuns: 200, seed: 1 })
  })
})

test('the checksum is that of RFC 3720, B.4, whole and in parts', () => {
  const all = (value: number): Uint8Array => new Uint8Array(32).fill(value)
  const up = Uint8Array.from({ length: 32 }, (_, i) => i)
  expect([all(0), all(255), up, up.toReversed()].map(bytes => crc32c(bytes))).toEqual([0x8a9136aa, 0x62a8ab43, 0x46dd794e, 0x113fdb5c])
  expect(crc32c(up.subarray(5), crc32c(up.subarray(0, 5)))).toBe(0x46dd794e)
  expect(crc32c(new Uint8Array())).toBe(0)
})

test('dtypes are what the file says', () => {
  const kinds: DType[] = ['float64', 'float32', 'int64', 'int32', 'uint8', 'bool']
  for (const dtype of kinds) expect(decodeSafetensors(encodeSafetensors({ x: tensor([1, 0], { dtype }) })).tensors.get('x')!.dtype).toBe(dtype)
})
