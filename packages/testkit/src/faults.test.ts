// Backends that are wrong on purpose, each in a way that a backend's author gets wrong: conformance must name the op.

import type { Backend, TypedArray } from '@bp/core'
import { type Aval, convert, type Operand, sizeOf } from '@bp/core/extend'
import { describe, expect, test } from 'vitest'
import { conformance, type ConformanceOptions, reference } from './index.ts'

type Wrong = (xs: readonly Operand<TypedArray>[], p: never, out: Aval) => TypedArray

const right = reference()
const kernelOf = (name: string): Wrong => right.kernels[name] as Wrong

/** The reference backend with one kernel replaced. */
const withKernel = (name: string, kernel: Wrong): Backend => ({ ...right, name: `wrong ${name}`, kernels: { ...right.kernels, [name]: kernel } })

const numbers = (x: Operand<TypedArray>): number[] => Array.from(x.storage as ArrayLike<number | bigint>, Number)
/** A unary or binary kernel of operands that have the result's shape, else the right one. */
const map = (name: string, f: (...xs: number[]) => number): Wrong => (xs, p, out) =>
  xs.every(x => x.dtype !== 'int64' && x.storage.length === sizeOf(out.shape)) ? convert(numbers(xs[0]!).map((_, i) => f(...xs.map(x => Number(x.storage[i])))), out.dtype) : kernelOf(name)(xs, p, out)

const asFloats = (x: Operand<TypedArray>): Operand<TypedArray> => x.dtype === 'int32' ? { ...x, storage: Int32Array.from(Float32Array.from(x.storage as Int32Array)) } : x

async function failures(backend: Backend, filter: string, options: ConformanceOptions<'test'> = {}): Promise<string[]> {
  const { failed } = await conformance(backend, { ...options, filter }).run()
  for (const { message } of failed) expect(message).not.toBe('')
  return failed.map(({ name }) => name)
}

/** What is wrong, the kernel it is in, and a case that must fail by it. */
const faults: readonly (readonly [what: string, kernel: string, wrong: Wrong, name: string])[] = [
  ['the last of several largest', 'argMax', ([x], p: { readonly axis: number }, out) => {
    const { axis } = p
    const flipped = kernelOf('flip')([x!], { axes: [axis] } as never, x!.aval)
    return convert(numbers({ ...x!, storage: kernelOf('argMax')([{ ...x!, storage: flipped }], p as never, out) }).map(i => x!.shape[axis]! - 1 - i), 'int32')
  }, 'argMax every shape float32'],
  ['NaN is dropped by maximum', 'maximum', map('maximum', (a, b) => a > b ? a : b), 'maximum special values float32'],
  ['NaN is dropped by amax', 'amax', ([x], p, out) => kernelOf('amax')([{ ...x!, storage: x!.dtype === 'float32' ? (x!.storage as Float32Array).map(v => Number.isNaN(v) ? -Infinity : v) : x!.storage }], p, out), 'amax every shape float32'],
  ['halves are rounded away from zero', 'round', map('round', x => Math.sign(x) * Math.round(Math.abs(x))), 'round special values float32'],
  ['floor towards zero', 'floor', map('floor', x => Math.trunc(x)), 'floor special values float32'],
  ['relu turns NaN into 0', 'relu', map('relu', x => x > 0 ? x : 0), 'relu special values float32'],
  ['expm1 by exp − 1', 'expm1', map('expm1', x => Math.fround(Math.fround(Math.exp(x)) - 1)), 'expm1 special values float32'],
  ['pow by exp and log', 'pow', map('pow', (a, b) => Math.exp(b * Math.log(a))), 'pow special values float32'],
  ['sigmoid overflows', 'sigmoid', map('sigmoid', x => Math.exp(x) / (1 + Math.exp(x))), 'sigmoid special values float32'],
  ['padding is one place off', 'pad', ([x], p: { readonly low: readonly number[]; readonly high: readonly number[] }, out) =>
    p.low.length === 1 && p.low[0]! > 0 && p.high[0]! > 0 ? kernelOf('pad')([x!], { ...p, low: [p.low[0]! - 1], high: [p.high[0]! + 1] } as never, out) : kernelOf('pad')([x!], p as never, out), 'pad every shape float32'],
  ['int32 is moved as float32', 'transpose', ([x], p, out) => kernelOf('transpose')([asFloats(x!)], p, out), 'transpose every shape int32'],
  ['int32 products go through doubles', 'mul', map('mul', (a, b) => a * b), 'mul whole numbers int32'],
  ['int32 is divided towards −∞', 'div', (xs, p, out) => out.dtype === 'int32' ? map('div', (a, b) => Math.floor(a / b))(xs, p, out) : kernelOf('div')(xs, p, out), 'div whole numbers int32'],
  ['odd sizes are summed without their end', 'sumTo', ([x], p, out) => kernelOf('sumTo')([{ ...x!, storage: x!.storage.length % 4 === 1 && x!.dtype === 'float32' && x!.storage.length > 4 ? (x!.storage as Float32Array).map((v, i) => i === x!.storage.length - 1 ? 0 : v) : x!.storage }], p, out), 'sumTo every shape float32'],
  ['lanes beyond the inner axis leak', 'dot', (xs, p, out) => {
    const y = kernelOf('dot')(xs, p, out)
    return out.dtype === 'float32' && xs[0]!.shape.at(-1)! % 4 === 3 ? (y as Float32Array).map(v => v + 1) : y
  }, 'dot every size float32'],
  ['padding wins in a window of negative numbers', 'poolArgMax', ([x], p: { readonly padding: readonly (readonly number[])[] }, out) => {
    const y = kernelOf('poolArgMax')([x!], p as never, out) as Int32Array
    return p.padding.flat().some(n => n > 0) ? y.map(i => Number(x!.storage[i]) < 0 ? 0 : i) : y
  }, 'poolArgMax every geometry float32'],
  ['equal elements change places', 'argSort', ([x], p, out) => kernelOf('argSort')([x!], p, out).length === 17 ? kernelOf('argSort')([{ ...x!, storage: convert(numbers(x!).map((v, i) => v - i * 1e-3), 'float32') }], p, out) : kernelOf('argSort')([x!], p, out), 'argSort every shape float32'],
  ['negative places are not counted from the end', 'scatterAdd', ([x, index], p, out) => kernelOf('scatterAdd')([x!, { ...index!, storage: (index!.storage as Int32Array).map(i => Math.abs(i) % 3) }], p, out), 'scatterAdd every shape float32'],
  ['long axes are cut at 16384', 'flip', ([x], p, out) => sizeOf(out.shape) > 16384 ? kernelOf('flip')([{ ...x!, storage: convert(numbers(x!).map((v, i) => i < 16384 ? v : 0), x!.dtype) }], p, out) : kernelOf('flip')([x!], p, out), 'large flip float32'],
  ['another generator', 'randomBits', (_xs, _p, out) => new Int32Array(sizeOf(out.shape)).map((_, i) => i * 12345 & 0xffffff), 'randomBits are the generator’s, bit for bit int32'],
  ['float becomes int32 by rounding', 'cast', (xs, p, out) => out.dtype === 'int32' && xs[0]!.dtype === 'float32' ? (xs[0]!.storage as Float32Array).reduce((o, v, i) => o.fill(Math.round(v), i, i + 1), new Int32Array(xs[0]!.storage.length)) : kernelOf('cast')(xs, p, out), 'cast to int32 float32'],
  ['the first operand is broadcast wrongly', 'sub', (xs, p, out) => xs[0]!.shape.length === 2 && xs[0]!.shape[0] === 1 && xs[0]!.shape[1]! > 1 ? kernelOf('sub')([{ ...xs[0]!, storage: xs[0]!.storage.toReversed() }, xs[1]!], p, out) : kernelOf('sub')(xs, p, out), 'sub every broadcast float32'],
]

