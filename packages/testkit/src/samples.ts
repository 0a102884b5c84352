// Samples of every primitive, composite and library primitive: a row without one does not compile.

import type { ConvGeometry, Composites, Library, Primitives } from '@bp/ops/extend'
import { away, distinct, fixed, given, operand, type SamplesOf, uniform } from './sample.ts'
import { elementwiseSamples } from './samples/elementwise.ts'
import { indexingSamples } from './samples/indexing.ts'
import { linalgSamples } from './samples/linalg.ts'
import { lossSamples } from './samples/losses.ts'
import { reduceSamples } from './samples/reduce.ts'
import { visionSamples } from './samples/vision.ts'

const positive = uniform(0.2, 3)
const inside = uniform(-0.8, 0.8)
const halves = [-2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5]

const geometry = (axes: number, { stride = 1, padding = [0, 0], dilation = 1, groups = 1 }: { stride?: number; padding?: readonly [number, number]; dilation?: number; groups?: number } = {}): ConvGeometry => ({
  stride: new Array<number>(axes).fill(stride), padding: new Array<readonly [number, number]>(axes).fill(padding), dilation: new Array<number>(axes).fill(dilation), groups,
})

/** At least one sample for each primitive, away from kinks and ties. */
export const samples: SamplesOf<Primitives> = {
  fill: [
    { operands: [], params: { value: 2.5, shape: [2, 3], dtype: 'float32' } },
    { operands: [], params: { value: 1, shape: [], dtype: 'bool' } },
    { operands: [], params: { value: -3, shape: [0, 2], dtype: 'int64' } },
  ],
  add: [
    { operands: [operand([2, 3]), operand([2, 3])] },
    { operands: [operand([2, 1, 3]), operand([4, 1])] },
    { operands: [operand([]), operand([5])] },
    { operands: [fixed([4], 'int32'), fixed([4], 'int32')] },
    { operands: [fixed([2, 2], 'int64'), fixed([2], 'int64')] },
  ],
  mul: [
    { operands: [operand([2, 3]), operand([2, 3])] },
    { operands: [operand([2, 1, 3]), operand([4, 1])] },
    { operands: [operand([0, 3]), operand([3])] },
    { operands: [fixed([4], 'int32'), fixed([4], 'int32')] },
  ],
  broadcastTo: [
    { operands: [operand([3, 1])], params: { shape: [2, 3, 4] } },
    { operands: [operand([])], params: { shape: [2, 2] } },
  ],
  sumTo: [
    { operands: [operand([2, 3, 4])], params: { shape: [3, 1] } },
    { operands: [operand([2, 3, 4])], params: { shape: [2, 1, 4] } },
    { operands: [operand([7])], params: { shape: [] } },
    { operands: [operand([0, 3])], params: { shape: [3] } },
  ],
  neg: [{ operands: [operand([2, 3])] }, { operands: [fixed([4], 'int32')] }],
  sub: [{ operands: [operand([2, 3]), operand([3])] }, { operands: [operand([3]), operand([2, 3])] }, { operands: [fixed([4], 'int32'), fixed([4], 'int32')] }],
  div: [{ operands: [operand([2, 3]), operand([3], away(-2, 2, [0], 0.4))] }, { operands: [operand([]), operand([4], positive)] }, { operands: [fixed([4], 'int32'), fixed([4], 'int32', given(2, -2, 3, -3))] }],
  pow: [
    { operands: [operand([2, 3], positive), operand([3])] },
    { operands: [operand([4], positive), operand([])] },
  ],
  maximum: [{ operands: [operand([4], given(-1.5, 0.25, 1, -0.5)), operand([3, 1], given(-0.75, 0.6, 1.5))] }, { operands: [fixed([4], 'int32'), fixed([4], 'int32')] }],
  minimum: [{ operands: [operand([4], given(-1.5, 0.25, 1, -0.5)), operand([3, 1], given(-0.75, 0.6, 1.5))] }, { operands: [fixed([4], 'int32'), fixed([4], 'int32')] }],
  abs: [{ operands: [operand([2, 3], away(-2, 2, [0]))] }, { operands: [fixed([4], 'int32')] }],
  sign: [{ operands: [operand([2, 3], away(-2, 2, [0]))] }, { operands: [fixed([4], 'int32')] }],
  floor: [{ operands: [operand([2, 3], away(-2.4, 2.4, halves))] }],
  round: [{ operands: [operand([2, 3], away(-2.4, 2.4, halves))] }],
  exp: [{ operands: [operand([2, 3])] }, { operands: [operand([])] }],
  log: [{ operands: [operand([2, 3], positive)] }],
  expm1: [{ operands: [operand([2, 3])] }],
  log1p: [{ operands: [operand([2, 3], uniform(-0.5, 2))] }],
  sqrt: [{ operands: [operand([2, 3], positive)] }],
  tanh: [{ operands: [operand([2, 3])] }],
  sigmoid: [{ operands: [operand([2, 3])] }],
  erf: [{ operands: [operand([2, 3])] }],
  relu: [{ operands: [operand([2, 3], away(-2, 2, [0]))] }],
  sin: [{ operands: [operand([2, 3])] }],
  cos: [{ operands: [operand([2, 3])] }],
  tan: [{ operands: [operand([2, 3], inside)] }],
  asin: [{ operands: [operand([2, 3], inside)] }],
  acos: [{ operands: [operand([2, 3], inside)] }],
  atan: [{ operands: [operand([2, 3])] }],
  equal: [{ operands: [operand([3], given(1, 2, 3)), operand([2, 1], given(2, 3))] }, { operands: [fixed([4], 'int32'), fixed([4], 'int32')] }, { operands: [fixed([4], 'bool'), fixed([4], 'bool')] }],
  less: [{ operands: [operand([3], given(1, 2, 3)), operand([2, 1], given(2, 3))] }, { operands: [fixed([4], 'int64'), fixed([4], 'int64')] }],
  lessEqual: [{ operands: [operand([3], given(1, 2, 3)), operand([2, 1], given(2, 3))] }, { operands: [fixed([4], 'int32'), fixed([4], 'int32')] }],
  logicalNot: [{ operands: [fixed([4], 'bool')] }],
  logicalAnd: [{ operands: [fixed([4], 'bool', given(0, 0, 1, 1)), fixed([4], 'bool', given(0, 1))] }],
  logicalOr: [{ operands: [fixed([4], 'bool', given(0, 0, 1, 1)), fixed([4], 'bool', given(0, 1))] }],
  select: [
    { operands: [fixed([2, 3], 'bool'), operand([2, 3]), operand([2, 3])] },
    { operands: [fixed([2, 1], 'bool', given(0, 1)), operand([3]), operand([])] },
    { operands: [fixed([4], 'bool'), fixed([4], 'int32'), fixed([4], 'int32')] },
  ],
  cast: [
    { operands: [operand([2, 3])], params: { dtype: 'float64' } },
    { operands: [operand([2, 3])], params: { dtype: 'float32' } },
    { operands: [operand([4], given(-1.5, -0.5, 0.5, 1.5))], params: { dtype: 'int32' } },
    { operands: [operand([4], given(-1.5, 0, 0.5, 0))], params: { dtype: 'bool' } },
    { operands: [fixed([4], 'bool')], params: { dtype: 'float32' } },
    { operands: [fixed([4], 'int64')], params: { dtype: 'int32' } },
  ],
  reshape: [{ operands: [operand([2, 6])], params: { shape: [3, 1, 4] } }, { operands: [operand([1, 1])], params: { shape: [] } }],
  transpose: [{ operands: [operand([2, 3, 4])], params: { perm: [2, 0, 1] } }, { operands: [operand([3, 2])], params: { perm: [1, 0] } }],
  slice: [
    { operands: [operand([5, 4])], params: { starts: [1, 0], ends: [5, 3], steps: [2, 1] } },
    { operands: [operand([6])], params: { starts: [1], ends: [6], steps: [3] } },
    { operands: [operand([3])], params: { starts: [2], ends: [2], steps: [1] } },
  ],
  pad: [
    { operands: [operand([2, 3])], params: { low: [1, 0], high: [0, 2], interior: [0, 1] } },
    { operands: [operand([3])], params: { low: [0], high: [1], interior: [2] } },
  ],
  concat: [
    { operands: [operand([2, 1]), operand([2, 3]), operand([2, 2])], params: { axis: 1 } },
    { operands: [operand([3])], params: { axis: 0 } },
    { operands: [operand([0, 2]), operand([2, 2])], params: { axis: 0 } },
  ],
  flip: [{ operands: [operand([2, 3, 2])], params: { axes: [0, 2] } }],
  detach: [{ operands: [fixed([3], 'int32')] }],
  amax: [
    { operands: [operand([3, 4], distinct(-2, 2))], params: { axes: [1] } },
    { operands: [operand([2, 3, 2], distinct(-2, 2))], params: { axes: [0, 2] } },
  ],
  argMax: [{ operands: [operand([3, 4], distinct(-2, 2))], params: { axis: 0 } }, { operands: [operand([6], given(1, 3, 2, 3))], params: { axis: 0 } }],
  argSort: [
    { operands: [operand([3, 4], distinct(-2, 2))], params: { axis: 0, descending: false } },
    { operands: [operand([7], given(2, 1, 2, 3))], params: { axis: 0, descending: true } },
  ],
  cumSum: [{ operands: [operand([3, 4])], params: { axis: 0, reverse: false } }, { operands: [operand([3, 4])], params: { axis: 1, reverse: true } }],
  dot: [
    { operands: [operand([2, 3]), operand([3, 4])], params: { ta: false, tb: false } },
    { operands: [operand([3, 2]), operand([3, 4])], params: { ta: true, tb: false } },
    { operands: [operand([2, 2, 3]), operand([2, 4, 3])], params: { ta: false, tb: true } },
    { operands: [operand([2, 3, 2]), operand([2, 4, 3])], params: { ta: true, tb: true } },
    { operands: [operand([9, 17]), operand([17, 11])], params: { ta: false, tb: false } },
  ],
  conv: [
    { operands: [operand([2, 2, 5]), operand([3, 2, 3])], params: geometry(1, { padding: [1, 0] }) },
    { operands: [operand([1, 4, 6, 5]), operand([4, 2, 3, 2])], params: geometry(2, { stride: 2, padding: [1, 1], groups: 2 }) },
    { operands: [operand([1, 2, 6, 6]), operand([2, 2, 2, 2])], params: geometry(2, { dilation: 2 }) },
    { operands: [operand([1, 1, 3, 4, 3]), operand([2, 1, 2, 2, 2])], params: geometry(3) },
  ],
  convInput: [
    { operands: [operand([2, 3, 4]), operand([3, 2, 3])], params: { ...geometry(1, { padding: [1, 0] }), size: [5] } },
    { operands: [operand([1, 4, 3, 3]), operand([4, 2, 3, 2])], params: { ...geometry(2, { stride: 2, padding: [1, 1], groups: 2 }), size: [6, 5] } },
  ],
  convWeight: [
    { operands: [operand([2, 2, 5]), operand([2, 3, 4])], params: { ...geometry(1, { padding: [1, 0] }), kernel: [3] } },
    { operands: [operand([1, 4, 6, 5]), operand([1, 4, 3, 3])], params: { ...geometry(2, { stride: 2, padding: [1, 1], groups: 2 }), kernel: [3, 2] } },
  ],
  gather: [
    { operands: [operand([4, 3]), fixed([2, 2], 'int32', given(3, 0, 1, 3))], params: { axis: 0 } },
    { operands: [operand([2, 3]), fixed([4], 'int32', given(2, 0, 2, 1))], params: { axis: 1 } },
    { operands: [operand([5]), fixed([], 'int32', given(2))], params: { axis: 0 } },
  ],
  scatterAdd: [
    { operands: [operand([2, 2, 3]), fixed([2, 2], 'int32', given(3, 0, 1, 3))], params: { axis: 0, size: 4 } },
    { operands: [operand([2, 4]), fixed([4], 'int32', given(2, 0, 2, 1))], params: { axis: 1, size: 3 } },
  ],
  poolArgMax: [
    { operands: [operand([1, 2, 4, 4], distinct(-2, 2))], params: { kernel: [2, 2], stride: [2, 2], padding: [[0, 0], [0, 0]], dilation: [1, 1] } },
    { operands: [operand([2, 1, 5], distinct(-2, -1))], params: { kernel: [3], stride: [2], padding: [[1, 1]], dilation: [1] } },
  ],
  iota: [{ operands: [], params: { length: 5, dtype: 'int32' } }, { operands: [], params: { length: 3, dtype: 'float32' } }],
  randomBits: [{ operands: [fixed([2], 'int32', given(7, -9))], params: { shape: [3, 5] } }],
}

