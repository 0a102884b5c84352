// Attention, transformers and positions give PyTorch's numbers, mask what they are told to, and compile.

import { compile, grad, mul, ones, type Tensor, tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { detach, Generator, narrow, rotaryEmbedding, square, sub, sum, transpose } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { close, filled, numbers, shifted, total, wave } from '../test/golden.ts'
import { Adam, type AnyModule, generateSquareSubsequentMask, LayerNorm, LearnedPositions, MultiheadAttention, SinusoidalPositions, sinusoidalPositions, Transformer, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer } from './index.ts'

use(cpu())

const f64 = { dtype: 'float64' as const }

/** The loss of some results, and the sum of each parameter's gradient. */
function expectLoss(model: AnyModule, ys: readonly Tensor[], loss: number, sums?: Readonly<Record<string, number>>): void {
  const got = total(...ys)
  close(got, [loss], 'loss')
  got.backward()
  if (!sums) return
  expect(model.namedParameters().map(([name]) => name)).toEqual(Object.keys(sums))
  for (const [name, p] of model.namedParameters()) close(sum(p.grad!), [sums[name]!], name)
}

const [q, k, v] = [wave(2, 3, 4), shifted(1, 2, 5, 4), shifted(2, 2, 5, 4)]
const padding = tensor([[false, false, true, false, true], [false, false, false, false, false]])

// the expected numbers of this block are PyTorch 2.15's, in float64
describe('as in PyTorch: attention', () => {
  test('to another sequence, with the mean of the heads\' weights', () => {
    const model = filled(new MultiheadAttention(4, 2, { batchFirst: true, ...f64 }))
    const [y, weights] = model.forward(q, k, v)
    close(y, [-0.03819793, 0.44562175, 0.64901532, -0.68040872, 0.07249225, 0.31166596])
    close(weights!, [0.10576291, 0.33968646, 0.09383006, 0.34985557, 0.110865, 0.24252271])
    expectLoss(model, [y, weights!], 0.75627295, { in_proj_weight: -0.22553095, in_proj_bias: -0.03690952, 'out_proj.weight': 0.39502793, 'out_proj.bias': -0.48541105 })
  })

  test('with padding and hidden places, and the weights of every head', () => {
    const model = filled(new MultiheadAttention(4, 2, { batchFirst: true, ...f64 }))
    const attnMask = tensor([[false, true, false, false, true], [false, false, false, true, false], [true, false, false, false, false]])
    const [y, weights] = model.forward(q, k, v, { keyPaddingMask: padding, attnMask, averageAttnWeights: false })
    expect(weights!.shape).toEqual([2, 2, 3, 5])
    close(y, [-0.06790508, 0.51176335, 0.59225641, -0.67235011, -0.11979919, 0.48413249])
    close(weights!, [0.16857242, 0, 0, 0.83142758, 0, 0.60348242])
    expectLoss(model, [y, weights!], -0.36941058, { in_proj_weight: 0.37474269, in_proj_bias: 0.02360755, 'out_proj.weight': -0.97328771, 'out_proj.bias': -0.48541105 })
    const [alone, none] = model.forward(q, k, v, { keyPaddingMask: padding, attnMask, needWeights: false })
    expect(none).toBeNull()
    close(alone, numbers(y))
  })

  test('with numbers added for every head', () => {
    const model = filled(new MultiheadAttention(4, 2, { batchFirst: true, ...f64 }))
    const [y, weights] = model.forward(q, k, v, { attnMask: wave(4, 3, 5) })
    close(y, [0.01554441, 0.42365472, 0.62399021, -0.62572667, 0.1155308, 0.35876898])
    expectLoss(model, [y, weights!], 0.83075104, { in_proj_weight: -0.09300602, in_proj_bias: -0.10668308, 'out_proj.weight': 1.4460262, 'out_proj.bias': -0.48541105 })
  })

  test('of keys and values of other sizes, without biases, the batch second', () => {
    const model = filled(new MultiheadAttention(4, 2, { kdim: 3, vdim: 5, bias: false, ...f64 }))
    const [y, weights] = model.forward(wave(3, 2, 4), wave(5, 2, 3), wave(5, 2, 5))
    close(y, [-0.61408068, 0.70899958, -0.31278543, -0.30009918, 0.30452775, -0.56834709])
    close(weights!, [0.14203522, 0.14944416, 0.41725562, 0.14486586, 0.14639914, 0.15257263])
    expectLoss(model, [y, weights!], 0.23497658, { q_proj_weight: 0.00025192, k_proj_weight: 0.00733395, v_proj_weight: 1.38291244, 'out_proj.weight': 1.61444157 })
  })

  test('with a learned key and one of zeros behind', () => {
    const model = filled(new MultiheadAttention(4, 2, { addBiasKv: true, addZeroAttn: true, batchFirst: true, ...f64 }))
    const [y, weights] = model.forward(q, k, v, { keyPaddingMask: padding })
    expect(weights!.shape).toEqual([2, 3, 7])
    close(y, [0.47621372, -0.30723789, -0.28479032, -0.42301881, 0.47301555, -0.34904556])
    close(weights!, [0.08547343, 0.26781111, 0, 0.27281319, 0, 0.20029448])
    expectLoss(model, [y, weights!], 0.32608671, { in_proj_weight: 0.15786246, in_proj_bias: -0.11833377, bias_k: 0.10317411, bias_v: 0.00501518, 'out_proj.weight': -1.08373516, 'out_proj.bias': -0.48541105 })
  })

  test('without a batch, of the past alone', () => {
    const model = filled(new MultiheadAttention(4, 2, f64))
    const x = wave(3, 4)
    const [y, weights] = model.forward(x, x, x, { attnMask: generateSquareSubsequentMask(3), isCausal: true })
    expect([y.shape, weights!.shape]).toEqual([[3, 4], [3, 3]])
    close(y, [0.26845676, 0.13509188, 0.74831238, -0.49968862, 0.218241, 0.28832548])
    close(weights!, [1.0, 0, 0, 0.72590928, 0.27409072, 0])
    expectLoss(model, [y, weights!], 1.19698339, { in_proj_weight: -0.04470578, in_proj_bias: -0.15628775, 'out_proj.weight': 2.25406323, 'out_proj.bias': 1.93023638 })
    close(model.forward(x, { causal: true }), [0.26845676, 0.13509188, 0.74831238, -0.49968862, 0.218241, 0.28832548])
  })
})

// the expected numbers of this block are PyTorch 2.15's, in float64
describe('as in PyTorch: transformers', () => {
  const small = { batchFirst: true, feedForward: 6, dropout: 0, ...f64 }

  test('an encoder layer that normalises after its parts, and one that does so before', () => {
    const after = filled(new TransformerEncoderLayer(4, 2, { ...small, activation: 'gelu' }))
    expectLoss(after, [after.forward(wave(2, 5, 4), { srcKeyPaddingMask: padding })], 0.31300947, { 'self_attn.in_proj_weight': -3.06947167, 'self_attn.in_proj_bias': -1.35248143, 'self_attn.out_proj.weight': 0, 'self_attn.out_proj.bias': 0, 'linear1.weight': 0.3910371, 'linear1.bias': -0.1674419, 'linear2.weight': 0, 'linear2.bias': 0, 'norm1.weight': -0.14367188, 'norm1.bias': 0.04154261, 'norm2.weight': 6.12888654, 'norm2.bias': 1.35237778 })
    const before = filled(new TransformerEncoderLayer(4, 2, { ...small, activation: 'gelu', normFirst: true }))
    expectLoss(before, [before.forward(wave(2, 5, 4), { srcKeyPaddingMask: padding })], 22.12566301, { 'self_attn.in_proj_weight': 0.58005555, 'self_attn.in_proj_bias': -0.54704726, 'self_attn.out_proj.weight': 0.14527346, 'self_attn.out_proj.bias': 1.35237778, 'linear1.weight': 1.59136878, 'linear1.bias': 0.52770799, 'linear2.weight': 2.98772611, 'linear2.bias': 1.35237778, 'norm1.weight': -0.0678544, 'norm1.bias': 0.14683377, 'norm2.weight': 1.9655506, 'norm2.bias': 0.27092889 })
  })

  test('a decoder layer, either way', () => {
    const masks = { tgtMask: generateSquareSubsequentMask(3), memoryKeyPaddingMask: padding }
    const after = filled(new TransformerDecoderLayer(4, 2, small))
    expectLoss(after, [after.forward(q, k, masks)], -1.4489139, { 'self_attn.in_proj_weight': -0.32866164, 'self_attn.in_proj_bias': 0.54310323, 'self_attn.out_proj.weight': 0, 'self_attn.out_proj.bias': 0, 'multihead_attn.in_proj_weight': 0.1210359, 'multihead_attn.in_proj_bias': -0.6296222, 'multihead_attn.out_proj.weight': 0, 'multihead_attn.out_proj.bias': 0, 'linear1.weight': -0.06341538, 'linear1.bias': 0.07773865, 'linear2.weight': 0, 'linear2.bias': 0, 'norm1.weight': 1.04023102, 'norm1.bias': 0.04040278, 'norm2.weight': 0.13418092, 'norm2.bias': 0.19986747, 'norm3.weight': -0.3239672, 'norm3.bias': -0.48541105 })
    const before = filled(new TransformerDecoderLayer(4, 2, { ...small, normFirst: true }))
    expectLoss(before, [before.forward(q, k, masks)], 12.0929896, { 'self_attn.in_proj_weight': 0.19750827, 'self_attn.in_proj_bias': 0.20742694, 'self_attn.out_proj.weight': -0.83160888, 'self_attn.out_proj.bias': -0.48541105, 'multihead_attn.in_proj_weight': 0.16019906, 'multihead_attn.in_proj_bias': 0.23842835, 'multihead_attn.out_proj.weight': 0.57557695, 'multihead_attn.out_proj.bias': -0.48541105, 'linear1.weight': 1.49786073, 'linear1.bias': 0.57777372, 'linear2.weight': -0.83903602, 'linear2.bias': -0.48541105, 'norm1.weight': 0.08521489, 'norm1.bias': -0.04843024, 'norm2.weight': -0.07906273, 'norm2.bias': -0.04904423, 'norm3.weight': 0.64466731, 'norm3.bias': 0.41387106 })
  })

  test('a stack of encoder layers with a last normalisation', () => {
    const model = filled(new TransformerEncoder(() => new TransformerEncoderLayer(4, 2, small), 2, new LayerNorm(4, f64)))
    expect(model.namedParameters().slice(-3).map(([name]) => name)).toEqual(['layers.1.norm2.bias', 'norm.weight', 'norm.bias'])
    const y = model.forward(wave(2, 5, 4))
    close(y, [-0.31070891, -0.69005707, -0.2222076, 0.36503834, -0.30965865, -0.70325728])
    expectLoss(model, [y], -0.93842629)
  })

  test('a whole transformer', () => {
    const model = filled(new Transformer(4, 2, { numEncoderLayers: 2, numDecoderLayers: 2, ...small }))
    const y = model.forward(wave(2, 5, 4), shifted(1, 2, 3, 4), { tgtIsCausal: true, srcKeyPaddingMask: padding, memoryKeyPaddingMask: padding })
    close(y, [-0.38642134, 0.27315533, 0.24951824, -0.40854042, -0.39357714, 0.27364993])
    expectLoss(model, [y], 0.01242937)
    close(sum(new Map(model.namedParameters()).get('decoder.layers.0.multihead_attn.in_proj_weight')!.grad!), [0.02645459])
  })
})

describe('attention', () => {
  test('takes weighted means: rows of weights sum to 1 whatever is hidden', () => {
    const model = new MultiheadAttention(4, 2, { addBiasKv: true, addZeroAttn: true, batchFirst: true, generator: new Generator(1), ...f64 })
    for (const masks of [{}, { isCausal: true }, { keyPaddingMask: padding }, { isCausal: true, keyPaddingMask: padding, attnMask: wave(3, 5) }]) {
      const [, weights] = model.forward(q, k, v, masks)
      close(sum(weights!, -1), new Array<number>(6).fill(1))
    }
    const [, weights] = model.forward(q, k, v, { isCausal: true })
    expect(numbers(narrow(weights!, 1, 0, 1)).slice(1, 5)).toEqual([0, 0, 0, 0])
  })

  test('by rotary positions depends on how far apart places are, not on where they are', () => {
    const [a, b] = [new Generator(1).normal([1, 8], f64), new Generator(2).normal([1, 8], f64)]
    const at = (x: Tensor, place: number, interleaved: boolean): Tensor => rotaryEmbedding(x, { positions: tensor([place], { dtype: 'int32' }), interleaved })
    for (const interleaved of [true, false]) {
      const product = (m: number, n: number): Tensor => sum(mul(at(a, m, interleaved), at(b, n, interleaved)))
      close(product(9, 4), numbers(product(5, 0)))
      expect(Math.abs(product(9, 4).item() - product(9, 5).item())).toBeGreaterThan(1e-3)
    }
    const model = new MultiheadAttention(8, 2, { rotary: true, batchFirst: true, generator: new Generator(3), ...f64 })
    const x = new Generator(4).normal([1, 5, 8], f64)
    const plain = new MultiheadAttention(8, 2, { batchFirst: true, ...f64 })
    plain.loadStateDict(model.stateDict())
    expect(String(model.forward(x))).not.toBe(String(plain.forward(x)))
  })

  test('what does not fit is refused', () => {
    const model = new MultiheadAttention(4, 2, { batchFirst: true, ...f64 })
    expect(() => model.forward(q, k, shifted(2, 2, 4, 4))).toThrowErrorMatchingInlineSnapshot(`[BpError: MultiheadAttention: needs queries [n, l, 4], keys [n, s, 4] and values [n, s, 4], all or none with a batch, got f64[2,3,4], f64[2,5,4], f64[2,4,4]]`)
    expect(() => model.forward(q, k, v, { attnMask: wave(3, 4) })).toThrowErrorMatchingInlineSnapshot(`[BpError: MultiheadAttention: attnMask must be [3,5] or [n·heads, queries, keys] = [4,3,5], got f64[3,4]]`)
    expect(() => model.forward(q, k, v, { keyPaddingMask: wave(3, 4) })).toThrowErrorMatchingInlineSnapshot(`[BpError: MultiheadAttention: keyPaddingMask must be [n, keys] = [2,5], got f64[3,4]]`)
    expect(() => new MultiheadAttention(5, 2)).toThrowErrorMatchingInlineSnapshot(`[BpError: MultiheadAttention: 5 features do not divide into 2 heads]`)
    expect(() => new TransformerEncoder(() => new TransformerEncoderLayer(4, 2), 0)).toThrowErrorMatchingInlineSnapshot(`[BpError: TransformerEncoder: needs at least one layer, got 0]`)
    expect(() => new LearnedPositions(2, 4, { batchFirst: true }).forward(narrow(q, 0, 0, 1))).toThrowErrorMatchingInlineSnapshot(`[BpError: LearnedPositions: has 2 places of 4 features, got f64[1,3,4]]`)
  })
})

test('positions are the published ones, and learned ones learn', () => {
  // sin and cos of 2 and of 2/100
  close(narrow(sinusoidalPositions(3, 4, 'float64'), 0, 2, 1), [Math.sin(2), Math.cos(2), Math.sin(0.02), Math.cos(0.02)])
  close(new SinusoidalPositions({ batchFirst: true }).forward(mul(q, 0)), [0, 1, 0, 1, Math.sin(1), Math.cos(1)])
  close(transpose(new SinusoidalPositions().forward(transpose(q, [1, 0, 2])), [1, 0, 2]), numbers(new SinusoidalPositions({ batchFirst: true }).forward(q)))
  expect(() => new SinusoidalPositions().forward(ones([4]))).toThrowErrorMatchingInlineSnapshot('[BpError: SinusoidalPositions: needs [length, n, dim], or [length, dim] for one sequence, got f32[4]]')
  const learned = new LearnedPositions(5, 4, { batchFirst: true, ...f64 })
  total(learned.forward(q)).backward()
  close(narrow(learned.weight.grad!, 0, 3, 2), new Array<number>(8).fill(0))
  close(narrow(learned.weight.grad!, 0, 0, 3), numbers(sum(q, 0)))
})

test('a compiled training step does what the eager one does, dropout of weights included', () => {
  const source = new Generator(8).normal([2, 5, 4]), target = new Generator(9).normal([2, 3, 4])
  const losses = (compiled: boolean): number[] => {
    const model = new Transformer(4, 2, { numEncoderLayers: 1, numDecoderLayers: 1, feedForward: 6, dropout: 0.2, rotary: true, batchFirst: true, generator: new Generator(1) })
    const optimiser = new Adam(model.parameters(), { lr: 0.01 })
    const eager = (s: Tensor, t: Tensor): Tensor => {
      optimiser.zeroGrad()
      const loss = sum(square(sub(model.forward(s, t, { tgtIsCausal: true, srcKeyPaddingMask: padding, memoryKeyPaddingMask: padding }), t)))
      loss.backward()
      optimiser.step()
      return detach(loss)
    }
    const step = compiled ? compile(eager) : eager
    return Array.from({ length: 3 }, () => step(source, target).item())
  }
  const [eager, compiled] = [losses(false), losses(true)]
  compiled.forEach((loss, i) => { expect(Math.abs(loss - eager[i]!)).toBeLessThan(1e-4 * eager[i]!) })
  expect(new Set(eager).size).toBe(3)
})

test('the gradient by the input does not reach what is hidden', () => {
  const model = new MultiheadAttention(4, 2, { batchFirst: true, generator: new Generator(1), ...f64 })
  const first = grad((x: Tensor) => sum(square(narrow(model.forward(x, { causal: true }), 1, 0, 1))))(q)
  expect(numbers(narrow(first, 1, 1, 2)).every(g => g === 0)).toBe(true)
  expect(numbers(transpose(narrow(first, 1, 0, 1), [1, 0, 2])).some(g => g !== 0)).toBe(true)
})
