// Small models of every kind of structure that a file can have, from which hostile ones are made.

import proto, { type onnx } from 'onnx-proto'
import { attribute, constantNode, graphOf, initialiser, node, nodeWith, value, whole } from './model.ts'
import { encoded, functionOf, reference } from './wire.ts'

const opsetImport = [{ domain: '', version: 17 }, { domain: 'acme', version: 1 }]
const model = (graph: onnx.IGraphProto, rest: onnx.IModelProto = {}): Uint8Array => encoded({ irVersion: 8, opsetImport, graph, ...rest })
const counting = (n: number, scale = 0.1): number[] => Array.from({ length: n }, (_, i) => Math.sin(i + 1) * scale)
const typed = (name: string, elemType: number, shape: number[]): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType, shape: { dim: shape.map(dimValue => ({ dimValue })) } } } })
const acme = (opType: string, input: string[], output: string[], given: readonly onnx.IAttributeProto[] = []): onnx.INodeProto => ({ ...node(opType, input, output), domain: 'acme', attribute: [...given] })

/** Convolution, batch normalisation, pooling, a linear layer; the batch is open. */
const cnn = model(graphOf([
  nodeWith('Conv', ['x', 'k', 'c'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1] }), nodeWith('BatchNormalization', ['a', 's', 'b', 'm', 'v'], ['n'], { epsilon: 0.001 }),
  node('Relu', ['n'], ['r']), nodeWith('MaxPool', ['r'], ['p'], { kernel_shape: [2, 2], strides: [2, 2] }), node('Shape', ['p'], ['shape']), node('Slice', ['shape', 'zero', 'one'], ['batch']),
  nodeWith('Concat', ['batch', 'rest'], ['to'], { axis: 0 }), node('Reshape', ['p', 'to'], ['f']), nodeWith('Gemm', ['f', 'w', 'd'], ['z'], { transB: 1, alpha: 0.5 }), nodeWith('Softmax', ['z'], ['y'], { axis: -1 }),
], [value('x', ['n', 1, 4, 4])], [value('y', ['n', 3])], [
  initialiser('k', [2, 1, 3, 3], counting(18)), initialiser('c', [2], [0, 1]), ...['s', 'v'].map(name => initialiser(name, [2], [1, 2])), ...['b', 'm'].map(name => initialiser(name, [2], [0, 1])),
  whole('zero', [0]), whole('one', [1]), whole('rest', [-1]), initialiser('w', [3, 8], counting(24)), initialiser('d', [3], [0, 0, 1]),
]), { metadataProps: [{ key: 'author', value: 'test' }], producerName: 'pytorch', producerVersion: '2.4' })

const lstm = model(graphOf([nodeWith('LSTM', ['x', 'w', 'r', 'b', '', 'h'], ['ys', 'last'], { hidden_size: 2, direction: 'forward' }), nodeWith('Squeeze', ['ys', 'axes'], ['s'], {}), nodeWith('ReduceMean', ['s'], ['y'], { axes: [0], keepdims: 0 })],
  [value('x', [3, 1, 2])], [value('y', [1, 2]), value('last', [1, 1, 2])], [initialiser('w', [1, 8, 2], counting(16)), initialiser('r', [1, 8, 2], counting(16)), initialiser('b', [1, 16], counting(16)), initialiser('h', [1, 1, 2], [0, 1]), whole('axes', [1])]))

/** A loop that stops by what it computes, inside a branch. */
const control = model(graphOf([
  nodeWith('ReduceSum', ['x'], ['total'], { keepdims: 0 }), node('Greater', ['total', 'nothing'], ['positive']),
  nodeWith('If', ['positive'], ['y'], {
    then_branch: graphOf([nodeWith('Loop', ['count', 'yes', 'x'], ['a', 'all'], {
      body: graphOf([node('Add', ['before', 'before'], ['after']), nodeWith('ReduceSum', ['after'], ['sum'], { keepdims: 0 }), node('Less', ['sum', 'most'], ['again']), node('Identity', ['after'], ['kept'])],
        [typed('i', 7, []), typed('going', 9, []), value('before', [2])], [typed('again', 9, []), value('after', [2]), value('kept', [2])]),
    })], [], [value('a', [2])], [whole('count', [4], []), { name: 'yes', dims: [], dataType: 9, int32Data: [1] }]),
    else_branch: graphOf([node('Mul', ['x', 'three'], ['b'])], [], [value('b', [2])], [initialiser('three', [], [3])]),
  }),
], [value('x', [2])], [value('y', [2])], [initialiser('nothing', [], [0]), initialiser('most', [], [20])]))

