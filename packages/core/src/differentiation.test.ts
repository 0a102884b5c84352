// Differentiation in every mode: nesting, orders, PyTorch's rules about graphs, and what is recorded.

import { cpu } from '@bp/backend-cpu'
import { exp, matmul, mean, sin, softplus, square, sum, tanh } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { bind, bindMany, defineComposite, defineOp } from './extend.ts'
import { add, backward, enableGrad, grad, gradients, isGradEnabled, jvp, mul, noGrad, tapeMemory, type Tensor, tensor, use, valueAndGrad, Variable, vjp } from './index.ts'

use(cpu())
const f64 = { dtype: 'float64' } as const
type F = (x: Tensor) => Tensor
/** The derivative of a scalar function, forward. */
const forward = (f: F): F => x => jvp(f, [x], [tensor(1, { dtype: x.dtype })])[1]
/** The derivative of a scalar function, in reverse. */
const reverse = (f: F): F => grad(f)
const modes = { forward, reverse }
type Mode = keyof typeof modes
const pairs = (['forward', 'reverse'] as const).flatMap(a => (['forward', 'reverse'] as const).map((b): [Mode, Mode] => [a, b]))

describe('nesting', () => {
  test.each(pairs)('%s over %s does not confuse perturbations: d/dx[x · d/dy(x + y)] = 1', (outer, inner) => {
    const f: F = x => mul(x, modes[inner](y => add(x, y))(tensor(1)))
    expect(modes[outer](f)(tensor(5)).item()).toBe(1)
  })

  test.each(pairs)('%s over %s gives the second derivative of tanh', (outer, inner) => {
    const y = Math.tanh(0.3)
    const got = modes[outer](modes[inner](tanh))(tensor(0.3, f64))
    expect(got.item()).toBeCloseTo(-2 * y * (1 - y * y), 12)
    expect(got.requiresGrad).toBe(false)
  })

  test('the third derivative of tanh, by grad of grad of grad', () => {
    const y = Math.tanh(0.3)
    expect(grad(grad(grad(tanh)))(tensor(0.3, f64)).item()).toBeCloseTo((1 - y * y) * (6 * y * y - 2), 12)
  })

  test('a Hessian-vector product is the same three ways', () => {
    const f = (x: Tensor): Tensor => sum(mul(exp(x), sin(matmul(x, tensor([[1, 2], [3, 4]], f64)))))
    const x = tensor([0.3, -0.2], f64), v = tensor([1, 2], f64)
    const ways = [
      jvp(grad(f), [x], [v])[1],
      grad((z: Tensor) => sum(mul(grad(f)(z), v)))(x),
      grad((z: Tensor) => jvp(f, [z], [v])[1])(x),
    ].map(h => Array.from(h.dataSync() as Float64Array))
    for (const way of ways) way.forEach((value, i) => { expect(value).toBeCloseTo(ways[0]![i]!, 10) })
    const step = 1e-5
    const at = (s: number): Float64Array => grad(f)(add(x, mul(v, s))).dataSync() as Float64Array
    ways[0]!.forEach((value, i) => { expect(value).toBeCloseTo((at(step)[i]! - at(-step)[i]!) / (2 * step), 6) })
  })

  test('a pullback can be called again, and be differentiated by its cotangent', () => {
    const [, pullback] = vjp((a: Tensor, b: Tensor) => mul(a, b), [tensor(3), tensor(4)])
    expect(pullback(tensor(1)).map(g => g.item())).toEqual([4, 3])
    expect(pullback(tensor(2)).map(g => g.item())).toEqual([8, 6])
    expect(grad((ct: Tensor) => pullback(ct)[0])(tensor(1)).item()).toBe(4)
  })

  test('what a function closes over stays differentiable outside', () => {
    const w = tensor(2, { requiresGrad: true })
    const inner = grad((x: Tensor) => mul(w, mul(x, x)))(tensor(3))
    inner.backward()
    expect(w.grad!.item()).toBe(6)
  })

  test('trees of parameters and any argument', () => {
    const loss = (p: { w: Tensor; b: readonly Tensor[] }, x: Tensor): Tensor => mean(square(add(mul(p.w, x), p.b[0]!)))
    const [value, g] = valueAndGrad(loss)({ w: tensor(2), b: [tensor(1)] }, tensor([1, 3]))
    expect([value.item(), g.w.item(), g.b[0]!.item()]).toEqual([29, 24, 10])
    expect(grad(loss, { argnum: 1 })({ w: tensor(2), b: [tensor(1)] }, tensor([1, 3])).toArray()).toEqual([6, 14])
  })
})

