// Losses against their formulas at numbers worked out by hand, at their corners, and their errors.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, jvp, type Tensor, tensor, use, valueAndGrad } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { message } from '../../../test/message.ts'
import * as ops from '../../index.ts'

use(cpu())

const t = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'float64' })
const int = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'int32' })
const close = (got: Tensor, want: readonly number[]): void => {
  const values = Array.from(got.dataSync(), Number)
  expect(values).toHaveLength(want.length)
  values.forEach((value, i) => { expect(value).toBeCloseTo(want[i]!, 10) })
}
const none = { reduction: 'none' } as const
const { log, exp, max, sqrt } = Math

describe('regression', () => {
  const [x, y] = [t([1, 2, 5]), t([1, 4, 2])]

  test.each<[string, () => Tensor, number[]]>([
    ['mse', () => ops.mseLoss(x, y), [13 / 3]],
    ['mse, summed', () => ops.mseLoss(x, y, { reduction: 'sum' }), [13]],
    ['l1', () => ops.l1Loss(x, y, none), [0, 2, 3]],
    ['huber', () => ops.huberLoss(x, y, { ...none, delta: 2.5 }), [0, 2, 2.5 * (3 - 1.25)]],
    ['smooth l1', () => ops.smoothL1Loss(x, y, { ...none, beta: 2.5 }), [0, 0.8, 3 - 1.25]],
    // PyTorch 2.15: squares and absolute values are divided by the sum of the weights, Huber's are not
    ['weighted mse', () => ops.mseLoss(x, y, { weight: t([1, 3, 2]) }), [(3 * 4 + 2 * 9) / 6]],
    ['weighted l1', () => ops.l1Loss(x, y, { weight: t([1, 3, 2]), reduction: 'sum' }), [12]],
    ['weighted huber', () => ops.huberLoss(x, y, { weight: t([1, 3, 2]) }), [(3 * 1.5 + 2 * 2.5) / 3]],
    ['smooth l1 without a parabola', () => ops.smoothL1Loss(x, y, { ...none, beta: 0 }), [0, 2, 3]],
  ])('%s', (_name, f, want) => { close(f(), want) })
})