const functions = model(graphOf([acme('Twice', ['x'], ['a'], [attribute('alpha', 1.5)]), acme('Scaled', ['a'], ['b'], [attribute('alpha', 0.5)]), node('Mul', ['b', 'w'], ['y'])], [value('x', [2])], [value('y', [2])], [initialiser('w', [2], [1, 2])]), {
  functions: [
    functionOf('Scaled', ['X'], ['Y'], [{ ...node('Constant', [], ['a']), attribute: [reference('value_float', 'alpha')] }, node('Mul', ['X', 'a'], ['Y'])], ['alpha']),
    functionOf('Twice', ['X'], ['Y'], [acme('Scaled', ['X'], ['a'], [reference('alpha', 'alpha')]), acme('Scaled', ['a'], ['Y'], [reference('alpha', 'alpha')])], ['alpha']),
  ],
})

/** What decides sizes: of everything that is made from a few numbers. */
const sizes = model(graphOf([
  nodeWith('ConstantOfShape', ['two'], ['ones'], {}), node('Range', ['from', 'until', 'step'], ['line']), nodeWith('Cast', ['line'], ['floats'], { to: 1 }), node('Expand', ['floats', 'wide'], ['many']), node('Tile', ['many', 'times'], ['tiled']),
  nodeWith('Pad', ['tiled', 'pads'], ['padded'], { mode: 'constant' }), nodeWith('ReduceMax', ['padded'], ['most'], { keepdims: 0 }), node('Add', ['x', 'most'], ['b']), nodeWith('Resize', ['image', '', 'scales'], ['larger'], { mode: 'nearest' }),
  nodeWith('OneHot', ['line', 'depth', 'values'], ['hot'], { axis: -1 }), nodeWith('ReduceSum', ['hot'], ['hots'], { keepdims: 0 }), node('Add', ['b', 'hots'], ['c']), nodeWith('ReduceSum', ['larger'], ['pixels'], { keepdims: 0 }),
  node('Add', ['c', 'pixels'], ['d']), node('Add', ['d', 'ones'], ['y']),
], [value('x', [2])], [value('y', [2])], [
  whole('two', [2]), whole('from', [0], []), whole('until', [3], []), whole('step', [1], []), whole('wide', [2, 3]), whole('times', [2, 1]), whole('pads', [0, 1, 0, 1]), initialiser('image', [1, 1, 2, 2], [1, 2, 3, 4]),
  initialiser('scales', [4], [1, 1, 2, 2]), whole('depth', [4], []), initialiser('values', [2], [0, 1]),
]))

const { DataLocation } = proto.onnx.TensorProto
const stored = model({
  ...graphOf([node('Add', ['x', 'sparse'], ['a']), node('Add', ['a', 'beside'], ['b']), { ...node('Constant', [], ['c']), attribute: [{ name: 'sparse_value', sparseTensor: { values: initialiser('', [1], [2]), indices: whole('', [2]), dims: [2, 2] } }] }, node('Add', ['b', 'c'], ['d']), node('Add', ['d', 'rows'], ['y'])], [value('x', [2, 2])], [value('y', [2, 2])],
    [{ name: 'beside', dims: [2, 2], dataType: 1, dataLocation: DataLocation.EXTERNAL, externalData: [{ key: 'location', value: 'w.bin' }, { key: 'offset', value: '4' }, { key: 'length', value: '16' }] }]),
  sparseInitializer: [
    { values: initialiser('sparse', [2], [1, 2]), indices: whole('', [0, 3]), dims: [2, 2] }, { values: initialiser('rows', [1], [3]), indices: whole('', [1, 1], [1, 2]), dims: [2, 2] },
  ],
})