describe('a fault is found:', () => {
  test.each(faults)('%s', async (_what, kernel, wrong, name) => {
    expect(await failures(withKernel(kernel, wrong), name)).toContain(name)
    expect(await failures(right, name)).toEqual([])
  })

  test('write keeps the array given', async () => {
    expect(await failures({ ...right, name: 'keeps', write: data => data }, 'copy')).toContain('write, read and readSync copy float32')
  })

  test('read gives the storage itself', async () => {
    expect(await failures({ ...right, name: 'gives', read: storage => Promise.resolve(storage as TypedArray) }, 'copy')).toContain('write, read and readSync copy float32')
  })

  test('a kernel writes into its operand', async () => {
    const inPlace = withKernel('neg', ([x], p, out) => {
      const y = kernelOf('neg')([x!], p, out)
      x!.storage.set(y as never)
      return x!.storage
    })
    expect(await failures(inPlace, 'unchanged')).toEqual(['operands are unchanged by ops float32'])
  })

  test('a snapshot is stale: the variable’s storage is written where it lies', async () => {
    // add writes its result where a resident variable's last value lies
    const resident = new Map<number, TypedArray>()
    const overwriting = withKernel('add', (xs, p, out) => {
      const y = kernelOf('add')(xs, p, out)
      if (xs.length !== 2 || out.shape.length !== 1 || out.shape[0] !== 5) return y
      const home = resident.get(5)
      if (home?.constructor === y.constructor) {
        home.set(y as never)
        return home
      }
      resident.set(5, y)
      return y
    })
    expect(await failures(overwriting, 'compiled step updates')).not.toEqual([])
  })
})

test('an element type that the backend has not is unsupported, not failed', async () => {
  const single: Backend = { ...right, name: 'single', kernels: { ...right.kernels } }
  const report = await conformance(single, { dtypes: ['float32', 'int32', 'bool'], filter: 'transpose every' }).run()
  expect(report).toEqual({ backend: 'single', mode: 'test', passed: 3, failed: [], unsupported: ['float64', 'float16', 'int64', 'uint8'].map(dtype => `transpose every shape ${dtype}`) })
})

test('what the hardware has not is let pass where it is said', async () => {
  const flushing = withKernel('add', map('add', (a, b) => Math.abs(a + b) < 2 ** -126 ? 0 : a + b))
  expect(await failures(flushing, 'add special values float32')).toHaveLength(1)
  expect(await failures(flushing, 'add special values float32', { lacks: ['subnormal', 'negativeZero'] })).toEqual([])
})

test('tolerances are taken by element type', async () => {
  const rough = withKernel('tanh', map('tanh', x => Math.tanh(x) * (1 + 1e-5)))
  expect(await failures(rough, 'tanh')).not.toEqual([])
  expect(await failures(rough, 'tanh values float32', { tolerances: { float32: { value: 3e-5, fused: 3e-4 } } })).toEqual([])
})
