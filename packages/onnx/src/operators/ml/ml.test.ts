// Classical models and encoders against onnxruntime, their derivatives, and what strings become.

import { cpu } from '@bp/backend-cpu'
import { compile, type DType, grad, type Tensor, tensor, use } from '@bp/core'
import { convert } from '@bp/core/extend'
import { Generator, narrow, sum } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, modelBytes, nodeWith, value } from '../../../test/model.ts'
import { agrees, type Single, single, singleBytes, type Typed, typed } from '../../../test/oracle.ts'
import { importOnnx } from '../../index.ts'
import { loadGraph } from '../../import/load.ts'
import { Known, StringTensor, type Value } from '../../import/value.ts'
import { coupled, minimum } from './coupling.ts'
import { classical } from './index.ts'

use(cpu())

const random = (shape: readonly number[], seed = 1): Tensor => new Generator(seed).normal(shape)
const floats = (count: number, seed: number, f: (v: number) => number = v => v): { readonly floats: number[] } => ({ floats: Array.from(random([count], seed).dataSync() as Float32Array, f) })
const whole = (values: readonly number[], shape: readonly number[] = [values.length], dtype: DType = 'int64'): Tensor => tensor([...values], { shape, dtype })

const model = (name: string, settings: Readonly<Record<string, Typed>>, outputs: readonly DType[] = ['float32'], opset = 1): Single => ({ operator: `ai.onnx.ml:${name}`, opset, settings, outputs })
const labelled: readonly DType[] = ['int64', 'float32']
const transforms = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO']
const x = random([6, 3])

describe('linear models equal onnxruntime', () => {
  test.each(transforms)('%s', async post_transform => {
    await agrees(model('LinearRegressor', { coefficients: floats(6, 2), intercepts: floats(2, 3), targets: 2, post_transform }), [x])
    for (const classes of [2, 3]) await agrees(model('LinearClassifier', { coefficients: floats(3 * classes, 4), intercepts: floats(classes, 5), classlabels_ints: [7, 5, 6].slice(0, classes), post_transform }, labelled), [x])
  })

  test('of one row for two classes', async () => {
    await agrees(model('LinearClassifier', { coefficients: floats(3, 4), intercepts: floats(1, 5), classlabels_ints: [3, 9], post_transform: 'LOGISTIC' }, labelled), [x])
  })

  test('and are differentiable', () => {
    const imported = importOnnx(singleBytes(model('LinearRegressor', { coefficients: { floats: [1, 2, 3] } }), [tensor([[4, 5, 6]])]))
    expect(String(grad((v: Tensor) => sum(imported.forward(v) as Tensor))(tensor([[4, 5, 6]])))).toBe('tensor([[1, 2, 3]], float32)')
  })

  test('PROBIT is the inverse of the normal distribution', () => {
    const [y] = single(model('LinearRegressor', { coefficients: { floats: [1] }, post_transform: 'PROBIT' }), tensor([[0.5], [0.975]]))
    const [half, high] = y!.dataSync() as Float32Array
    expect(half).toBeCloseTo(0, 6)
    expect(high).toBeCloseTo(1.96, 2)
  })
})

describe('support vector machines equal onnxruntime', () => {
  const kernels = { kernel_params: { floats: [0.5, 0.3, 2] } }

  test.each(['LINEAR', 'POLY', 'RBF', 'SIGMOID'])('%s', async kernel_type => {
    for (const one_class of [0, 1]) await agrees(model('SVMRegressor', { ...kernels, kernel_type, one_class, coefficients: floats(4, 2), support_vectors: floats(12, 3), n_supports: 4, rho: floats(1, 4) }), [x])
    for (const sizes of [[2, 3], [1, 2, 2], [2, 1, 1, 3]]) {
      const [classes, total] = [sizes.length, sizes.reduce((a, b) => a + b)]
      const pairs = classes * (classes - 1) / 2
      const machine = { ...kernels, kernel_type, coefficients: floats((classes - 1) * total, 5), support_vectors: floats(3 * total, 6), vectors_per_class: sizes, rho: floats(pairs, 7), classlabels_ints: sizes.map((_, i) => 10 - i) }
      for (const post_transform of ['NONE', 'LOGISTIC']) await agrees(model('SVMClassifier', { ...machine, post_transform }, labelled), [x])
      await agrees(model('SVMClassifier', { ...machine, prob_a: floats(pairs, 8, v => -Math.abs(v)), prob_b: floats(pairs, 9) }, labelled), [x], 1e-4)
    }
  })
})

