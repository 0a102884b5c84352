// autocast: which ops compute in which type, by every way to run them, with gradients in the parameters' own type.

import { cpu } from '@bp/backend-cpu'
import { amax, cast, concat, convolve, cos, crossEntropy, cumSum, einsum, exp, gelu, layerNorm, linear, log, logSoftmax, matmul, mean, mseLoss, norm, pow, prod, reciprocal, relu, reshape, softmax, softplus, stack, sum, svd, tanh } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { bind, defineOp, printGraph, trace } from './extend.ts'
import { add, autocast, checkpoint, compile, grad, type DType, jvp, mul, noGrad, ones, type Tensor, tensor, use, Variable, vmap } from './index.ts'

use(cpu())

const numbers = (x: Tensor): number[] => Array.from((cast(x, 'float64').dataSync()) as Float64Array)
const close = (got: Tensor, want: readonly number[], relative: number): void => {
  const most = Math.max(...want.map(Math.abs))
  numbers(got).forEach((value, i) => { expect(Math.abs(value - want[i]!)).toBeLessThanOrEqual(relative * most) })
}

const x = tensor([[0.1, -1.3, 2.7], [3.3, 0.7, -0.9]])
const w = tensor([[0.31, -0.52, 0.13], [0.77, 0.21, -0.48]])
const b = tensor([0.05, -0.15])
const half = cast(x, 'float16')

describe('types', () => {
  test.each<[name: string, DType, () => Tensor]>([
    ['a product', 'float16', () => matmul(x, reshape(w, [3, 2]))],
    ['a product of types that differ', 'float16', () => linear(half, w)],
    ['a linear layer with its bias', 'float16', () => linear(x, w, b)],
    ['a sum of products by name', 'float16', () => einsum('ij,kj->ik', x, w)],
    ['a convolution with its bias', 'float16', () => convolve(reshape(x, [1, 2, 3]), ones([4, 2, 2]), { bias: ones([4]) })],
    ['a product in float64, which stays', 'float64', () => matmul(cast(x, 'float64'), reshape(w, [3, 2]))],
    ['a product of whole numbers, which stays', 'int32', () => matmul(cast(x, 'int32'), cast(reshape(w, [3, 2]), 'int32'))],
    ['an activation', 'float16', () => relu(half)],
    ['an activation of several ops', 'float16', () => gelu(half)],
    ['where types meet, the wider', 'float32', () => add(half, x)],
    ['joined tensors, the wider', 'float32', () => concat([half, x])],
    ['exp', 'float32', () => exp(half)],
    ['log', 'float32', () => log(half)],
    ['pow', 'float32', () => pow(half, 2)],
    ['a reciprocal', 'float32', () => reciprocal(half)],
    ['sum', 'float32', () => sum(half)],
    ['mean', 'float32', () => mean(half, 0)],
    ['prod', 'float32', () => prod(half)],
    ['running sums', 'float32', () => cumSum(half)],
    ['a norm', 'float32', () => norm(half)],
    ['softmax', 'float32', () => softmax(half)],
    ['logSoftmax', 'float32', () => logSoftmax(half)],
    ['softplus', 'float32', () => softplus(half)],
    ['layerNorm', 'float32', () => layerNorm(half, 1)],
    ['cross-entropy', 'float32', () => crossEntropy(half, tensor([0, 1], { dtype: 'int32' }))],
    ['a loss of both types', 'float32', () => mseLoss(half, x)],
    ['linear algebra', 'float32', () => svd(half)[1]],
    ['the largest', 'float16', () => amax(half)],
  ])('%s: %s', (_name, dtype, f) => {
    expect(autocast(f).dtype).toBe(dtype)
  })

  test('what needs range does not overflow where float16 does', () => {
    const large = cast(tensor([300, 400]), 'float16')
    expect(norm(large).item()).toBe(Infinity)
    expect(autocast(() => norm(large)).item()).toBe(500)
    expect(autocast(() => mseLoss(large, cast(tensor([0, 0]), 'float16'))).item()).toBe(125000)
  })

  test('a row says it itself', () => {
    const twice = defineOp({ name: 'acme/twice', arity: 1, fuse: 'map', precision: 'low', infer: ([z]) => z.aval, diff: { kind: 'linear', transpose: [ct => mul(ct, 2)] }, decompose: ([z]) => mul(z, 2) })
    expect(autocast(() => bind(twice, [x], undefined)).dtype).toBe('float16')
  })

  test('off inside, on again inside that', () => {
    const product = (): DType => linear(x, w).dtype
    expect(autocast(() => [product(), autocast(() => [product(), autocast(product)], { enabled: false }), product()].flat())).toEqual(['float16', 'float32', 'float16', 'float16'])
    expect(() => autocast(() => { throw new Error('stop') })).toThrow('stop')
    expect(product()).toBe('float32')
  })
})