describe('classification', () => {
  const rows = [[0.2, -1, 0.5], [2, 0.1, -0.3]]
  const logP = rows.map(row => row.map(x => x - log(row.reduce((s, z) => s + exp(z), 0))))
  const logits = t(rows)
  const weight = t([1, 2, 5])

  test('class indices, weights, and targets that do not count', () => {
    const target = int([2, 0])
    close(ops.crossEntropy(logits, target, none), [-logP[0]![2]!, -logP[1]![0]!])
    close(ops.crossEntropy(logits, target, { weight }), [-(5 * logP[0]![2]! + logP[1]![0]!) / 6])
    close(ops.crossEntropy(logits, target, { weight, reduction: 'sum' }), [-(5 * logP[0]![2]! + logP[1]![0]!)])
    close(ops.crossEntropy(logits, int([2, -100])), [-logP[0]![2]!])
    close(ops.crossEntropy(logits, target, { ignoreIndex: 0, weight }), [-logP[0]![2]!])
    expect(ops.crossEntropy(logits, int([-100, -100])).item()).toBeNaN()
    for (const options of [{}, { weight }, { ...none, weight }, { weight, ignoreIndex: 2 }, { reduction: 'sum', ignoreIndex: 0 }] as const) {
      close(ops.nllLoss(ops.logSoftmax(logits), target, options), Array.from(ops.crossEntropy(logits, target, options).dataSync(), Number))
    }
  })

  test('the gradient by the logits is ŷ − y, also at logits of ±1e4', () => {
    close(grad((x: Tensor) => ops.crossEntropy(x, int([1])))(t([[1e4, -1e4]])), [1, -1])
    close(grad((x: Tensor) => ops.binaryCrossEntropyWithLogits(x, t([0, 1]), { reduction: 'sum' }))(t([1e4, -1e4])), [1, -1])
  })

  test('smoothed labels spread over all classes, each by its weight', () => {
    const smooth = (row: readonly number[], c: number, w: readonly number[], e: number): number =>
      -row.reduce((s, p, i) => s + w[i]! * p * ((i === c ? 1 - e : 0) + e / 3), 0)
    const [a, b] = [smooth(logP[0]!, 2, [1, 2, 5], 0.3), smooth(logP[1]!, 0, [1, 2, 5], 0.3)]
    close(ops.crossEntropy(logits, int([2, 0]), { labelSmoothing: 0.3, weight, ...none }), [a, b])
    close(ops.crossEntropy(logits, int([2, 0]), { labelSmoothing: 0.3, weight }), [(a + b) / 6])
    close(ops.crossEntropy(logits, t([[0, 0, 1], [1, 0, 0]]), { labelSmoothing: 0.3, weight }), [(a + b) / 2])
    close(ops.crossEntropy(logits, int([2, -100]), { labelSmoothing: 0.3 }), [smooth(logP[0]!, 2, [1, 1, 1], 0.3)])
  })

  test('probabilities give what their mixture of classes gives', () => {
    const p = [[0.2, 0.3, 0.5], [1, 0, 0]]
    close(ops.crossEntropy(logits, t(p), none), p.map((row, i) => -row.reduce((s, q, k) => s + q * logP[i]![k]!, 0)))
  })

  test('axes behind the classes are examples too, and one example needs no axis', () => {
    const image = ops.reshape(ops.transpose(logits), [1, 3, 2])
    close(ops.crossEntropy(image, int([[2, 0]]), none), [-logP[0]![2]!, -logP[1]![0]!])
    close(ops.crossEntropy(image, ops.reshape(ops.transpose(t([[0, 0, 1], [1, 0, 0]])), [1, 3, 2]), none), [-logP[0]![2]!, -logP[1]![0]!])
    close(ops.nllLoss(ops.logSoftmax(image, 1), int([[2, 0]]), none), [-logP[0]![2]!, -logP[1]![0]!])
    expect(ops.crossEntropy(t(rows[0]!), int(2), none).shape).toEqual([])
    close(ops.nllLoss(t(logP[0]!), int(2)), [-logP[0]![2]!])
  })

  test('a class that cannot be, of logit −∞, costs nothing and has no gradient', () => {
    const masked = t([[0, -Infinity, 0]])
    close(ops.crossEntropy(masked, int([0])), [log(2)])
    close(grad((x: Tensor) => ops.crossEntropy(x, int([0])))(masked), [-0.5, 0, 0.5])
  })
})

describe('binary', () => {
  const [x, y] = [t([0.3, 0.9]), t([1, 0.25])]
  const bce = (p: number, q: number): number => -q * log(p) - (1 - q) * log(1 - p)

  test('from probabilities', () => {
    close(ops.binaryCrossEntropy(x, y, none), [bce(0.3, 1), bce(0.9, 0.25)])
    close(ops.binaryCrossEntropy(x, y, { weight: t([2, 3]) }), [(2 * bce(0.3, 1) + 3 * bce(0.9, 0.25)) / 2])
  })

  test('where a probability is 0 or 1 the loss is cut and its gradient is large, not NaN', () => {
    const [p, q] = [t([0, 1, 0, 1]), t([1, 0, 0, 1])]
    close(ops.binaryCrossEntropy(p, q, none), [100, 100, 0, 0])
    expect(grad((z: Tensor) => ops.binaryCrossEntropy(z, q, { reduction: 'sum' }))(p).toArray()).toEqual([-1e12, 1e12, 0, 0])
    expect(jvp((z: Tensor) => ops.binaryCrossEntropy(z, q, none), [p], [t([1, 1, 1, 1])])[1].toArray()).not.toContain(NaN)
  })

  test('from logits, with factors for elements and for positives', () => {
    const z = t([-2, 1.5])
    const s = [-2, 1.5].map(v => 1 / (1 + exp(-v)))
    close(ops.binaryCrossEntropyWithLogits(z, y, none), [bce(s[0]!, 1), bce(s[1]!, 0.25)])
    const positive = (p: number, q: number): number => -3 * q * log(p) - (1 - q) * log(1 - p)
    close(ops.binaryCrossEntropyWithLogits(z, y, { ...none, posWeight: t([3]), weight: t([1, 10]) }), [positive(s[0]!, 1), 10 * positive(s[1]!, 0.25)])
    close(ops.multilabelSoftMarginLoss(z, y, { weight: t([1, 10]) }), [(bce(s[0]!, 1) + 10 * bce(s[1]!, 0.25)) / 2])
    close(ops.softMarginLoss(z, t([1, -1]), none), [log(1 + exp(2)), log(1 + exp(1.5))])
  })
})