/** Texts, and numbers of few bits. */
const narrow = model(graphOf([
  node('QuantizeLinear', ['x', 'scale', 'zero'], ['q']), node('DequantizeLinear', ['q', 'scale', 'zero'], ['d']), { ...node('Constant', [], ['names']), attribute: [{ name: 'value', t: { dims: [2], dataType: 8, stringData: [Uint8Array.of(97), Uint8Array.of(98, 195, 164)] } }] },
  node('Equal', ['names', 'names'], ['same']), nodeWith('Cast', ['same'], ['ones'], { to: 1 }), node('Add', ['d', 'ones'], ['a']), nodeWith('Cast', ['half'], ['wide'], { to: 1 }), node('Add', ['a', 'wide'], ['y']),
], [value('x', [2])], [value('y', [2])], [initialiser('scale', [], [0.1]), { name: 'zero', dims: [], dataType: 3, int32Data: [-3] }, { name: 'half', dims: [2], dataType: 16, rawData: Uint8Array.of(128, 63, 0, 64) }]))

const sequences = model(graphOf([
  nodeWith('SplitToSequence', ['x', 'parts'], ['s'], { axis: 0 }), node('SequenceAt', ['s', 'last'], ['second']), node('SequenceErase', ['s'], ['first']), node('SequenceInsert', ['first', 'second', 'zero'], ['turned']),
  nodeWith('ConcatFromSequence', ['turned'], ['z'], { axis: 0 }), nodeWith('Einsum', ['z', 'w'], ['e'], { equation: 'i,ij->j' }), constantNode('c', [2], [1, 2]), node('Add', ['e', 'c'], ['y']),
], [value('x', [4])], [value('y', [2])], [whole('parts', [3, 1]), whole('last', [-1], []), whole('zero', [0], []), initialiser('w', [4, 2], counting(8))]))

/** What is laid out number by number: windows, n-grams, weights of a resized axis, parts, samples of regions. */
const laidOut = model(graphOf([
  node('HannWindow', ['three'], ['window']), nodeWith('ReduceSum', ['window'], ['sum'], { keepdims: 0 }),
  nodeWith('TfIdfVectorizer', ['tokens'], ['grams'], { mode: 'TF', min_gram_length: 1, max_gram_length: 2, max_skip_count: 1, ngram_counts: [0, 2], ngram_indexes: [0, 1, 2], pool_int64s: [1, 2, 1, 2] }), nodeWith('ReduceMax', ['grams'], ['most'], { keepdims: 0 }),
  nodeWith('Resize', ['image', '', '', 'larger'], ['resized'], { mode: 'cubic' }), nodeWith('Split', ['resized'], ['left', 'right'], { axis: 3, num_outputs: 2 }), node('Sub', ['left', 'right'], ['apart']),
  nodeWith('RoiAlign', ['apart', 'regions', 'which'], ['aligned'], { sampling_ratio: 2, output_height: 1, output_width: 1, mode: 'max' }), nodeWith('LRN', ['aligned'], ['normal'], { size: 3 }), node('ReduceSum', ['normal'], ['total']),
  node('Add', ['x', 'sum'], ['a']), node('Add', ['a', 'most'], ['b']), node('Add', ['b', 'total'], ['y']),
], [value('x', [2])], [value('y', [1, 1, 1, 2])], [
  whole('three', [3], []), whole('tokens', [1, 2, 2, 1]), initialiser('image', [1, 1, 2, 2], [1, 2, 3, 4]), whole('larger', [1, 1, 3, 4]), initialiser('regions', [1, 4], [0, 0, 2, 1]), whole('which', [0]),
]), { opsetImport: [{ domain: '', version: 18 }] })

/** Models by name. */
export const seeds: Readonly<Record<string, Uint8Array>> = { cnn, lstm, control, functions, sizes, stored, narrow, sequences, laidOut }
