// Choosing, shifting and drawing: Compress, Unique, CenterCropPad, bits, random numbers, n-grams, and reductions of nothing.

import { cpu } from '@bp/backend-cpu'
import { compile, type DType, grad, type Tensor, tensor, use, zeros } from '@bp/core'
import { manualSeed } from '@bp/nn'
import { Generator, mean, std, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import type { onnx } from 'onnx-proto'
import { graphOf, modelBytes, nodeWith, value } from '../../test/model.ts'
import { agrees, type Single, single, singleBytes, typed } from '../../test/oracle.ts'
import { importOnnx } from '../index.ts'
import { loadGraph } from '../import/load.ts'
import { Carried, StringTensor, toTensor, type Value } from '../import/value.ts'
import { bitwise } from './bitwise.ts'
import type { Context, Operators } from './operator.ts'
import { reduce } from './reduce.ts'
import { ngrams } from './ngrams.ts'

use(cpu())

const random = (shape: readonly number[], seed = 1): Tensor => new Generator(seed).normal(shape)
const whole = (values: readonly number[], shape: readonly number[] = [values.length], dtype: DType = 'int64'): Tensor => tensor([...values], { shape, dtype })

/** What an operator of a table makes of values that no input of a model can be in this form. */
function direct(table: Operators, node: onnx.INodeProto, values: readonly Value[]): Value {
  const [loaded] = loadGraph(modelBytes(graphOf([node], (node.input ?? []).map(name => value(name, [1])), [value('y', [1])]), 28)).nodes
  const context: Context = { training: null, update: () => undefined, run: () => [], recompute: name => expect.fail(name) }
  return [table[loaded!.operator]!(values, loaded!.attributes, loaded!, context)].flat()[0]!
}

describe('choosing', () => {
  const x = random([3, 4])

  test('Compress equals onnxruntime, and takes gradients back', async () => {
    const condition = tensor([true, false, true])
    await agrees({ operator: 'Compress', opset: 11, settings: { axis: 0 } }, [x, condition])
    await agrees({ operator: 'Compress', opset: 11, settings: { axis: -1 } }, [x, condition])
    await agrees({ operator: 'Compress', opset: 11 }, [x, condition])
    const model = importOnnx(singleBytes({ operator: 'Compress', opset: 11, settings: { axis: 0 } }, [x, condition]))
    expect((grad((v: Tensor) => sum(model.forward(v, condition) as Tensor))(x)).toArray()).toEqual([[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]])
    expect(() => single({ operator: 'Compress', opset: 11, settings: { axis: 0 } }, x, tensor([false, false, false, true]))).toThrow('chooses entry 3 of an axis of 3')
  })

  test.each([0, 1])('Unique equals onnxruntime, sorted = %i', async sorted => {
    const outputs = (dtype: DType): DType[] => [dtype, 'int64', 'int64', 'int64']
    await agrees({ operator: 'Unique', opset: 11, settings: { sorted }, outputs: outputs('int64') }, [whole([3, 1, 3, 2, 1, 9], [2, 3])])
    const rows = tensor([[2, 1], [0, 5], [2, 1], [0, 4]])
    await agrees({ operator: 'Unique', opset: 11, settings: { sorted, axis: 0 }, outputs: outputs('float32') }, [rows])
    await agrees({ operator: 'Unique', opset: 11, settings: { sorted, axis: -1 }, outputs: outputs('float32') }, [rows])
  })

  test('Unique tells whole numbers beyond 2⁵³ apart, and knows one NaN', () => {
    const unique = (v: Tensor): unknown => single({ operator: 'Unique', opset: 11, outputs: [v.dtype] }, v)[0]!.toArray()
    expect(unique(tensor(BigInt64Array.of(2n ** 60n + 1n, 2n ** 60n, 2n ** 60n + 1n)))).toEqual([2n ** 60n, 2n ** 60n + 1n])
    expect(unique(tensor([NaN, 1, NaN, 0]))).toEqual([0, 1, NaN])
  })

  test('CenterCropPad cuts and fills at the end first', () => {
    const cropped = (n: number): unknown => single({ operator: 'CenterCropPad', opset: 18, settings: { axes: [-1] } }, tensor([1, 2, 3, 4]), whole([n]))[0]!.toArray()
    expect([1, 3, 4, 7].map(cropped)).toEqual([[2], [1, 2, 3], [1, 2, 3, 4], [0, 1, 2, 3, 4, 0, 0]])
  })
})

describe('bits', () => {
  test.each(['BitwiseAnd', 'BitwiseOr', 'BitwiseXor'])('%s equals onnxruntime', async operator => {
    await agrees({ operator, opset: 18, outputs: ['uint8'] }, [whole([1, 200, 7, 255], [2, 2], 'uint8'), whole([3, 129], [2], 'uint8')])
    await agrees({ operator, opset: 18, outputs: ['int32'] }, [whole([-1, 200, -7, 2 ** 30], [2, 2], 'int32'), whole([3, -129], [2], 'int32')])
    await agrees({ operator, opset: 18, outputs: ['int64'] }, [whole([-1, 2 ** 50], [2]), whole([3, -(2 ** 40)], [2])])
  })

  test('BitwiseNot equals onnxruntime', async () => {
    for (const dtype of ['uint8', 'int32', 'int64'] as const) await agrees({ operator: 'BitwiseNot', opset: 18, outputs: [dtype] }, [whole([0, 1, 200], [3], dtype)])
  })

  test('are shifted by any number of places, signs kept to the right', () => {
    const shifted = (direction: string, x: Tensor, by: readonly number[]): unknown => single({ operator: 'BitShift', opset: 28, settings: { direction }, outputs: [x.dtype] }, x, whole(by, [by.length], x.dtype))[0]!.toArray()
    expect(shifted('LEFT', whole([3, 200, 1], [3], 'uint8'), [1, 1, 8])).toEqual([6, 144, 0])
    expect(shifted('RIGHT', whole([3, 200, 255], [3], 'uint8'), [1, 3, 8])).toEqual([1, 25, 0])
    expect(shifted('RIGHT', whole([-8, -8, 4, -1], [4], 'int32'), [1, -1, -32, 64])).toEqual([-4, -1, 0, -1])
    expect(shifted('LEFT', whole([-8, 4], [2], 'int32'), [1, -32])).toEqual([-16, 0])
    expect(shifted('RIGHT', whole([-8, -8, 2 ** 50]), [1, 64, 49])).toEqual([-4n, -1n, 2n])
    expect(shifted('LEFT', whole([1, 1]), [62, 64])).toEqual([2n ** 62n, 0n])
  })

  test('of unsigned numbers of 64 bits are filled with zeros', () => {
    const carried = (n: bigint): Carried => new Carried('uint64', tensor(BigInt64Array.of(n)))
    expect(toTensor(direct(bitwise, nodeWith('BitShift', ['x', 'by'], ['y'], { direction: 'RIGHT' }), [carried(-1n), carried(60n)])).toArray()).toEqual([15n])
  })

  test('compile', () => {
    const x = whole([1, 2, 3], [3], 'int32')
    const model = importOnnx(singleBytes({ operator: 'BitwiseXor', opset: 18, outputs: ['int32'] }, [x, x]))
    expect(String(compile((a: Tensor) => model.forward(a, x) as Tensor)(whole([3, 3, 3], [3], 'int32')))).toBe('tensor([2, 1, 0], int32)')
  })
})

describe('random numbers', () => {
  const shape = [200, 50]
  const drawn = (operator: string, settings: Single['settings'] = {}, ...operands: Tensor[]): Tensor => single({ operator, opset: 15, settings: { ...settings, ...operands.length === 0 && { shape } } }, ...operands)[0]!

  test('are distributed as they should be, in the dtype asked for', () => {
    manualSeed(1)
    const u = drawn('RandomUniform', { low: { float: 2 }, high: { float: 6 } })
    expect(mean(u).item()).toBeCloseTo(4, 1)
    expect(std(u).item()).toBeCloseTo(4 / Math.sqrt(12), 1)
    const z = drawn('RandomNormalLike', { mean: { float: -1 }, scale: { float: 0.5 }, dtype: 1 }, zeros(shape))
    expect([mean(z).item(), std(z).item()].map(v => Math.round(v * 20) / 20)).toEqual([-1, 0.5])
    const b = drawn('Bernoulli', {}, tensor(new Float32Array(10_000).fill(0.3)))
    expect(mean(b).item()).toBeCloseTo(0.3, 1)
    expect(single({ operator: 'RandomNormal', opset: 15, settings: { shape: [2], dtype: 11 }, outputs: ['float64'] })[0]!.dtype).toBe('float64')
  })

  test('Multinomial draws classes by their unnormalised log-probabilities', () => {
    manualSeed(2)
    const [y] = single({ operator: 'Multinomial', opset: 7, settings: { sample_size: 4000 }, outputs: ['int32'] }, tensor([[Math.log(1), Math.log(2), Math.log(5)], [0, -1e9, -1e9]]))
    const rows = y!.toArray() as number[][]
    expect([0, 1, 2].map(c => Math.round(rows[0]!.filter(v => v === c).length / 400))).toEqual([1, 3, 6])
    expect(new Set(rows[1])).toEqual(new Set([0]))
  })

  test('follow manualSeed, or the seed of the file from when it is loaded on', () => {
    const bytes = (settings: Single['settings']): Uint8Array => singleBytes({ operator: 'RandomUniform', opset: 15, settings: { shape: [3], ...settings } }, [])
    const twice = (settings: Single['settings']): string[] => {
      const model = importOnnx(bytes(settings))
      return [model.forward(), model.forward()].map(String)
    }
    const [first, second] = twice({ seed: { float: 7 } })
    expect(twice({ seed: { float: 7 } })).toEqual([first, second])
    expect(second).not.toBe(first)
    expect(twice({ seed: { float: 7.5 } })).not.toContain(first)
    manualSeed(3)
    const free = twice({})
    manualSeed(3)
    expect(twice({})).toEqual(free)
  })

  test('draw on in compiled functions', () => {
    const model = importOnnx(singleBytes({ operator: 'RandomUniformLike', opset: 15, settings: { seed: { float: 1 } } }, [zeros([3])]))
    const f = compile((x: Tensor) => model.forward(x) as Tensor)
    expect(String(f(zeros([3])))).not.toBe(String(f(zeros([3]))))
  })

  test('of a Dropout with a seed are its own too', () => {
    const node = { operator: 'Dropout', opset: 12, settings: { seed: 4 } }
    const operands = [tensor(new Float32Array(64).fill(1)), tensor(0.5), tensor(true)]
    const y = String(single(node, ...operands)[0])
    expect(String(single(node, ...operands)[0])).toBe(y)
  })
})

describe('TfIdfVectorizer', () => {
  const settings = (mode: string, skips: number): Single['settings'] => ({
    mode, min_gram_length: 1, max_gram_length: 2, max_skip_count: skips, ngram_counts: [0, 4], ngram_indexes: [0, 1, 2, 3, 4, 5, 6], pool_int64s: [2, 3, 5, 4, 5, 6, 7, 8, 6, 7],
    weights: { floats: [1, 2, 3, 4, 5, 6, 7] },
  })

  test.each(['TF', 'IDF', 'TFIDF'])('%s of numbers equals onnxruntime', async mode => {
    const tokens = whole([1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8, 5, 6], [2, 7])
    for (const skips of [0, 2]) await agrees({ operator: 'TfIdfVectorizer', opset: 9, settings: settings(mode, skips) }, [tokens])
  })

  test('counts strings', () => {
    const node = nodeWith('TfIdfVectorizer', ['x'], ['y'], { mode: 'TF', min_gram_length: 1, max_gram_length: 2, max_skip_count: 0, ngram_counts: [0, 1], ngram_indexes: [0, 1] })
    const y = direct(ngrams, { ...node, attribute: [...node.attribute!, typed('pool_strings', { strings: ['a', 'a', 'b'] })] }, [new StringTensor([4], ['a', 'b', 'a', 'b'])])
    expect(toTensor(y).toArray()).toEqual([2, 2])
  })
})

describe('reductions', () => {
  test.each([['uint8', 0, 255], ['int32', -(2 ** 31), 2 ** 31 - 1], ['int64', -(2n ** 63n), 2n ** 63n - 1n], ['float32', -Infinity, Infinity], ['bool', false, true]] as const)('the extremes of nothing are the ends of %s', (dtype, least, most) => {
    const of = (operator: string): unknown => single({ operator, opset: 20, settings: { keepdims: 0 }, outputs: [dtype] }, zeros([2, 0], dtype), whole([1]))[0]!.toArray()
    expect([of('ReduceMax'), of('ReduceMin')]).toEqual([[least, least], [most, most]])
  })

  test('of types that are carried in wider ones too', () => {
    const of = (type: 'int8' | 'uint64', operator: string): unknown => toTensor(direct(reduce, nodeWith(operator, ['x'], ['y'], { keepdims: 0 }), [new Carried(type, zeros([0], type === 'int8' ? 'int32' : 'int64'))])).item()
    expect([of('int8', 'ReduceMax'), of('int8', 'ReduceMin'), of('uint64', 'ReduceMax')]).toEqual([-128, 127, 0])
  })

  test.each(['int32', 'int64'] as const)('the length of vectors of %s equals onnxruntime\'s', async dtype => {
    await agrees({ operator: 'ReduceL2', opset: 13, settings: { axes: [1] }, outputs: [dtype] }, [whole([3, 4, 1, 1], [2, 2], dtype)])
  })
})

test.each([0, 1])('LpPool and ConvTranspose reach over the end as onnxruntime has it: ceil_mode %i', async ceilMode => {
  await agrees({ operator: 'LpPool', opset: 18, settings: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 0, 0], ceil_mode: ceilMode, p: 3 } }, [random([1, 2, 6, 5])])
  await agrees({ operator: 'GlobalLpPool', opset: 6, settings: { p: 3 } }, [random([1, 2, 6, 5])])
  await agrees({ operator: 'ConvTranspose', opset: 11, settings: { kernel_shape: [2, 1], strides: [2, 3], output_shape: [8, 12] } }, [random([1, 2, 4, 4]), random([2, 3, 2, 1], 2)])
})