describe('focal', () => {
  const [x, y] = [t([-2, 1.5, 0.3]), t([1, 0.25, 0])]

  test('of yes or no, as torchvision has it', () => {
    const p = [-2, 1.5, 0.3].map(v => 1 / (1 + exp(-v)))
    const want = (gamma: number, alpha: number | null): number[] => [1, 0.25, 0].map((q, i) => {
      const right = p[i]! * q + (1 - p[i]!) * (1 - q)
      return (alpha === null ? 1 : alpha * q + (1 - alpha) * (1 - q)) * (1 - right) ** gamma * (-q * log(p[i]!) - (1 - q) * log(1 - p[i]!))
    })
    close(ops.focalLoss(x, y, none), want(2, 0.25))
    close(ops.focalLoss(x, y, { ...none, gamma: 1.5, alpha: null }), want(1.5, null))
    close(ops.focalLoss(x, y, { reduction: 'sum', alpha: 0.9 }), [want(2, 0.9).reduce((a, b) => a + b)])
    close(ops.focalLoss(x, y, { gamma: 0, alpha: null }), [ops.binaryCrossEntropyWithLogits(x, y).item()])
  })

  test('of classes: cross-entropy times a power of what is wrong', () => {
    const [logits, target, weight] = [t([[0.2, -1, 0.5], [2, 0.1, -0.3]]), int([2, 0]), t([1, 2, 5])]
    const losses = ops.crossEntropy(logits, target, none).toArray() as number[]
    close(ops.focalLoss(logits, target, none), losses.map(l => (1 - exp(-l)) ** 2 * l))
    for (const options of [{}, { weight }, { ignoreIndex: 0 }, { weight, reduction: 'sum' }] as const) close(ops.focalLoss(logits, target, { gamma: 0, ...options }), [ops.crossEntropy(logits, target, options).item()])
    expect(ops.focalLoss(t([1, 2]), int(1)).shape).toEqual([])
  })

  test.each([0.5, 1, 2])('is finite at logits of ±1e4, with its gradient (γ = %s)', gamma => {
    const extreme = t([1e4, -1e4, 1e4, -1e4])
    const [value, gradient] = valueAndGrad((z: Tensor) => ops.focalLoss(z, t([1, 0, 0, 1]), { gamma, alpha: null, reduction: 'sum' }))(extreme)
    expect(value.item()).toBe(2e4)
    close(gradient, [0, 0, 1, -1])
    close(grad((z: Tensor) => ops.focalLoss(z, int([0, 1]), { gamma, reduction: 'sum' }))(t([[1e4, -1e4], [1e4, -1e4]])), [0, 0, 1, -1])
  })
})

