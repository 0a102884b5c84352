// Recurrent layers give PyTorch's numbers, go by each sequence's own length, and compile as whole training steps.

import { compile, mul, type Tensor, tensor, use } from '@bp/core'
import { describe as form } from '@bp/core/extend'
import { cpu } from '@bp/backend-cpu'
import { detach, flip, Generator, narrow, reshape, square, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { close, filled, numbers, total, wave } from '../test/golden.ts'
import { Adam, type AnyModule, GRU, GRUCell, LSTM, LSTMCell, packPaddedSequence, padPackedSequence, padSequence, type RecurrentOptions, RNN, RNNCell, type SequenceOptions } from './index.ts'

use(cpu())

const f64 = { dtype: 'float64' as const }

/** A layer of any kind, and its outputs followed by its states. */
interface Subject {
  readonly model: AnyModule
  readonly run: (x: Tensor, options?: SequenceOptions) => Tensor[]
}

const kinds: readonly (readonly [string, (inputs: number, hidden: number, options: RecurrentOptions) => Subject])[] = [
  ['LSTM', (...args) => {
    const model = new LSTM(...args)
    return { model, run: (x, options) => model.forward(x, undefined, options).flat() }
  }],
  ['GRU', (...args) => {
    const model = new GRU(...args)
    return { model, run: (x, options) => model.forward(x, undefined, options) }
  }],
  ['RNN', (...args) => {
    const model = new RNN(...args)
    return { model, run: (x, options) => model.forward(x, undefined, options) }
  }],
]

/** Sum and second element of each parameter's gradient. */
function expectGradients(model: AnyModule, wanted: Readonly<Record<string, readonly [number, number]>>): void {
  expect(model.namedParameters().map(([name]) => name)).toEqual(Object.keys(wanted))
  for (const [name, p] of model.namedParameters()) {
    close(sum(p.grad!), [wanted[name]![0]], `sum of ${name}`)
    close(narrow(reshape(p.grad!, [p.size]), 0, 1, 1), [wanted[name]![1]], name)
  }
}

// the expected numbers of this block are PyTorch 2.15's, in float64
describe('as in PyTorch', () => {
  test('an LSTM of two layers in both directions', () => {
    const model = filled(new LSTM(3, 2, { numLayers: 2, bidirectional: true, ...f64 }))
    const [y, [h, c]] = model.forward(wave(4, 2, 3))
    close(y, [0.09455986, 0.04565473, 0.06019689, -0.11043186, 0.08909402, 0.04768365])
    close(h, [0.15861591, 0.21198229, 0.0706473, 0.22996699])
    close(c, [0.36571146, 0.44393672, 0.1688792, 0.56096639])
    total(y, h, c).backward()
    expectGradients(model, {
      weight_ih_l0: [2.17779478, 0.11725217], weight_hh_l0: [0.48019435, 0.04090631], bias_ih_l0: [1.61286965, 0.12653116], bias_hh_l0: [1.61286965, 0.12653116],
      weight_ih_l0_reverse: [-2.38017186, 0.08936144], weight_hh_l0_reverse: [-0.71572379, -0.0214217], bias_ih_l0_reverse: [-2.26807255, -0.28027799], bias_hh_l0_reverse: [-2.26807255, -0.28027799],
      weight_ih_l1: [2.23354236, 0.0927425], weight_hh_l1: [0.8115652, 0.0490025], bias_ih_l1: [3.91048666, 0.3496939], bias_hh_l1: [3.91048666, 0.3496939],
      weight_ih_l1_reverse: [-1.82879783, -0.0277571], weight_hh_l1_reverse: [0.08266802, 0.01306308], bias_ih_l1_reverse: [-3.17267824, 0.31663146], bias_hh_l1_reverse: [-3.17267824, 0.31663146],
    })
  })

  test('an LSTM with a projection, from a state', () => {
    const model = filled(new LSTM(3, 4, { projSize: 2, ...f64 }))
    const [y, [h, c]] = model.forward(wave(4, 2, 3), [wave(1, 2, 2), wave(1, 2, 4)])
    close(y, [-0.14528291, 0.00877583, 0.07455158, 0.08205598, -0.15244851, 0.03302268])
    close(h, [0.07795251, -0.04407468, 0.03999162, -0.00333959])
    close(c, [-0.24507702, 0.15025142, -0.19223636, 0.21858265])
    total(y, h, c).backward()
    expectGradients(model, {
      weight_ih_l0: [2.05178407, -0.09506376], weight_hh_l0: [-0.15814538, -0.00312614], bias_ih_l0: [-0.13392895, 0.09704626], bias_hh_l0: [-0.13392895, 0.09704626], weight_hr_l0: [0.4494214, 0.31702063],
    })
  })

  test('a GRU of two layers, from a state', () => {
    const model = filled(new GRU(3, 2, { numLayers: 2, ...f64 }))
    const [y, h] = model.forward(wave(4, 2, 3), wave(2, 2, 2))
    close(y, [0.2964507, -0.07188707, 0.26296414, 0.32764461, 0.30125915, 0.45191555])
    close(h, [0.28349304, -0.05325131, -0.00047314, -0.30762673])
    total(y, h).backward()
    expectGradients(model, {
      weight_ih_l0: [-0.65292788, 0.00451662], weight_hh_l0: [0.28543821, 0.00053489], bias_ih_l0: [0.80123178, -0.00733351], bias_hh_l0: [0.35511326, -0.00733351],
      weight_ih_l1: [-0.16860151, 0.03089989], weight_hh_l1: [-0.81320365, -0.08169226], bias_ih_l1: [-2.61971243, -0.1626195], bias_hh_l1: [-1.14658694, -0.1626195],
    })
  })

  test('an RNN with relu and the batch first, and one without bias on a single sequence', () => {
    const relu = filled(new RNN(3, 2, { nonlinearity: 'relu', batchFirst: true, ...f64 }))
    const [y, h] = relu.forward(wave(4, 2, 3))
    close(y, [0, 0, 0, 0.48000011, 0, 0])
    close(h, [0, 0.48000011, 0, 0])
    total(y, h).backward()
    expectGradients(relu, { weight_ih_l0: [-2.26846157, -0.03822989], weight_hh_l0: [-0.09004913, -0.09004913], bias_ih_l0: [0.72064819, 0.90896827], bias_hh_l0: [0.72064819, 0.90896827] })
    const single = filled(new RNN(3, 2, { bias: false, ...f64 }))
    const [ys, last] = single.forward(wave(4, 3))
    expect([ys.shape, last.shape]).toEqual([[4, 2], [1, 2]])
    close(ys, [0.3791543, -0.29163292, -0.74912386, 0.71501865, 0.64728962, -0.60453502])
    close(last, [0.09759594, -0.09236979])
    total(ys, last).backward()
    expectGradients(single, { weight_ih_l0: [5.82149065, 0.85280782], weight_hh_l0: [0.05721326, -0.53639183] })
  })

  test('packed sequences, in both directions', () => {
    const model = filled(new GRU(3, 2, { bidirectional: true, ...f64 }))
    const [packed, h] = model.forward(packPaddedSequence(wave(4, 3, 3), [2, 4, 1], { enforceSorted: false }))
    const [y, lengths] = padPackedSequence(packed)
    expect(lengths).toEqual([2, 4, 1])
    close(y, [
      0.12505575, -0.03032972, -0.31072344, 0.63819838, -0.11751415, 0.02709434, 0.74484066, -0.25958811, 0.20883375, -0.25855125, 0.16031803, 0.433526,
      0.20501105, -0.04746058, -0.28655823, 0.39315847, -0.16657453, 0.04568526, 0.71593468, -0.26360292, 0, 0, 0, 0,
      0, 0, 0, 0, -0.18476446, 0.05896155, 0.64541078, -0.25964961, 0, 0, 0, 0, 0, 0, 0, 0, -0.18909784, 0.06844172, 0.46977789, -0.21818443, 0, 0, 0, 0,
    ])
    close(h, [0.20501105, -0.04746058, -0.18909784, 0.06844172, 0.20883375, -0.25855125, -0.31072344, 0.63819838, 0.74484066, -0.25958811, 0.16031803, 0.433526])
    total(y, h).backward()
    expectGradients(model, {
      weight_ih_l0: [3.67401758, 0.05651926], weight_hh_l0: [0.02609537, -0.00089769], bias_ih_l0: [-0.38413301, 0.01210163], bias_hh_l0: [-0.17537586, 0.01210163],
      weight_ih_l0_reverse: [-5.07053705, -0.01619683], weight_hh_l0_reverse: [0.20313731, -0.00413442], bias_ih_l0_reverse: [1.67712783, 0.11040733], bias_hh_l0_reverse: [0.80077707, 0.11040733],
    })
    const projecting = filled(new LSTM(3, 4, { projSize: 2, bidirectional: true, ...f64 }))
    const [out, [hn, cn]] = projecting.forward(packPaddedSequence(wave(4, 3, 3), [2, 4, 1], { enforceSorted: false }))
    close(total(padPackedSequence(out)[0], hn, cn), [0.69904694])
    close(hn, [0.16479941, -0.08616, 0.03134805, -0.01494168])
    close(cn, [-0.45914731, 0.27951939, -0.37962237, 0.4989996])
  })

  test('single steps', () => {
    const [h, c] = filled(new LSTMCell(3, 2, f64)).forward(wave(2, 3), [wave(2, 2), mul(wave(2, 2), 0.5)])
    close(h, [0.1586628, 0.25265198, -0.02187433, 0.09933564])
    close(c, [0.57047653, 0.44572022, -0.04510516, 0.26374361])
    close(filled(new GRUCell(3, 2, f64)).forward(wave(2, 3), wave(2, 2)), [0.79043476, 0.38559172, -0.03773931, -0.37187145])
    close(filled(new RNNCell(3, 2, f64)).forward(wave(2, 3), wave(2, 2)), [-0.02967891, 0.0619409, -0.91412581, 0.43012586])
  })
})

describe('sequences', () => {
  const lengths = [3, 5, 1]
  const x = new Generator(4).normal([5, 3, 2], f64)

  test.each(kinds)('of different lengths give what each gives alone, gradients too: %s', (_name, make) => {
    const { model, run } = make(2, 3, { bidirectional: true, numLayers: 2, ...f64 })
    filled(model)
    const [y, ...together] = run(x, { lengths }) as [Tensor, ...Tensor[]]
    total(...lengths.map((length, i) => narrow(narrow(y, 1, i, 1), 0, 0, length))).backward()
    const grads = model.parameters().map(p => p.grad!)
    model.zeroGrad()
    lengths.forEach((length, i) => {
      const [alone, ...last] = run(narrow(narrow(x, 1, i, 1), 0, 0, length)) as [Tensor, ...Tensor[]]
      close(narrow(narrow(y, 1, i, 1), 0, 0, length), numbers(alone), `outputs of sequence ${i}`)
      if (length < 5) expect(new Set(numbers(narrow(narrow(y, 1, i, 1), 0, length, 5 - length)))).toEqual(new Set([0]))
      last.forEach((s, k) => { close(narrow(together[k]!, 1, i, 1), numbers(s), `state of sequence ${i}`) })
      total(alone).backward()
    })
    model.parameters().forEach((p, k) => { close(p.grad!, numbers(grads[k]!), `gradient ${k}`) })
  })

  test('what lies after their end, not even NaN, reaches a gradient', () => {
    const spoilt = tensor((x.dataSync() as Float64Array).map((v, k) => Math.floor(k / 6) >= lengths[Math.floor(k / 2) % 3]! ? NaN : v), { shape: x.shape })
    const model = filled(new LSTM(2, 3, f64))
    sum(model.forward(spoilt, undefined, { lengths })[0]).backward()
    expect(Number.isFinite(sum(square(model.parameters()[0]!.grad!)).item())).toBe(true)
  })

  test('lengths as a tensor need not be known when a step is compiled', () => {
    const model = filled(new GRU(2, 3, f64))
    const run = compile((xs: Tensor, counts: Tensor) => model.forward(xs, undefined, { lengths: counts })[0])
    const counts = (...list: number[]): Tensor => tensor(list, { dtype: 'int32' })
    for (const list of [lengths, [5, 5, 2]]) close(run(detach(x), counts(...list)), numbers(model.forward(x, undefined, { lengths: list })[0]))
    expect(run.size).toBe(1)
  })

  test('the reverse direction is the network on the reversed sequence', () => {
    const both = filled(new RNN(2, 3, { bidirectional: true, ...f64 }))
    const there = new RNN(2, 3, f64)
    there.loadStateDict(new Map([...both.stateDict()].flatMap(([name, p]) => name.endsWith('_reverse') ? [[name.slice(0, -8), p]] : [])))
    close(narrow(both.forward(x)[0], 2, 3, 3), numbers(flip(there.forward(flip(x, 0))[0], 0)))
  })

  test('packing and padding undo each other', () => {
    const packed = packPaddedSequence(x, lengths, { enforceSorted: false })
    expect([packed.batchSizes, packed.sortedIndices, packed.lengths]).toEqual([[3, 2, 2, 1, 1], [1, 0, 2], lengths])
    const [padded] = padPackedSequence(packed, { batchFirst: true, totalLength: 6, paddingValue: -1 })
    expect(form(padded)).toBe('f64[3,6,2]')
    close(narrow(padded, 1, 5, 1), [-1, -1, -1, -1, -1, -1])
    expect(String(packPaddedSequence(padded, lengths, { batchFirst: true, enforceSorted: false }).data)).toBe(String(packed.data))
    expect(String(padSequence([tensor([1, 2, 3]), tensor([4])]))).toBe('tensor([[1, 4], [2, 0], [3, 0]], float32)')
    expect(() => packPaddedSequence(x, lengths)).toThrowErrorMatchingInlineSnapshot(`[BpError: packPaddedSequence: the longest sequences must come first, got lengths [3,5,1]. Pass { enforceSorted: false } to have them sorted]`)
    expect(() => packPaddedSequence(x, [3, 6, 1])).toThrowErrorMatchingInlineSnapshot(`[BpError: packPaddedSequence: lengths must be 3 whole numbers from 1 to the 5 steps of f64[5,3,2], got [3,6,1]]`)
  })
})

describe('training', () => {
  test.each(kinds)('a compiled step does what the eager one does, dropout included: %s', (_name, make) => {
    const x = new Generator(2).normal([6, 2, 3])
    const losses = (compiled: boolean): number[] => {
      const { model, run } = make(3, 4, { numLayers: 2, dropout: 0.4, generator: new Generator(1) })
      const optimiser = new Adam(model.parameters(), { lr: 0.05 })
      const eager = (xs: Tensor): Tensor => {
        optimiser.zeroGrad()
        const loss = sum(square(run(xs, { lengths: [6, 4] })[0]!))
        loss.backward()
        optimiser.step()
        return detach(loss)
      }
      const step = compiled ? compile(eager) : eager
      return Array.from({ length: 4 }, () => step(x).item())
    }
    const [eager, compiled] = [losses(false), losses(true)]
    compiled.forEach((loss, i) => { expect(Math.abs(loss - eager[i]!)).toBeLessThan(1e-5 * eager[i]!) })
    expect(new Set(eager).size).toBe(4)
  })

  test('what does not fit is refused', () => {
    const model = new LSTM(3, 4)
    const x = new Generator(2).normal([6, 2, 3])
    expect(() => model.forward(new Generator(2).normal([6, 2, 4]))).toThrowErrorMatchingInlineSnapshot(`[BpError: lstm: the input of a layer has 4 features (f32[6,2,4]), its weight f32[16,3] takes 3]`)
    expect(() => model.forward(x, [x, x])).toThrowErrorMatchingInlineSnapshot(`[BpError: lstm: the initial h must be [layers·directions, n, size] = [1,2,4], got f32[6,2,3]]`)
    expect(() => model.forward(x, undefined, { lengths: [7, 2] })).toThrowErrorMatchingInlineSnapshot(`[BpError: lstm: a length must be a whole number from 1 to the 6 steps of f32[6,2,3], got 7]`)
    expect(() => model.forward(x, undefined, { lengths: [3] })).toThrowErrorMatchingInlineSnapshot(`[BpError: lstm: lengths must hold one number for each of the 2 sequences, got i32[1]]`)
    expect(() => new LSTM(3, 4, { projSize: 4 })).toThrowErrorMatchingInlineSnapshot(`[BpError: LSTM: projSize must be smaller than the 4 of the hidden size, got 4]`)
  })
})