const map = operand([2, 5])
const probabilities = operand([3, 4], uniform(0.1, 0.9))

/** At least one sample for each composite. */
export const compositeSamples: SamplesOf<Composites> = {
  softmax: [{ operands: [operand([3, 4])], params: { axis: 1 } }, { operands: [operand([3, 4])], params: { axis: 0 } }],
  logSoftmax: [{ operands: [operand([3, 4])], params: { axis: 1 } }, { operands: [operand([2, 3, 2])], params: { axis: 1 } }],
  logSumExp: [{ operands: [operand([3, 4])], params: { axes: [1] } }, { operands: [operand([2, 3, 2])], params: { axes: [0, 2] } }],
  softmaxCrossEntropy: [{ operands: [operand([3, 4]), probabilities] }],
  ...lossSamples,
  standardise: [{ operands: [operand([3, 4])], params: { axes: [1], eps: 1e-5 } }, { operands: [operand([2, 3, 4])], params: { axes: [0, 2], eps: 1e-3 } }],
  rmsNorm: [{ operands: [operand([3, 4])], params: { axes: [1], eps: 1e-5 } }, { operands: [operand([2, 3, 2])], params: { axes: [1, 2], eps: 1e-3 } }],
  attention: [
    { operands: [operand([2, 3, 2]), operand([2, 3, 2]), operand([2, 3, 1])], params: { causal: true, scale: 0.5 } },
    { operands: [operand([2, 2]), operand([3, 2]), operand([3, 2]), operand([3])], params: { causal: false, scale: 1 } },
  ],
  gelu: [{ operands: [map], params: { approximate: 'none' } }, { operands: [map], params: { approximate: 'tanh' } }],
  silu: [{ operands: [map] }],
  softplus: [{ operands: [operand([2, 5], away(-2, 2, [0]))] }],
  elu: [{ operands: [operand([2, 5], away(-2, 2, [0]))], params: { alpha: 0.7 } }],
  leakyRelu: [{ operands: [operand([2, 5], away(-2, 2, [0]))], params: { slope: 0.1 } }],
  mish: [{ operands: [operand([2, 5], away(-2, 2, [0]))] }],
  hardSigmoid: [{ operands: [operand([2, 8], away(-5, 5, [-3, 3]))] }],
  hardSwish: [{ operands: [operand([2, 8], away(-5, 5, [-3, 3]))] }],
  split: [{ operands: [operand([5])], params: { axis: 0, sizes: [2, 3] } }, { operands: [operand([2, 4, 2])], params: { axis: 1, sizes: [1, 0, 3] } }],
  unbind: [{ operands: [operand([3, 2])], params: { axis: 0 } }, { operands: [operand([2, 3, 2])], params: { axis: 1 } }],
  lstmStep: [
    { operands: [operand([2, 8]), operand([2, 8]), operand([2, 2])], params: {} },
    { operands: [operand([1, 12]), operand([1, 12]), operand([1, 3]), operand([3]), operand([3]), operand([3])], params: { coupled: true } },
  ],
  gruStep: [{ operands: [operand([2, 6]), operand([2, 6]), operand([2, 2])], params: {} }, { operands: [operand([1, 9]), operand([1, 9]), operand([1, 3]), operand([3])], params: {} }],
  rnnLayer: [{ operands: [operand([3, 2, 2]), operand([2, 2]), operand([2, 2])], params: { rule: {}, reverse: false, given: ['x', 'ih', 'hh'] } }],
  lstmLayer: [{ operands: [operand([2, 2, 1]), operand([8, 1]), operand([8, 2]), operand([2, 2]), operand([2, 2])], params: { rule: { clip: 5 }, reverse: true, given: ['x', 'ih', 'hh', 'h', 'c'] } }],
  gruLayer: [{ operands: [operand([3, 2, 1]), operand([6, 1]), operand([6, 2]), operand([6]), fixed([2], 'int32', given(1, 3))], params: { rule: {}, reverse: true, given: ['x', 'ih', 'hh', 'biasHh', 'lengths'] } }],
  gruResetFirstLayer: [{ operands: [operand([2, 1, 2]), operand([6, 2]), operand([6, 2]), operand([6])], params: { rule: {}, reverse: false, given: ['x', 'ih', 'hh', 'biasHh'] } }],
  maxPool: [
    { operands: [operand([1, 2, 4, 4], distinct(-2, 2))], params: { kernel: [2, 2], stride: [2, 2], padding: [[0, 0], [0, 0]], dilation: [1, 1] } },
    { operands: [operand([1, 1, 5, 5], distinct(-2, 2))], params: { kernel: [3, 3], stride: [2, 1], padding: [[1, 1], [0, 1]], dilation: [1, 1] } },
    { operands: [operand([2, 1, 6], distinct(-2, 2))], params: { kernel: [2], stride: [1], padding: [[0, 0]], dilation: [2] } },
  ],
  avgPool: [
    { operands: [operand([1, 2, 4, 4])], params: { kernel: [2, 2], stride: [2, 2], padding: [[0, 0], [0, 0]], dilation: [1, 1], counted: [[0, 0], [0, 0]] } },
    { operands: [operand([1, 1, 5])], params: { kernel: [3], stride: [2], padding: [[1, 1]], dilation: [1], counted: [[0, 0]] } },
  ],
  interpolate: [
    { operands: [operand([1, 1, 3])], params: { mode: 'nearest', sizes: [5], steps: [0.6], scales: null, alignCorners: false, antialias: false } },
    { operands: [operand([1, 1, 2, 3])], params: { mode: 'cubic', sizes: [3, 2], steps: [0.6, 1.5], scales: null, alignCorners: true, antialias: false } },
    { operands: [operand([1, 1, 4, 2])], params: { mode: 'linear', sizes: [2, 3], steps: [2, 0.6], scales: [0.5, 1.6], alignCorners: false, antialias: true } },
  ],
  gridSample: [
    { operands: [operand([1, 2, 3, 3]), operand([1, 2, 1, 2], given(0.21, -0.37, -0.45, 0.13))], params: { mode: 'bilinear', paddingMode: 'zeros', alignCorners: false } },
    { operands: [operand([1, 1, 4]), operand([1, 2, 1], given(0.21, -0.37))], params: { mode: 'bilinear', paddingMode: 'border', alignCorners: true } },
  ],
  margin: [
    { operands: [operand([2, 3])], params: { widths: [[1, 0], [-1, 2]], mode: 'constant', value: 0.5 } },
    { operands: [operand([2, 3])], params: { widths: [[0, 0], [2, 1]], mode: 'reflect', value: 0 } },
    { operands: [operand([2, 3])], params: { widths: [[1, 1], [0, 2]], mode: 'circular', value: 0 } },
    { operands: [operand([2, 3])], params: { widths: [[0, 3], [1, 0]], mode: 'edge', value: 0 } },
  ],
}


/** At least one sample for each library primitive. */
export const librarySamples = {
  ...elementwiseSamples,
  ...indexingSamples,
  ...linalgSamples,
  ...reduceSamples,
  ...visionSamples,
} satisfies SamplesOf<Library>
