// Files that are damaged, contradict themselves, or were made to do harm: each is refused with a message, quickly.

import { BpError, tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import proto, { type onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { decodeTensorProto, importOnnx, UnsupportedError } from '../index.ts'
import { graphOf, initialiser, modelBytes, node, nodeWith, value, whole } from '../../test/model.ts'
import { field, varint } from '../../test/wire.ts'

use(cpu())

const x = value('x', [2])
const y = value('y', [2])
const relu = node('Relu', ['x'], ['y'])
const sound = modelBytes(graphOf([node('Add', ['x', 'w'], ['y'])], [x], [y], [initialiser('w', [2], [1, 2])]))

/** A graph in an attribute of a node in a graph, and so on: only the headers, from the innermost out. */
function nested(levels: number): Uint8Array {
  const headers: number[][] = []
  let length = 0
  for (const number of [...Array.from({ length: levels }, () => [6, 5, 1]).flat(), 7]) {
    const header = [number * 8 + 2, ...varint(length)]
    headers.push(header)
    length += header.length
  }
  return Uint8Array.from(headers.reverse().flat())
}

const stored = (location: string, extra: onnx.IStringStringEntryProto[] = []): Uint8Array => modelBytes(graphOf([node('Add', ['x', 'w'], ['y'])], [x], [y],
  [{ name: 'w', dims: [2], dataType: 1, dataLocation: proto.onnx.TensorProto.DataLocation.EXTERNAL, externalData: [{ key: 'location', value: location }, ...extra] }]))

const table: Record<string, [bytes: Uint8Array, message: string]> = {
  'an empty file': [new Uint8Array(), 'the file holds no graph (it is empty)'],
  'a model without a graph': [modelBytes(null), 'the file holds no graph'],
  'text': [new TextEncoder().encode('<html>not found</html>'), 'not valid protobuf'],
  'a truncated file': [sound.subarray(0, sound.length - 3), 'beyond the file'],
  'a number of more than ten bytes': [Uint8Array.from([8, ...new Array<number>(11).fill(255), 1]), 'more than ten bytes'],
  'a length beyond the file': [Uint8Array.from([58, 255, 255, 255, 127, 1, 2]), 'reaches 268435453 bytes beyond the file'],
  'a length beyond its message': [Uint8Array.from([...field(7, Uint8Array.from([10, 3, 1])), 40, 1, 40, 1]), 'reaches 2 bytes beyond the Graph that holds it'],
  'a message where a number should be': [Uint8Array.from([10, 1, 0]), 'field 1 of Model has wire type 2'],
  'a group': [Uint8Array.from([15 * 8 + 3, 15 * 8 + 4]), 'wire type 3, which ONNX does not use'],
  'nesting that would overflow the stack': [nested(20_000), 'nest deeper than 64 levels'],
  'nesting hidden behind a wrong wire type': [Uint8Array.from([7 * 8, 5, 0, 0, 0, 0, 0]), 'field 7 of Model has wire type 0'],
  'packed floats cut off': [field(7, field(5, Uint8Array.from([34, 3, 0, 0, 0]))), 'cut off'],
  'an initialiser larger than its data': [modelBytes(graphOf([relu], [x], [y], [initialiser('w', [1_000_000, 1_000_000], [1])])), 'needs 1000000000000 elements, but holds 1'],
  'an initialiser of more elements than there are': [modelBytes(graphOf([relu], [x], [y], [initialiser('w', new Array<number>(40).fill(1e9), [])])), 'impossible shape'],
  'an initialiser of a negative size': [modelBytes(graphOf([relu], [x], [y], [initialiser('w', [-2, -1], [1, 2])])), 'impossible shape'],
  'raw data of another size': [modelBytes(graphOf([relu], [x], [y], [{ name: 'w', dims: [2], dataType: 1, rawData: new Uint8Array(7) }])), 'needs 8 bytes, but holds 7'],
  'two initialisers of one name': [modelBytes(graphOf([relu], [x], [y], [initialiser('w', [1], [1]), initialiser('w', [1], [1])])), 'two initialisers have the name "w"'],
  'two makers of one value': [modelBytes(graphOf([relu, node('Exp', ['x'], ['y'])], [x], [y])), 'two values have the name "y"'],
  'a cycle': [modelBytes(graphOf([node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['y'])], [x], [y])), 'reads "b" before it is made'],
  'nodes out of order': [modelBytes(graphOf([node('Relu', ['a'], ['y']), node('Relu', ['x'], ['a'])], [x], [y])), 'Sort them topologically'],
  'a value that nothing makes': [modelBytes(graphOf([node('Relu', ['ghost'], ['y'])], [x], [y])), 'reads "ghost", which nothing makes'],
  'an output that nothing makes': [modelBytes(graphOf([relu], [x], [value('z', [2])])), 'output "z" is made by no node'],
  'a node without an operator': [modelBytes(graphOf([{ input: ['x'], output: ['y'] }], [x], [y])), 'names no operator'],
  'a domain that is not imported': [modelBytes(graphOf([{ ...relu, domain: 'acme' }], [x], [y])), 'the domain "acme"'],
  'data in the folder above': [stored('../secret'), 'outside the model\'s folder'],
  'data at an absolute path': [stored('/etc/passwd'), 'outside the model\'s folder'],
  'data on another drive': [stored('C:\\secret'), 'outside the model\'s folder'],
  'data in the folder above, by a detour': [stored('a/..\\../secret'), 'outside the model\'s folder'],
  'data beyond the end of its file': [stored('w.bin', [{ key: 'offset', value: '4' }, { key: 'length', value: '8' }]), 'which has 8'],
  'data at a negative place': [stored('w.bin', [{ key: 'offset', value: '-8' }]), 'which has 8'],
  'an attribute of another type': [modelBytes(graphOf([{ ...relu, opType: 'Constant', input: [], attribute: [{ name: 'value', type: proto.onnx.AttributeProto.AttributeType.INT, i: 3 }] }], [x], [y])), 'attribute value of node "y" (Constant) is of type INT, not TENSOR'],
}

describe('refused when loaded, with a data error', () => {
  test.each(Object.keys(table))('%s', name => {
    const [bytes, message] = table[name]!
    const start = performance.now()
    const error = (() => { try { importOnnx(bytes, { externalData: () => new Uint8Array(8) }) } catch (e) { return e } return null })() as BpError
    expect(error).toBeInstanceOf(BpError)
    expect(error).not.toBeInstanceOf(UnsupportedError)
    expect(error.message).toContain(message)
    expect([error.code, error.op]).toEqual(['data', 'importOnnx'])
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

describe('refused as unsupported', () => {
  test.each<[string, Uint8Array, string]>([
    ['an operator set of the future', modelBytes(graphOf([relu], [x], [y]), 99), 'operator set 99'],
    ['an element type', modelBytes(graphOf([relu], [{ name: 'x', type: { tensorType: { elemType: 14 } } }], [y])), 'element type complex64'],
    ['a map', modelBytes(graphOf([relu], [{ name: 'x', type: { mapType: { keyType: 7 } } }], [y])), 'no tensor, sequence of tensors, or optional'],
  ])('%s', (_name, bytes, message) => {
    expect(() => importOnnx(bytes)).toThrow(UnsupportedError)
    expect(() => importOnnx(bytes)).toThrow(message)
  })
})

test('every cut and every flipped byte of a sound file is refused or loads, and raises nothing but BpError', () => {
  const trial = (bytes: Uint8Array): void => {
    try {
      importOnnx(bytes)
    } catch (error) {
      expect(error).toBeInstanceOf(BpError)
    }
  }
  for (let i = 0; i < sound.length; i++) {
    trial(sound.subarray(0, i))
    for (const bit of [1, 8, 128]) trial(sound.with(i, sound[i]! ^ bit))
  }
})

test('data beside the model is read through the callback only', () => {
  const bytes = stored('weights/w.bin', [{ key: 'offset', value: '4' }])
  expect(() => importOnnx(bytes)).toThrow('Pass { externalData')
  const asked: string[] = []
  const model = importOnnx(bytes, { externalData: path => { asked.push(path); return new Uint8Array(Float32Array.of(9, 1, 2).buffer) } })
  expect(asked).toEqual(['weights/w.bin'])
  expect(String(model.stateDict().get('w'))).toBe('tensor([1, 2], float32)')
})

test('a tensor that is none', () => {
  expect(() => decodeTensorProto(Uint8Array.of(255))).toThrow('decodeTensorProto: the file is not valid protobuf')
  expect(() => decodeTensorProto('x' as never)).toThrow('needs the bytes of the file as a Uint8Array, got string')
})

const always = { name: 'yes', dims: [], dataType: 9, int32Data: [1] }
const looped = (most: string, body: onnx.INodeProto[], outputs: string[]): Uint8Array => modelBytes(graphOf(
  [nodeWith('Loop', [most, 'yes', 'x'], ['y', 'all'].slice(0, outputs.length), { body: graphOf([node('Identity', ['going'], ['again']), ...body], [{ name: 'i' }, { name: 'going' }, { name: 'before' }], ['again', ...outputs].map(name => ({ name }))) })],
  [x], [y], [whole('many', [2 ** 40], []), always]))

describe('bounded when it runs', () => {
  test('a loop that never ends', () => {
    const model = importOnnx(looped('', [node('Neg', ['before'], ['after'])], ['after']), { limits: { steps: 1000 } })
    expect(() => model.run({ x: tensor([1, 2]) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (Loop): Loop: the loops of the model have taken more than 1000 steps in this run, and may never end. If the file is to be trusted, pass a higher { limits: { steps } } when it is loaded]`)
  })

  test('a loop that collects without end', () => {
    const model = importOnnx(looped('many', [node('Neg', ['before'], ['after']), nodeWith('Constant', [], ['wide'], { value_ints: [4096, 2] }), node('Expand', ['after', 'wide'], ['kept'])], ['after', 'kept']), { limits: { collected: 1e6 } })
    expect(() => model.run({ x: tensor([1, 2]) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (Loop): Loop: the loops of the model have collected more than 1000000 bytes in this run. If the file is to be trusted, pass a higher { limits: { collected } } when it is loaded]`)
  })

  test('a window of a hundred million', () => {
    const model = importOnnx(modelBytes(graphOf([node('HannWindow', ['n'], ['w']), node('ReduceSum', ['w'], ['s']), node('Add', ['x', 's'], ['y'])], [x], [y], [whole('n', [1e8], [])])))
    expect(() => model.run({ x: tensor([1, 2]) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "w" (HannWindow): HannWindow: operators would lay out more than 16777216 numbers one by one in this run. If the file is to be trusted, pass a higher { limits: { entries } } when it is loaded]`)
  })
})

const huge = whole('n', [1, 1, 1e9, 3])
const image = initialiser('i', [1, 1, 2, 2], [1, 2, 3, 4])
const tokens = (settings: Parameters<typeof nodeWith>[3]): onnx.INodeProto => nodeWith('TfIdfVectorizer', ['t'], ['y'], { mode: 'TF', min_gram_length: 1, max_gram_length: 2, max_skip_count: 0, ngram_counts: [0, 2], ngram_indexes: [0, 1, 2], pool_int64s: [1, 2, 1, 2], ...settings })

test.each<[string, onnx.INodeProto[], onnx.ITensorProto[]]>([
  ['Resize', [node('Resize', ['i', '', '', 'n'], ['y'])], [image, huge]],
  ['cubic Resize', [nodeWith('Resize', ['i', '', '', 'n'], ['y'], { mode: 'cubic' })], [image, huge]],
  ['a window', [node('BlackmanWindow', ['n'], ['y'])], [whole('n', [2 ** 31 - 1], [])]],
  ['Split', [nodeWith('Split', ['i'], ['y'], { num_outputs: 1e8, axis: 3 })], [image]],
  ['SplitToSequence', [node('Expand', ['i', 'n'], ['a']), nodeWith('SplitToSequence', ['a'], ['s'], { axis: 2 }), node('SequenceLength', ['s'], ['y'])], [image, huge]],
  ['Col2Im', [node('Col2Im', ['i', 'n', 'k'], ['y'])], [image, whole('n', [1e9, 3]), whole('k', [1, 1])]],
  ['AffineGrid', [node('AffineGrid', ['i', 'n'], ['y'])], [initialiser('i', [1, 2, 3], [1, 2, 3, 4, 5, 6]), huge]],
  ['MelWeightMatrix', [node('MelWeightMatrix', ['n', 'n', 'n', 'l', 'l'], ['y'])], [whole('n', [1e9], []), initialiser('l', [], [1])]],
  ['n-grams of many tokens', [tokens({ max_gram_length: 2 ** 40, ngram_counts: [0, 2] })], [whole('t', [1, 2, 3])]],
  ['n-grams with many skipped', [tokens({ max_skip_count: 2 ** 40 })], [whole('t', [1, 2, 3])]],
  ['n-grams beyond the pool', [tokens({ ngram_counts: [0, 2 ** 40] })], [whole('t', [1, 2, 3])]],
  ['places of n-grams', [tokens({ ngram_indexes: [0, 1, 2 ** 31] })], [whole('t', [1, 2, 3])]],
])('%s of great sizes is told, unknown or refused when it is loaded, and laid out nowhere', (_name, nodes, initialisers) => {
  try {
    importOnnx(modelBytes(graphOf(nodes, [], [{ name: 'y', type: { tensorType: { elemType: 1 } } }], initialisers), 20))
  } catch (error) {
    expect(error).toBeInstanceOf(BpError)
  }
})