describe('backward, as in PyTorch', () => {
  test('adds to .grad, for each use and each pass', () => {
    const x = tensor(3, { requiresGrad: true })
    add(mul(x, x), x).backward()
    mul(x, 2).backward()
    expect(x.grad!.item()).toBe(9)
  })

  test('a second pass needs the first to have retained the graph', () => {
    const x = tensor(2, { requiresGrad: true })
    const y = mul(x, x)
    y.backward({ retainGraph: true })
    y.backward()
    expect(x.grad!.item()).toBe(8)
    expect(() => { y.backward() }).toThrowErrorMatchingInlineSnapshot('[BpError: backward: the graph was freed by an earlier backward pass (at mul). Pass { retainGraph: true } to the earlier backward() or gradients(), or compute the forward pass again]')
    expect(x.grad!.item()).toBe(8)
  })

  test('higher orders need createGraph, and the error says so', () => {
    const x = tensor(2, { requiresGrad: true })
    const cube = (): Tensor => mul(x, mul(x, x))
    expect(gradients(gradients(cube(), [x], { createGraph: true })[0]!, [x])[0]!.item()).toBe(12)
    const [first] = gradients(cube(), [x])
    expect(() => gradients(first!, [x])).toThrowErrorMatchingInlineSnapshot('[BpError: gradients: the tensor does not require grad. Set requiresGrad = true on an input before the forward pass, outside noGrad; if it is itself a gradient, compute that with { createGraph: true }]')
  })

  test('needs a scalar or a cotangent that fits', () => {
    const y = mul(tensor([1, 2], { requiresGrad: true }), 2)
    expect(() => { y.backward() }).toThrowErrorMatchingInlineSnapshot('[BpError: backward: needs a scalar, got f32[2]. Reduce it with sum or mean, or pass { gradient }]')
    expect(() => { backward(y, { gradient: tensor([1]) }) }).toThrow(/the cotangent is f32\[1\], the tensor f32\[2\]/)
  })

  test('only the inputs named get a gradient', () => {
    const [a, b] = [tensor(2, { requiresGrad: true }), tensor(3, { requiresGrad: true })]
    mul(a, b).backward({ inputs: [a] })
    expect([a.grad!.item(), b.grad]).toEqual([3, null])
  })

  test('gradients of tensors inside the graph, null where nothing depends on them', () => {
    const x = tensor(2, { requiresGrad: true })
    const h = mul(x, x)
    const other = tensor(1, { requiresGrad: true })
    const [dh, dother] = gradients(mul(h, 3), [h, other])
    expect([dh!.item(), dother]).toEqual([3, null])
  })

  test('noGrad records nothing, at any level; enableGrad turns it back on; neither takes an async function', async () => {
    const x = tensor(2, { requiresGrad: true })
    expect(noGrad(() => [mul(x, x).requiresGrad, isGradEnabled(), enableGrad(() => mul(x, x).requiresGrad)])).toEqual([false, false, true])
    expect(noGrad(() => grad((z: Tensor) => mul(z, z))(x)).item()).toBe(4)
    expect(grad((z: Tensor) => mul(z, noGrad(() => mul(z, z))))(tensor(3)).item()).toBe(9)
    expect(() => noGrad(() => Promise.resolve())).toThrow(/async/)
    await Promise.resolve()
    expect(isGradEnabled()).toBe(true)
  })

  test('integers are not recorded, and cannot require grad', () => {
    expect(() => tensor(1, { dtype: 'int32', requiresGrad: true })).toThrow(/only floating-point tensors have gradients, got i32\[\]/)
  })

  test('a chain of 20,000 ops does not overflow the stack', () => {
    const x = tensor(1, { requiresGrad: true })
    let y: Tensor = x
    for (let i = 0; i < 20_000; i++) y = add(y, 0.5)
    y.backward()
    expect(x.grad!.item()).toBe(1)
  })

  test('a variable assigned after it was saved is noticed before any gradient is touched', () => {
    const w = new Variable(tensor(2))
    w.requiresGrad = true
    const loss = mul(w, w)
    w.assign(tensor(3))
    expect(() => { loss.backward() }).toThrowErrorMatchingInlineSnapshot("[BpError: backward: a variable f32[] that mul saved was assigned after the forward pass. Call backward before the optimiser's step, or run the forward pass again]")
    expect(w.grad).toBeNull()
    expect(() => { w.assign(tensor([1])) }).toThrow(/the variable is f32\[\], the new value f32\[1\]/)
  })

  test('the tape holds only what rules will read', () => {
    const x = tensor(new Float32Array(100), { requiresGrad: true })
    expect(tapeMemory(add(x, x), [x]).bytes).toBe(0)
    expect(tapeMemory(tanh(x), [x]).bytes).toBe(400)
    expect(tapeMemory(mul(x, tensor(new Float32Array(100))), [x]).bytes).toBe(400)
    const y = tanh(tanh(x))
    expect(tapeMemory(y, [x])).toEqual({ nodes: 3, bytes: 800 })
    sum(y).backward()
    expect(tapeMemory(y, [x]).bytes).toBe(0)
  })
})