describe('likelihood', () => {
  test('Kullback and Leibler', () => {
    const [x, y] = [t([[-1, -2], [-3, -0.5]]), t([[0.25, 0.75], [1, 0]])]
    const terms = [0.25 * (log(0.25) + 1), 0.75 * (log(0.75) + 2), 3, 0]
    const total = terms.reduce((a, b) => a + b)
    close(ops.klDiv(x, y, none), terms)
    close(ops.klDiv(x, y), [total / 4])
    close(ops.klDiv(x, y, { reduction: 'batchmean' }), [total / 2])
    close(ops.klDiv(t([-1]), t([-2]), { logTarget: true }), [exp(-2) * (-2 + 1)])
    expect(grad((q: Tensor) => ops.klDiv(x, q, { reduction: 'sum' }))(y).toArray()).not.toContain(NaN)
  })

  test('Poisson', () => {
    const [x, y] = [t([0.5, 1.5]), t([3, 1])]
    close(ops.poissonNllLoss(x, y, none), [exp(0.5) - 1.5, exp(1.5) - 1.5])
    close(ops.poissonNllLoss(x, y, { ...none, logInput: false, eps: 0.5 }), [0.5 - 3 * log(1), 1.5 - log(2)])
    close(ops.poissonNllLoss(x, y, { ...none, full: true }), [exp(0.5) - 1.5 + 3 * log(3) - 3 + 0.5 * log(6 * Math.PI), exp(1.5) - 1.5])
  })

  test('Gauss', () => {
    const [x, y] = [t([[1, 2], [3, 4]]), t([[1, 4], [2, 4]])]
    const nll = (d: number, v: number): number => 0.5 * (log(v) + d * d / v)
    close(ops.gaussianNllLoss(x, y, t([[1, 2], [3, 4]]), none), [nll(0, 1), nll(2, 2), nll(1, 3), nll(0, 4)])
    for (const v of [t([2, 3]), t([[2], [3]])]) close(ops.gaussianNllLoss(x, y, v, none), [nll(0, 2), nll(2, 2), nll(1, 3), nll(0, 3)])
    close(ops.gaussianNllLoss(x, y, 2, none), [nll(0, 2), nll(2, 2), nll(1, 2), nll(0, 2)])
    close(ops.gaussianNllLoss(t([1]), t([1]), t([1]), { full: true }), [0.5 * log(2 * Math.PI)])
    // a variance below ε counts as ε, and is pushed up all the same
    close(ops.gaussianNllLoss(t([0]), t([1]), t([0.1]), { eps: 0.5 }), [nll(1, 0.5)])
    close(grad((v: Tensor) => ops.gaussianNllLoss(t([0]), t([1]), v, { eps: 0.5, reduction: 'sum' }))(t([0.1])), [0.5 * (2 - 4)])
  })
})

describe('margins', () => {
  const [x, target] = [[0.1, 0.9, -0.5, 0.3], 1]
  const hinge = (p: number, margin: number): number => x.reduce((s, z, i) => i === target ? s : s + max(0, margin - x[target]! + z) ** p, 0) / 4

  test('of two scores, and of distances', () => {
    close(ops.marginRankingLoss(t([1, 2, 3]), t([2, 2, 1]), t([1, -1, 1]), { ...none, margin: 0.5 }), [1.5, 0.5, 0])
    close(ops.hingeEmbeddingLoss(t([0.3, 0.3, 2]), int([1, -1, -1]), { ...none, margin: 1 }), [0.3, 0.7, 0])
  })

  test('of one class', () => {
    close(ops.multiMarginLoss(t([x]), int([target])), [hinge(1, 1)])
    close(ops.multiMarginLoss(t(x), int(target), { p: 2, margin: 0.8, weight: t([9, 2, 9, 9]) }), [2 * hinge(2, 0.8)])
    expect(ops.multiMarginLoss(t(x), int([target]), none).shape).toEqual([1])
    expect(ops.multiMarginLoss(t(x), int(target), none).shape).toEqual([])
  })

  test('of several classes, up to the first negative index', () => {
    const want = [1, 3].reduce((s, j) => s + [0, 2].reduce((r, i) => r + max(0, 1 - x[j]! + x[i]!), 0), 0) / 4
    close(ops.multilabelMarginLoss(t(x), int([3, 1, -1, 0])), [want])
    close(ops.multilabelMarginLoss(t([x, x]), int([[3, 1, -1, 0], [-1, 0, 1, 2]]), none), [want, 0])
  })
})

describe('embeddings', () => {
  const [a, p, n] = [[[1, 2]], [[2, 0]], [[0, 3]]]
  const apart = (x: number[][], y: number[][]): number => Math.hypot(x[0]![0]! - y[0]![0]!, x[0]![1]! - y[0]![1]!)

  test('cosines', () => {
    const cosine = 2 / (sqrt(5) * 2)
    close(ops.cosineEmbeddingLoss(t([...a, ...a]), t([...p, ...p]), int([1, -1]), { ...none, margin: 0.1 }), [1 - cosine, cosine - 0.1])
    close(ops.cosineEmbeddingLoss(t([1, 2]), t([2, 0]), t(-1)), [cosine])
  })

  test('triplets', () => {
    const options = { eps: 0, margin: 2 }
    close(ops.tripletMarginLoss(t(a), t(p), t(n), options), [apart(a, p) - apart(a, n) + 2])
    const swapped = [[[0, 0]], [[0, 1]], [[0, 3]]]
    close(ops.tripletMarginLoss(t(swapped[0]!), t(swapped[1]!), t(swapped[2]!), { ...options, swap: true }), [1 - 2 + 2])
    close(ops.tripletMarginLoss(t(a), t(p), t(n), { ...options, p: 1 }), [max(0, 3 - 2 + 2)])
    close(ops.tripletMarginWithDistanceLoss(t(a), t(p), t(n), { distance: (x, y) => ops.sum(ops.square(ops.sub(x, y)), 1) }), [5 - 2 + 1])
  })
})

