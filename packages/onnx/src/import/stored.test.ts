// Tensors that are stored sparsely or beside the model, what a file says of itself, and the versions that it needs.

import { use, tensor, type Tensor } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { sum } from '@bp/ops'
import proto, { type onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, node, value, whole } from '../../test/model.ts'
import { encoded, field, join } from '../../test/wire.ts'
import { importOnnx, UnsupportedError } from '../index.ts'

use(cpu())

const sparse = (values: readonly number[], indices: onnx.ITensorProto, dims: number[]): onnx.ISparseTensorProto => ({ values: initialiser('w', [values.length], [...values]), indices, dims })
const adding = (...sparseInitializer: onnx.ISparseTensorProto[]): Uint8Array => modelBytes({ ...graphOf([node('Add', ['x', 'w'], ['y'])], [value('x', [2, 3])], [value('y', [2, 3])]), sparseInitializer })

describe('sparse tensors', () => {
  const x = tensor([[0, 0, 0], [0, 0, 0]])
  test.each<[string, onnx.ITensorProto]>([['counted through the tensor', whole('', [1, 5])], ['by axes', whole('', [0, 1, 1, 2], [2, 2])]])('become dense parameters, their places %s', (_name, indices) => {
    const model = importOnnx(adding(sparse([7, -2], indices, [2, 3])))
    expect((model.forward(x) as Tensor).toArray()).toEqual([[0, 7, 0], [0, 0, -2]])
    sum(model.forward(x) as Tensor).backward()
    expect(model.namedParameters().map(([name, { grad }]) => [name, grad!.toArray()])).toEqual([['w', [[1, 1, 1], [1, 1, 1]]]])
  })

  test('stand in Constant nodes', () => {
    const constant = { ...node('Constant', [], ['w']), attribute: [{ name: 'sparse_value', type: proto.onnx.AttributeProto.AttributeType.SPARSE_TENSOR, sparseTensor: sparse([5], whole('', [3]), [2, 3]) }] }
    const model = importOnnx(modelBytes(graphOf([constant, node('Add', ['x', 'w'], ['y'])], [value('x', [2, 3])], [value('y', [2, 3])])))
    expect((model.forward(x) as Tensor).toArray()).toEqual([[0, 0, 0], [5, 0, 0]])
  })

  test.each<[string, onnx.ISparseTensorProto, string]>([
    ['a place outside', sparse([1], whole('', [6]), [2, 3]), 'the initialiser "w" has a value at 6 of an axis of 6'],
    ['a place outside of its row', sparse([1], whole('', [0, 3], [1, 2]), [2, 3]), 'has a value at 3 of an axis of 3'],
    ['a place twice', sparse([1, 2], whole('', [4, 4]), [2, 3]), 'are not in ascending order'],
    ['fewer places than values', sparse([1, 2], whole('', [4]), [2, 3]), 'is sparse with float32[2] values at int64[1] places; n values need int64[n] or int64[n,2]'],
    ['places that are floats', sparse([1], initialiser('', [1], [0]), [2, 3]), 'at float32[1] places'],
    ['no places', { values: initialiser('w', [1], [1]), dims: [2, 3] }, 'is sparse, but has no indices'],
    ['a negative size', sparse([], whole('', []), [-2, -3]), 'impossible shape [-2,-3]'],
    ['more elements than memory', sparse([], whole('', []), [1e6, 1e6]), 'the sparse tensors of the model come to more than 134217728 bytes once they are dense'],
  ])('with %s are refused', (_name, t, message) => {
    expect(() => importOnnx(adding(t))).toThrow(message)
  })

  test('come to no more together than they may', () => {
    const two = [sparse([1], whole('', [0]), [2, 3]), { ...sparse([1], whole('', [0]), [2, 3]), values: initialiser('v', [1], [1]) }]
    expect(() => importOnnx(adding(...two), { limits: { sparseBytes: 47 } })).toThrow('more than 47 bytes')
    expect(importOnnx(adding(...two), { limits: { sparseBytes: 48 } }).parameters().length).toBe(2)
  })
})