test('probabilities of classes have the derivative of the minimum that they are near', () => {
  const r = [0.7, 0.2, 0.4]
  const first = (f: typeof minimum) => (v: Tensor): Tensor => sum(narrow(f(v, 3), 1, 0, 1))
  const at = (values: readonly number[]): number => first(minimum)(tensor([[...values]], { dtype: 'float64' })).item()
  const x64 = tensor([r], { dtype: 'float64' })
  expect(first(coupled)(x64).item()).toBeCloseTo(at(r), 2)
  const got = grad(first(coupled))(x64).dataSync() as Float64Array
  r.forEach((value, i) => { expect(got[i]).toBeCloseTo((at(r.with(i, value + 1e-6)) - at(r.with(i, value - 1e-6))) / 2e-6, 6) })
  expect(String(compile(grad(first(coupled)))(x64))).toBe(String(grad(first(coupled))(x64)))
})

/** A forest of full trees of depth 2. */
function forest(trees: number, modes: readonly string[], seed: number): Readonly<Record<string, Typed>> {
  const each = <T>(f: (tree: number, node: number) => T): T[] => Array.from({ length: trees * 7 }, (_, i) => f(Math.floor(i / 7), i % 7))
  const splits = floats(trees * 7, seed).floats
  return {
    nodes_treeids: each(tree => tree), nodes_nodeids: each((_, node) => node), nodes_featureids: each((tree, node) => (tree + node) % 3),
    nodes_modes: { strings: each((tree, node) => node > 2 ? 'LEAF' : modes[(tree + node) % modes.length]!) }, nodes_values: { floats: each((tree, node) => Math.round(splits[tree * 7 + node]! * 2) / 2) },
    nodes_truenodeids: each((_, node) => node > 2 ? 0 : 2 * node + 1), nodes_falsenodeids: each((_, node) => node > 2 ? 0 : 2 * node + 2),
    nodes_missing_value_tracks_true: each((tree, node) => node > 2 ? 0 : (tree + node) % 2),
  }
}

const leaves = (trees: number): { readonly trees: number[]; readonly nodes: number[] } => ({ trees: Array.from({ length: trees * 4 }, (_, i) => Math.floor(i / 4)), nodes: Array.from({ length: trees * 4 }, (_, i) => 3 + i % 4) })

describe('trees equal onnxruntime', () => {
  const at = leaves(3)
  const holes = tensor([[NaN, 1, 0], [0.5, NaN, NaN], [0.5, 0.5, -1], [-0.5, 0, 2], [1, -1, 0.5]])

  test.each([['BRANCH_LEQ'], ['BRANCH_GT'], ['BRANCH_LT', 'BRANCH_GTE', 'BRANCH_EQ', 'BRANCH_NEQ']])('%s', async (...modes) => {
    const trees = forest(3, modes, 11)
    for (const aggregate_function of ['SUM', 'AVERAGE', 'MIN', 'MAX']) {
      const targets = { target_treeids: at.trees, target_nodeids: at.nodes, target_ids: at.nodes.map(node => node % 2), target_weights: floats(12, 12), n_targets: 2, aggregate_function }
      await agrees(model('TreeEnsembleRegressor', { ...trees, ...targets }, ['float32'], 3), [holes])
    }
    for (const classes of [2, 3]) {
      const labels = { class_treeids: at.trees, class_nodeids: at.nodes, classlabels_int64s: [5, 3, 4].slice(0, classes) }
      if (classes === 3) await agrees(model('TreeEnsembleClassifier', { ...trees, ...labels, class_ids: at.nodes.map((node, i) => (node + i) % 3), class_weights: floats(12, 13, Math.abs), base_values: floats(3, 14, Math.abs), post_transform: 'SOFTMAX' }, labelled, 3), [holes])
      else for (const post_transform of ['NONE', 'LOGISTIC']) {
        await agrees(model('TreeEnsembleClassifier', { ...trees, ...labels, class_ids: at.nodes.map(() => 0), class_weights: floats(12, 15), post_transform }, labelled, 3), [holes])
        await agrees(model('TreeEnsembleClassifier', { ...trees, ...labels, class_ids: at.nodes.map(() => 0), class_weights: floats(12, 16, v => Math.abs(v) / 4), post_transform }, labelled, 3), [holes])
      }
    }
  })

  test('and compile', () => {
    const targets = { target_treeids: at.trees, target_nodeids: at.nodes, target_ids: at.nodes.map(() => 0), target_weights: floats(12, 12), n_targets: 1 }
    const imported = importOnnx(singleBytes(model('TreeEnsembleRegressor', { ...forest(3, ['BRANCH_LEQ'], 11), ...targets }, ['float32'], 3), [x]))
    expect(String(compile((v: Tensor) => imported.forward(v) as Tensor)(x))).toBe(String(imported.forward(x)))
  })

  test('a tree without end is refused', () => {
    const trees = { ...forest(1, ['BRANCH_LEQ'], 1), nodes_truenodeids: [1, 0, 0, 0, 0, 0, 0] }
    const targets = { target_treeids: [0], target_nodeids: [3], target_ids: [0], target_weights: { floats: [1] }, n_targets: 1 }
    expect(() => single(model('TreeEnsembleRegressor', { ...trees, ...targets }, ['float32'], 3), x)).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y0" (ai.onnx.ml:TreeEnsembleRegressor): ai.onnx.ml:TreeEnsembleRegressor: tree 0 has no root: a branch leads back to it. The file is damaged]`)
  })
})

