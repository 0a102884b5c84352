// What gpu.js and adapters get wrong unless they are asked rightly, each pinned by a result.

/// <reference lib="dom" />

import { tensor, type Tensor, use } from '@bp/core'
import { add, concat, matmul, maximum, neg, relu, reshape, sum, tanh, transpose } from '@bp/ops'
import { beforeEach, describe, expect, it } from 'vitest'
import { Device } from './device/device.ts'
import { backend as gpu } from '../test/backend.ts'

const device = await Device.open({ maxBytes: 2 ** 28, host: null })

beforeEach(() => { use(gpu) })

const written = (numbers: ArrayLike<number>) => device.write(Float32Array.from(numbers), { dtype: 'float32' })

describe('gpu.js', () => {
  it('is told to compute in highp everywhere: its default tactic may choose lowp', () => {
    const { kernel: { program } } = device.pass('precision', () => ({ inputs: 1, outputs: 1, ints: 1, floats: 0, code: 'vec4 compute() { return same0(); }' }))
    const gl = device.scratch(1).context
    const sources = gl.getAttachedShaders(program)!.map(shader => gl.getShaderSource(shader)!)
    expect(sources.join('\n')).toMatch(/precision highp float/)
    expect(sources.join('\n')).not.toMatch(/\b(?:lowp|mediump)\b/)
    // 24 bits
    expect(add(tensor([1, 1, 1, 16777215]), tensor([2 ** -23, 2 ** -24, -(2 ** -24), 1])).dataSync()).toEqual(Float32Array.of(1 + 2 ** -23, 1, 1 - 2 ** -24, 16777216))
  })

  it('runs loops longer than 1000 turns', () => {
    const n = 5000
    const x = reshape(tensor(Float32Array.from({ length: n }, (_, i) => i % 3)), [1, n])
    expect(matmul(x, transpose(x)).dataSync()[0]).toBe([...new Array<number>(n).keys()].reduce((sum, i) => sum + (i % 3) ** 2, 0))
    expect(sum(x).dataSync()[0]).toBe([...new Array<number>(n).keys()].reduce((sum, i) => sum + i % 3, 0))
  })

  it('reads 15 textures in one pass, again and again', () => {
    const code = { inputs: 15, outputs: 1, ints: 1, floats: 0, code: `vec4 compute() { return ${Array.from({ length: 15 }, (_, i) => `same${i}()`).join(' + ')}; }` }
    for (const start of [1, 100, 1000]) {
      const out = device.empty({ shape: [5], dtype: 'float32' })
      device.compute('fifteen', () => code, [out], Array.from({ length: 15 }, (_, i) => written([start, i, start * i, -i, 1])))
      expect(device.readNow(out)).toEqual(Float32Array.of(15 * start, 105, 105 * start, -105, 15))
    }
  })

  it('joins 8 tensors, and more', () => {
    for (const n of [8, 8, 15, 40]) {
      const pieces = Array.from({ length: n }, (_, i) => tensor([[i, i + 0.5]]))
      expect([...concat(pieces, 0).dataSync()]).toEqual(Array.from({ length: 2 * n }, (_, i) => i / 2))
    }
  })

  it('takes textures of other shapes in the same pass', () => {
    for (const n of [3, 70000, 1, 1000, 4, 5]) {
      const x = Float32Array.from({ length: n }, (_, i) => i)
      expect(neg(neg(tensor(x))).dataSync()).toEqual(x)
    }
  })
})

describe('adapters', () => {
  it('have tanh of large numbers, which SwiftShader’s own takes for NaN', () => {
    expect([...tanh(tensor([89, 100, 1e30, Infinity, -100])).dataSync()]).toEqual([1, 1, 1, 1, -1])
  })

  it('keep NaN in maxima and relu, which GLSL leaves open', () => {
    const nan = tensor([NaN, 0])
    for (const y of [maximum(tensor([0, NaN]), nan), relu(tensor([NaN, NaN])), maximum(nan, tensor([1, NaN]))] as Tensor[]) expect([...y.dataSync()]).toEqual([NaN, NaN])
  })

  it('keep the bits of whole numbers in float textures, those of NaN and subnormal floats too', () => {
    const bits = Int32Array.from({ length: 4096 }, (_, i) => (i >> 4) << 23 | [0, 1, 2, 0x400000, 0x400001, 0x7fffff, 0x3fffff, 0x555555][i & 7]! | (i & 8) << 28)
    const x = reshape(tensor(bits), [64, 64])
    expect(add(x, 0).dataSync()).toEqual(bits)
    expect(transpose(transpose(x)).dataSync()).toEqual(bits)
    expect(concat([transpose(x), transpose(x)], 0).dataSync().slice(0, 4096)).toEqual(transpose(x).dataSync())
    expect(neg(neg(x)).dataSync()).toEqual(bits)
  })
})