describe('sequences', () => {
  const generator = new ops.Generator(3)
  const logP = ops.logSoftmax(generator.normal([4, 2, 3], { dtype: 'float64' }))
  const rows = logP.toArray() as number[][][]

  /** The sum over all paths of `steps` classes that collapse to the labels. */
  function allPaths(example: number, labels: readonly number[], steps: number, blank: number): number {
    let total = 0
    for (let code = 0; code < 3 ** steps; code++) {
      const path = Array.from({ length: steps }, (_, i) => Math.floor(code / 3 ** i) % 3)
      const said = path.filter((c, i) => c !== blank && c !== path[i - 1])
      if (said.join() === labels.join()) total += exp(path.reduce((s, c, i) => s + rows[i]![example]![c]!, 0))
    }
    return -log(total)
  }

  test.each([0, 2])('every alignment counts (blank %s)', blank => {
    const [one, two] = [1, blank === 0 ? 2 : 0]
    const target = int([[one, two], [one, one]])
    close(ops.ctcLoss(logP, target, { ...none, blank }), [allPaths(0, [one, two], 4, blank), allPaths(1, [one, one], 4, blank)])
    close(ops.ctcLoss(logP, target, { ...none, blank, inputLengths: [3, 4], targetLengths: int([1, 0]) }), [allPaths(0, [one], 3, blank), allPaths(1, [], 4, blank)])
    close(ops.ctcLoss(logP, target, { blank, targetLengths: [2, 1] }), [(allPaths(0, [one, two], 4, blank) / 2 + allPaths(1, [one], 4, blank)) / 2])
  })

  test('labels may stand in one row', () => {
    const want = [allPaths(0, [1, 2], 4, 0), allPaths(1, [2], 4, 0)]
    for (const targetLengths of [[2, 1], int([2, 1])]) close(ops.ctcLoss(logP, int([1, 2, 2]), { ...none, targetLengths }), want)
    close(compile((row: Tensor, targetLengths: Tensor) => ops.ctcLoss(logP, row, { ...none, targetLengths }))(int([1, 2, 2]), int([2, 1])), want)
    close(ops.ctcLoss(logP, int([]), { ...none, targetLengths: [0, 0] }), [allPaths(0, [], 4, 0), allPaths(1, [], 4, 0)])
  })

  test('a target that does not fit has no alignment', () => {
    const frames = ops.narrow(logP, 0, 0, 2)
    const target = int([[1, 2], [1, 1]])
    close(ops.ctcLoss(frames, target, none), [allPaths(0, [1, 2], 2, 0), Infinity])
    const gradient = grad((x: Tensor) => ops.ctcLoss(x, target, { zeroInfinity: true, reduction: 'sum' }))(frames)
    expect((gradient.toArray() as number[][][]).map(step => step[1])).toEqual([[0, 0, 0], [0, 0, 0]])
  })
})