describe('values', () => {
  // torch.autocast('cpu', dtype=torch.float16), PyTorch 2.15; one unit in float16's last place apart at most
  const unit = 2 ** -10

  test('a linear layer and a convolution', () => {
    close(autocast(() => linear(x, w, b)), [1.107421875, -1.6416015625, 0.59228515625, 2.970703125], unit)
    const image = reshape(mul(tensor(Float32Array.from({ length: 9 }, (_, i) => i)), 0.1), [1, 1, 3, 3])
    close(autocast(() => convolve(image, tensor([[[[0.3, -0.7], [0.11, 0.9]]]]), { bias: tensor([0.2]) })), [0.52294921875, 0.583984375, 0.7060546875, 0.7666015625], unit)
  })

  const loss = (p: { w: Tensor; b: Tensor; v: Tensor }): Tensor => {
    const y = linear(x, p.w, p.b)
    return add(mseLoss(y, tensor([[1, 0], [0, 1]])), mul(sum(linear(relu(y), p.v)), 0.1))
  }
  const parameters = { w, b, v: tensor([[0.9, -0.4]]) }
  const expected = { w: [1.2890625, 0.08367919921875, 0.040252685546875, 3.0390625, 1.728515625, -3.06640625], b: [0.52978515625, 0.12451171875], v: [0.169921875, 0.297119140625] }

  test.each<[string, () => { w: Tensor; b: Tensor; v: Tensor }]>([
    ['grad of a region', () => grad((p: typeof parameters) => autocast(() => loss(p)))(parameters)],
    ['grad in a region', () => autocast(() => grad(loss)(parameters))],
    ['compiled', () => compile(grad((p: typeof parameters) => autocast(() => loss(p))))(parameters)],
    ['compiled around', () => autocast(() => compile(grad(loss))(parameters))],
    ['checkpointed', () => grad((p: typeof parameters) => autocast(() => checkpoint(loss, p)))(parameters)],
  ])('gradients are float32, and PyTorch’s: %s', (_name, f) => {
    const { w, b, v } = f()
    expect([w, b, v].map(g => g.dtype)).toEqual(['float32', 'float32', 'float32'])
    close(w, expected.w, unit)
    close(b, expected.b, unit)
    close(v, expected.v, unit)
  })

  test('jvp goes along, and agrees with grad', () => {
    const f = (z: Tensor): Tensor => autocast(() => mean(tanh(linear(x, z))))
    const [y, t] = jvp(f, [w], [ones([2, 3])])
    expect(y.item()).toBe(f(w).item())
    expect(t.item()).toBeCloseTo(sum(grad(f)(w)).item(), 3)
    expect(autocast(() => jvp(z => mean(tanh(linear(x, z))), [w], [ones([2, 3])]))[1].item()).toBe(t.item())
  })

  test('vmap goes along', () => {
    const f = (z: Tensor): Tensor => autocast(() => exp(linear(x, z)))
    const batch = vmap(f)(stack([w, mul(w, 2)]))
    expect(numbers(batch)).toEqual([...numbers(f(w)), ...numbers(f(mul(w, 2)))])
  })

  test('second derivatives', () => {
    const f = (z: Tensor): Tensor => mean(cos(linear(x, z)))
    const twice = (on: boolean): number[] => numbers(grad((z: Tensor) => sum(mul(grad((z: Tensor) => autocast(() => f(z), { enabled: on }))(z), w)))(w))
    close(tensor(twice(true)), twice(false), 4 * unit)
  })
})

describe('casts of leaves', () => {
  test('a weight used several times is cast once, until it is assigned', () => {
    const v = new Variable(tensor([[1, 2], [3, 4]]))
    v.requiresGrad = true
    const y = cast(ones([2, 2]), 'float16')
    autocast(() => {
      const first = matmul(y, v).node!.edges[1]
      expect(matmul(y, v).node!.edges[1]).toBe(first)
      v.assign(mul(v, 2))
      expect(matmul(y, v).node!.edges[1]).not.toBe(first)
      expect(matmul(y, v).toArray()).toEqual([[8, 12], [8, 12]])
    })
  })

  test('one made without recording, or used up by a backward pass, is not used again', () => {
    const v = new Variable(tensor([[1, 2], [3, 4]]))
    v.requiresGrad = true
    const y = cast(ones([2, 2]), 'float16')
    autocast(() => {
      noGrad(() => matmul(y, v))
      sum(matmul(y, v)).backward()
      sum(matmul(y, v)).backward()
    })
    expect(v.grad!.toArray()).toEqual([[4, 4], [4, 4]])
  })
})

test('a compiled function called in a region and outside of it is two programs', () => {
  const f = compile((z: Tensor) => linear(z, z))
  expect([f(x).dtype, autocast(() => f(x)).dtype, f(x).dtype]).toEqual(['float32', 'float16', 'float32'])
})

test('the casts stand in the graph, and inside of an op there are none', () => {
  expect(printGraph(trace(z => autocast(() => softmax(linear(z, z))), [{ shape: [2, 2], dtype: 'float32' }]))).toMatchInlineSnapshot(`
    "graph(%0: f32[2,2]) {
      %1: f16[2,2] = cast(%0) {"dtype":"float16"}
      %2: f16[2,2] = cast(%0) {"dtype":"float16"}
      %3: f16[2,2] = dot(%1, %2) {"ta":false,"tb":true}
      %4: f32[2,2] = cast(%3) {"dtype":"float32"}
      %5: f32[2,2] = softmax(%4) {"axis":1}
      return %5
    }"
  `)
})

test('errors', () => {
  expect(() => autocast(() => x, { dtype: 'bfloat16' as 'float16' })).toThrowErrorMatchingInlineSnapshot(`[BpError: autocast: cannot compute products in bfloat16: there is no bfloat16 here, and wider types gain nothing. Use 'float16' with a GradScaler]`)
  expect(() => autocast(() => Promise.resolve(x))).toThrowErrorMatchingInlineSnapshot(`[BpError: autocast: the function is async, so the setting would not last past its first await. Await first, then compute inside a plain function]`)
})