describe('rows of an author', () => {
  /* y₁ = x², y₂ = 2x */
  const both = defineOp({
    name: 'test/both', arity: 1, fuse: 'opaque', saves: 'x', infer: ([x]) => [x.aval, x.aval],
    diff: { kind: 'custom', why: 'it has two results', vjp: ([ct1, ct2], [x]) => [add(mul(ct1!, mul(2, x)), mul(ct2!, 2))] },
    decompose: ([x]) => [mul(x, x), mul(x, 2)],
  })

  test('may have several results, and a pushforward derived from the pullback', () => {
    const f = (x: Tensor): Tensor => {
      const [a, b] = bindMany(both, [x], undefined)
      return mul(a!, b!)
    }
    // 2x³
    for (const derivative of [forward(f), reverse(f)]) expect(derivative(tensor(3)).item()).toBe(54)
    expect(forward(reverse(f))(tensor(3)).item()).toBe(36)
    const onlyOne = (x: Tensor): Tensor => bindMany(both, [x], undefined)[1]!
    expect(reverse(onlyOne)(tensor(3)).item()).toBe(2)
  })

  test('may replace a derivative: the straight-through estimator', () => {
    const hard = defineComposite({
      name: 'test/step', arity: 1, saves: 'x',
      decompose: ([x]) => mul(x, 0),
      vjp: ([ct], [x]) => [mul(ct!, x)],
    })
    const f: F = x => bind(hard, [x], undefined)
    expect([f(tensor(7)).item(), grad(f)(tensor(7)).item(), grad(grad(f))(tensor(7)).item()]).toEqual([0, 7, 1])
  })

  test('that read what they did not save are named', () => {
    const wrong = defineOp({
      name: 'test/wrong', arity: 1, fuse: 'map', infer: ([x]) => x.aval,
      diff: { kind: 'map', d: [x => mul(x as never, 2)] }, decompose: ([x]) => mul(x, x),
    })
    expect(() => grad((x: Tensor) => bind(wrong, [x], undefined))(tensor(2))).toThrow(/did not save/)
  })

  test('need a kernel or a decomposition', () => {
    const nothing = defineOp({ name: 'test/nothing', arity: 1, fuse: 'map', infer: ([x]) => x.aval, diff: { kind: 'zero' } })
    expect(() => bind(nothing, [tensor(1)], undefined)).toThrowErrorMatchingInlineSnapshot("[BpError: test/nothing: the cpu backend has no kernel for it, and the op has no decomposition. Add the kernel to the backend's table, or decompose to defineOp]")
  })

  test('a better pullback is used at extremes where the decomposition fails', () => {
    expect(grad(softplus)(tensor(-1000)).item()).toBe(0)
    expect(grad(grad(softplus))(tensor(0, f64)).item()).toBeCloseTo(0.25, 12)
  })
})