test('losses say what does not fit', () => {
  const x = t([[1, 2, 3]])
  expect([
    () => ops.mseLoss(x, t([1, 2, 3])),
    () => ops.huberLoss(x, x, { delta: 0 }),
    () => ops.smoothL1Loss(x, x, { beta: -1 }),
    () => ops.mseLoss(x, x, { weight: t([1, 2, 3]) }),
    () => ops.focalLoss(x, x, { gamma: -1 }),
    () => ops.focalLoss(x, int([3])),
    () => ops.ctcLoss(ops.reshape(x, [1, 1, 3]), int([1, 2]), { targetLengths: [1] }),
    () => ops.crossEntropy(t(1), int(0)),
    () => ops.crossEntropy(x, int([0, 1])),
    () => ops.crossEntropy(x, t([[1, 2]])),
    () => ops.crossEntropy(x, int([3])),
    () => ops.nllLoss(x, int([0]), { weight: t([1]) }),
    () => ops.gaussianNllLoss(x, x, t([[1, 2]])),
    () => ops.gaussianNllLoss(x, t([1, 2]), x),
    () => ops.hingeEmbeddingLoss(x, t([1])),
    () => ops.multiMarginLoss(x, int([0, 1])),
    () => ops.multiMarginLoss(x, int([4])),
    () => ops.multiMarginLoss(x, int([0]), { weight: t([1]) }),
    () => ops.multilabelMarginLoss(x, int([[0, 5, -1]])),
    () => ops.multilabelMarginLoss(x, int([0])),
    () => ops.cosineEmbeddingLoss(x, x, t(1)),
    () => ops.ctcLoss(x, x),
    () => ops.ctcLoss(x, int([1]), { blank: 3 }),
    () => ops.ctcLoss(x, int([1]), { inputLengths: [1, 2] }),
  ].map(message)).toMatchInlineSnapshot(`
    [
      "shape | mseLoss: input and target must be alike, got f64[1,3] and f64[3]. Reshape or cast the target",
      "value | huberLoss: delta must be positive, got 0",
      "value | smoothL1Loss: beta must be 0 or positive, got -1",
      "shape | mseLoss: the weight must have the shape of the input f64[1,3], got f64[3]",
      "value | focalLoss: gamma must be 0 or positive, got -1",
      "value | focalLoss: class 3 is outside 0 … 2, the classes of f64[1,3]. Use ignoreIndex for targets that should not count",
      "shape | ctcLoss: targetLengths add up to 1, but there are 2 labels in i32[2]",
      "shape | crossEntropy: logits must be [n, classes, …] or [classes], got f64[]",
      "shape | crossEntropy: class indices for f64[1,3] must be [1], got i32[2]",
      "shape | crossEntropy: probabilities for logits f64[1,3] must have their shape, got f64[1,2]",
      "value | crossEntropy: class 3 is outside 0 … 2, the classes of f64[1,3]. Use ignoreIndex for targets that should not count",
      "shape | nllLoss: the weight must have one factor for each of the 3 classes, got f64[1]",
      "shape | gaussianNllLoss: the variance f64[1,2] must have the shape of the input f64[1,3], or 1 at the last axis, or no last axis",
      "shape | gaussianNllLoss: the target f64[2] must have the shape of the input f64[1,3]",
      "shape | hingeEmbeddingLoss: input and target must have one shape, got f64[1,3] and f64[1]",
      "shape | multiMarginLoss: needs scores [n, classes] and n class indices, or [classes] and one, got f64[1,3] and i32[2]",
      "value | multiMarginLoss: class 4 is outside 0 … 2, the classes of f64[1,3]. Leave out what should not count",
      "shape | multiMarginLoss: the weight must have one factor for each of the 3 classes, got f64[1]",
      "value | multilabelMarginLoss: class 5 is outside 0 … 2, the classes of f64[1,3]. End a row of labels with -1",
      "shape | multilabelMarginLoss: scores and class indices must both be [n, classes] or [classes], got f64[1,3] and i32[1]",
      "shape | cosineEmbeddingLoss: needs pairs [n, d] with targets [n], or [d] and a scalar, got f64[1,3], f64[1,3] and f64[]",
      "shape | ctcLoss: needs log-probabilities [steps, n, classes] and whole-number labels [n, s], or [steps, classes] and [s], or labels of one axis with targetLengths, got f64[1,3] and f64[1,3]",
      "value | ctcLoss: the blank 3 is outside 0 … 2, the classes of f64[1,1,3]",
      "shape | ctcLoss: inputLengths must hold one number for each of the 1 examples, got i32[2]",
    ]
  `)
})

test('a class that is none gives NaN in a compiled loss, where it cannot be read before', () => {
  const loss = compile((x: Tensor, y: Tensor) => ops.crossEntropy(x, y, { reduction: 'none' }))
  expect(loss(t([[1, 2], [3, 4], [5, 6], [0, 0]]), int([0, 2, -1, -100])).toArray()).toEqual([expect.closeTo(Math.log(1 + Math.E), 10), NaN, NaN, 0])
})