describe('data beside the model', () => {
  const part = (name: string, offset: number): onnx.ITensorProto =>
    ({ name, dims: [2], dataType: 1, dataLocation: proto.onnx.TensorProto.DataLocation.EXTERNAL, externalData: [{ key: 'location', value: 'w.bin' }, { key: 'offset', value: String(offset) }, { key: 'length', value: '8' }, { key: 'checksum', value: '?' }] })
  const of = (...parts: onnx.ITensorProto[]): Uint8Array => modelBytes(graphOf([node('Relu', ['x'], ['y'])], [value('x', [2])], [value('y', [2])], parts))

  test('is asked for once a file, and read also by Constant nodes', () => {
    const asked: string[] = []
    const constant = { ...node('Constant', [], ['c']), attribute: [{ name: 'value', type: proto.onnx.AttributeProto.AttributeType.TENSOR, t: part('', 0) }] }
    const bytes = modelBytes(graphOf([constant, node('Add', ['x', 'c'], ['y'])], [value('x', [2])], [value('y', [2])], [part('a', 0), part('b', 8)]))
    const model = importOnnx(bytes, { externalData: path => { asked.push(path); return new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) } })
    expect(asked).toEqual(['w.bin'])
    expect(model.namedParameters().map(([name, x]) => [name, x.toArray()])).toEqual([['a', [1, 2]], ['b', [3, 4]], ['c', [1, 2]]])
  })

  test('is not read without end, and must be bytes', () => {
    const many = Array.from({ length: 5 }, (_, i) => part(`w${i}`, 0))
    expect(() => importOnnx(of(...many), { externalData: () => new Uint8Array(8) })).toThrowErrorMatchingInlineSnapshot(`[BpError: importOnnx: the model reads all of "w.bin" more than 4 times. The file is damaged or was made to do harm]`)
    expect(() => importOnnx(of(part('w', 0)), { externalData: (() => Promise.resolve(new Uint8Array(8))) as never })).toThrowErrorMatchingInlineSnapshot(`[BpError: importOnnx: externalData must return the bytes of "w.bin" as a Uint8Array, got a Promise; read the files before]`)
  })
})

describe('what a file says of itself', () => {
  const graph = graphOf([node('Relu', ['x'], ['y'])], [value('x', [2])], [value('y', [2])])

  test('is metadata of the module', () => {
    const { metadata, producer } = importOnnx(encoded({
      irVersion: 9, producerName: 'maker', producerVersion: '1.2', domain: 'org.acme', modelVersion: 3, docString: 'A rectifier.', graph: { ...graph, docString: 'One node.' },
      opsetImport: [{ domain: 'ai.onnx', version: 21 }, { domain: 'acme', version: 2 }], metadataProps: [{ key: 'licence', value: 'MIT' }],
    }))
    expect(producer).toEqual({ name: 'maker', version: '1.2' })
    expect(metadata).toEqual({
      irVersion: 9, opsets: { '': 21, acme: 2 }, name: 'g', domain: 'org.acme', modelVersion: 3, doc: 'A rectifier.', graphDoc: 'One node.', metadata: { licence: 'MIT' },
    })
  })

  test('a file of IR version 3 lists initialisers among its inputs; they are parameters all the same', () => {
    const model = importOnnx(encoded({ irVersion: 3, opsetImport: [{ version: 8 }], graph: graphOf([node('Add', ['x', 'w'], ['y'])], [value('x', [2]), value('w', [2])], [value('y', [2])], [initialiser('w', [2], [1, 2])]) }))
    expect(model.inputs.map(({ name }) => name)).toEqual(['x'])
    expect(model.namedParameters().map(([name]) => name)).toEqual(['w'])
  })

  test('newer formats and operator sets are unsupported; ONNX\'s own domain is needed where its operators are used', () => {
    const of = (model: onnx.IModelProto): () => unknown => () => importOnnx(encoded({ irVersion: 8, graph, ...model }))
    expect(of({ irVersion: 15, opsetImport: [{ version: 17 }] })).toThrow(UnsupportedError)
    expect(of({ irVersion: 15, opsetImport: [{ version: 17 }] })).toThrowErrorMatchingInlineSnapshot(`[UnsupportedError: importOnnx: the file is of IR version 15; versions up to 14 are supported. Save the model with an older version of onnx, or update @bp/onnx]`)
    expect(of({ opsetImport: [{ domain: 'acme', version: 1 }] })).toThrowErrorMatchingInlineSnapshot(`[BpError: importOnnx: node "y" (Relu) is of the default domain, of which the model imports no version. The file is damaged]`)
    const acme = { graph: graphOf([{ ...node('Swirl', ['x'], ['y']), domain: 'acme' }], [value('x', [2])], [value('y', [2])]), opsetImport: [{ domain: 'acme', version: 1 }] }
    expect(of(acme)).toThrowErrorMatchingInlineSnapshot(`[UnsupportedOperatorError: importOnnx: unsupported operators: acme:Swirl (node "y", opset 1). Export the model without them, or pass implementations in importOnnx(bytes, { operators: { "acme:Swirl": … } })]`)
    expect((importOnnx(encoded(acme), { operators: { 'acme:Swirl': ([x]) => x! } }).forward(tensor([1, 2])) as Tensor).toArray()).toEqual([1, 2])
  })

  test('fields of the newest format that say nothing of results are skipped', () => {
    const bytes = join(encoded({ irVersion: 13, opsetImport: [{ version: 17 }], graph }), field(26, join(field(1, 'two devices'), Uint8Array.of(16, 2))))
    expect((importOnnx(bytes).forward(tensor([-1, 2])) as Tensor).toArray()).toEqual([0, 2])
  })

  test('more messages than are allowed are refused before they are decoded', () => {
    expect(() => importOnnx(encoded({ irVersion: 8, opsetImport: [{ version: 17 }], graph }), { limits: { messages: 5 } })).toThrow('the file holds more than 5 messages')
  })
})