describe('the preparation of features equals onnxruntime', () => {
  test.each(['float32', 'float64', 'int64', 'int32'] as const)('of %s', async dtype => {
    const features = whole([3, -1, 2, 0, 0, 0, 1, 2, -5], [3, 3], dtype)
    await agrees(model('Scaler', { offset: floats(3, 2), scale: floats(3, 3) }), [features])
    for (const norm of ['MAX', 'L1', 'L2']) await agrees(model('Normalizer', { norm }), [features])
    expect(single(model('Binarizer', { threshold: { float: 0.5 } }, [dtype]), features)[0]!.dataSync(), dtype).toEqual(convert([1, 0, 1, 0, 0, 0, 1, 1, 0], dtype))
    await agrees(model('ArrayFeatureExtractor', {}, [dtype]), [features, whole([2, 0], [1, 2])])
  })

  test('missing values, categories and columns', async () => {
    await agrees(model('Imputer', { imputed_value_floats: { floats: [7, 8, 9] }, replaced_value_float: { float: NaN } }), [tensor([[1, NaN, 3], [NaN, NaN, 0]])])
    await agrees(model('Imputer', { imputed_value_int64s: [7], replaced_value_int64: 1 }, ['int64']), [whole([1, 2, 1, 3], [2, 2])])
    await agrees(model('OneHotEncoder', { cats_int64s: [1, 2, 4] }), [whole([4, 0, 1])])
    await agrees(model('FeatureVectorizer', { inputdimensions: [3, 2] }), [x, random([6, 2], 2)])
    await agrees(model('LabelEncoder', { keys_int64s: [1, 2], values_floats: { floats: [0.5, 0.25] } }, ['float32'], 2), [whole([2, 9, 1])])
    await agrees(model('LabelEncoder', { keys_floats: { floats: [1, NaN] }, values_int64s: [5, 6], default_int64: -7 }, ['int64'], 4), [tensor([NaN, 1, 3])])
  })

  test('an element of no category is refused where the file says so', () => {
    expect(() => single(model('OneHotEncoder', { cats_int64s: [1, 2], zeros: 0 }), whole([1, 7]))).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y0" (ai.onnx.ml:OneHotEncoder): ai.onnx.ml:OneHotEncoder: element 1 is none of the 2 categories of f32[2,2], and the file does not allow that (zeros = 0)]`)
  })
})

describe('strings', () => {
  /** What an operator makes of values that are strings. */
  function direct(name: string, settings: Parameters<typeof nodeWith>[3], lists: readonly onnx.IAttributeProto[], ...values: readonly Value[]): Value {
    const node = nodeWith(name, ['x'], ['y'], settings)
    const [loaded] = loadGraph(modelBytes(graphOf([{ ...node, attribute: [...node.attribute!, ...lists] }], [value('x', [1])], [value('y', [1])]), 12)).nodes
    return [classical[`ai.onnx.ml:${name}`]!(values, loaded!.attributes, loaded!, { training: null, update: () => undefined, run: () => [], recompute: name => expect.fail(name) })].flat()[0]!
  }
  const abc = new StringTensor([3], ['b', 'z', 'a'])

  test('are looked up', () => {
    expect(direct('LabelEncoder', { values_int64s: [10, 20], default_int64: -5 }, [typed('keys_strings', { strings: ['a', 'b'] })], abc)).toEqual(new Known('int64', [3], BigInt64Array.of(20n, -5n, 10n)))
    expect(direct('CategoryMapper', { cats_int64s: [10, 20] }, [typed('cats_strings', { strings: ['a', 'b'] })], abc)).toEqual(new Known('int64', [3], BigInt64Array.of(20n, -1n, 10n)))
    expect(direct('CategoryMapper', { cats_int64s: [10, 20], default_string: '?' }, [typed('cats_strings', { strings: ['a', 'b'] })], whole([20, 7]))).toEqual(new StringTensor([2], ['b', '?']))
    expect((direct('OneHotEncoder', {}, [typed('cats_strings', { strings: ['a', 'b'] })], abc) as Tensor).toArray()).toEqual([[0, 1], [0, 0], [1, 0]])
  })

  test('name classes', () => {
    expect(direct('LinearClassifier', {}, [typed('coefficients', { floats: [1, -1] }), typed('classlabels_strings', { strings: ['no', 'yes'] })], tensor([[3], [-3]]))).toEqual(new StringTensor([2], ['no', 'yes']))
  })
})
