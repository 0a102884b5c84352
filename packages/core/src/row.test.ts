// Rows that authors write: several results, derived pushforwards, composites with pullbacks, fused kernels, errors.

import { cpu } from '@bp/backend-cpu'
import { add, grad, gradients, jvp, mul, type Tensor, tensor, type TypedArray, use, vjp } from '@bp/core'
import { Aval, bind, bindMany, defineComposite, defineOp, type Kernel } from '@bp/core/extend'
import { cos, div, exp, log, sin, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { message } from '../test/message.ts'

use(cpu())

const f64 = (data: number | number[], requiresGrad = false): Tensor => tensor(data, { dtype: 'float64', requiresGrad })

/** (s, c) = (sin x, cos x), x̄ = s̄·c − c̄·s, and the sign of s as a third result without derivative */
const sincos = defineOp({
  name: 'test/sincos', arity: 1, fuse: 'opaque', saves: 'y',
  infer: ([x]) => [x.aval, x.aval, new Aval(x.shape, 'int32')],
  diff: {
    kind: 'custom', why: 'it has several results',
    vjp: ([s, c], _xs, [sine, cosine]) => [add(mul(s!, cosine!), mul(-1, mul(c!, sine!)))],
  },
  kernels: { cpu: ((xs: readonly { storage: TypedArray }[]) => {
    const x = xs[0]!.storage as Float64Array
    return [x.map(Math.sin), x.map(Math.cos), Int32Array.from(x, v => Math.sign(Math.sin(v)))]
  }) as unknown as Kernel<never> },
})

describe('a row with several results', () => {
  const both = (x: Tensor): Tensor[] => bindMany(sincos, [x], undefined)

  test('computes and pulls back each, together and alone', () => {
    const x = f64([0.5, -1])
    const [s, c, sign] = both(x)
    expect([s!.dataSync()[0], c!.dataSync()[0]]).toEqual([Math.sin(0.5), Math.cos(0.5)])
    expect([sign!.toArray(), sign!.requiresGrad]).toEqual([[1, -1], false])
    expect(grad((z: Tensor) => sum(both(z)[0]!))(x).dataSync()[0]).toBeCloseTo(Math.cos(0.5), 14)
    expect(grad((z: Tensor) => sum(both(z)[1]!))(x).dataSync()[0]).toBeCloseTo(-Math.sin(0.5), 14)
    expect(grad((z: Tensor) => sum(mul(both(z)[0]!, both(z)[1]!)))(x).dataSync()[0]).toBeCloseTo(Math.cos(1), 14)
    const z = f64([0.5], true)
    const [p, q] = both(z)
    expect(gradients(mul(p!, q!), [z])[0]!.item()).toBeCloseTo(Math.cos(1), 14)
  })

  test('pushes forward by a rule derived from its pullback', () => {
    const f = (z: Tensor): Tensor[] => both(z).slice(0, 2)
    const [, [ds, dc]] = jvp(f, [f64(0.5)], [f64(2)])
    expect(ds!.item()).toBeCloseTo(2 * Math.cos(0.5), 14)
    expect(dc!.item()).toBeCloseTo(-2 * Math.sin(0.5), 14)
    expect(grad(grad((z: Tensor) => both(z)[0]!))(f64(0.5)).item()).toBeCloseTo(-Math.sin(0.5), 14)
    expect(jvp(grad((z: Tensor) => both(z)[0]!), [f64(0.5)], [f64(1)])[1].item()).toBeCloseTo(-Math.sin(0.5), 14)
  })
})

test('a custom pullback whose pushforward is derived, on two operands', () => {
  const product = defineOp({
    name: 'test/product', arity: 2, fuse: 'map', saves: 'x', infer: ([a]) => a.aval,
    diff: { kind: 'custom', why: 'tests', vjp: ([ct], [a, b], _ys, _p, want) => [want[0] ? mul(ct!, b) : null, want[1] ? mul(ct!, a) : null] },
    decompose: ([a, b]) => mul(a, b),
  })
  const f = (a: Tensor, b: Tensor): Tensor => bind(product, [a, b], undefined)
  expect(jvp(f, [f64(2), f64(3)], [f64(1), f64(10)])[1].item()).toBe(23)
  expect(jvp((a: Tensor) => f(a, f64(3)), [f64(2)], [f64(1)])[1].item()).toBe(3)
  expect(grad((a: Tensor) => jvp(x => f(x, a), [a], [f64(1)])[1])(f64(5)).item()).toBe(1)
})

describe('a composite with a pullback of its own', () => {
  const calls: string[] = []
  /** y = log(1 + eˣ), x̄ = ȳ/(1 + e⁻ˣ) */
  const soft = defineComposite({
    name: 'test/soft', arity: 1, saves: 'x', infer: ([x]) => x.aval,
    decompose: ([x]) => log(add(1, exp(x))),
    vjp: ([ct], [x]) => {
      calls.push('vjp')
      return [div(ct!, add(1, exp(mul(-1, x))))]
    },
  })
  const f = (x: Tensor): Tensor => bind(soft, [x], undefined)
  const sigmoid = 1 / (1 + Math.exp(-0.3))

  test('uses it in reverse mode, the decomposition in forward mode, and both in mixed', () => {
    expect(grad(f)(f64(0.3)).item()).toBeCloseTo(sigmoid, 14)
    expect(calls).toEqual(['vjp'])
    expect(jvp(f, [f64(0.3)], [f64(1)])[1].item()).toBeCloseTo(sigmoid, 14)
    expect(calls).toEqual(['vjp'])
    const second = sigmoid * (1 - sigmoid)
    expect(grad(grad(f))(f64(0.3)).item()).toBeCloseTo(second, 13)
    expect(jvp(grad(f), [f64(0.3)], [f64(1)])[1].item()).toBeCloseTo(second, 13)
    expect(grad((x: Tensor) => jvp(f, [x], [f64(1)])[1])(f64(0.3)).item()).toBeCloseTo(second, 13)
  })

  test('is one node that saves what it says', () => {
    const x = f64([1, 2], true)
    const y = f(x)
    const { row, xs, ys } = y.node!
    expect(row).toBe(soft)
    expect(xs![0]).toBe(x)
    expect(ys![0]).toBe(y.aval)
  })
})

describe('a composite with a fused kernel', () => {
  const runs: string[] = []
  const fused = defineComposite({
    name: 'test/fused', arity: 1, infer: ([x]) => x.aval,
    decompose: ([x]) => mul(sin(x), x),
    kernels: { cpu: (([x]: readonly { storage: Float64Array }[]) => {
      runs.push('kernel')
      return x!.storage.map(v => Math.sin(v) * v)
    }) as unknown as Kernel<never> },
  })

  test('runs the kernel forward and differentiates by its decomposition', () => {
    const f = (x: Tensor): Tensor => bind(fused, [x], undefined)
    expect(f(f64(2)).item()).toBe(Math.sin(2) * 2)
    expect(runs).toEqual(['kernel'])
    const derivative = Math.cos(2) * 2 + Math.sin(2)
    expect(grad(f)(f64(2)).item()).toBeCloseTo(derivative, 14)
    expect(jvp(f, [f64(2)], [f64(1)])[1].item()).toBeCloseTo(derivative, 14)
    expect(grad(grad(f))(f64(2)).item()).toBeCloseTo(2 * Math.cos(2) - 2 * Math.sin(2), 13)
  })
})

test('a composite that hands an operand back is still a node of its own', () => {
  const same = defineComposite({ name: 'test/same', arity: 1, decompose: ([x]) => x, vjp: ([ct]) => [mul(3, ct!)] })
  expect(grad((x: Tensor) => mul(x, bind(same, [x], undefined)))(f64(2)).item()).toBe(2 + 3 * 2)
})

test('a rule is asked only for what is wanted', () => {
  const asked: (readonly boolean[])[] = []
  const watch = defineOp({
    name: 'test/watch', arity: 2, fuse: 'map', infer: ([a]) => a.aval,
    diff: { kind: 'custom', why: 'tests', vjp: ([ct], _xs, _ys, _p, want) => {
      asked.push(want)
      return [ct!, ct!]
    } },
    decompose: ([a, b]) => add(a, b),
  })
  const [a, b] = [f64(1, true), f64(2, true)]
  gradients(bind(watch, [a, b], undefined), [b])
  gradients(bind(watch, [a, f64(2)], undefined), [a])
  expect(asked).toEqual([[false, true], [true, false]])
})

test('errors', () => {
  const lost = defineOp({ name: 'test/lost', arity: 1, fuse: 'map', infer: ([x]) => x.aval, diff: { kind: 'zero' } })
  const careless = defineOp({
    name: 'test/careless', arity: 1, fuse: 'map', infer: ([x]) => x.aval,
    diff: { kind: 'map', d: [x => cos(x as unknown as Tensor)] }, decompose: ([x]) => sin(x),
  })
  expect([
    () => bind(lost, [f64(1)], undefined),
    () => grad((x: Tensor) => bind(careless, [x], undefined))(f64(1)),
    () => defineOp({ name: 'test/mute', arity: 1, fuse: 'map', infer: ([x]) => x.aval, diff: { kind: 'custom', why: '', vjp: () => [null] } }),
    () => vjp((x: Tensor) => ({ x, n: 3 as unknown as Tensor }), [f64(1)]),
  ].map(message)).toMatchInlineSnapshot(`
    [
      "backend | test/lost: the cpu backend has no kernel for it, and the op has no decomposition. Add the kernel to the backend's table, or decompose or host to defineOp",
      "grad | cos: a derivative reads a value f64[] that its row did not save. Give the row saves: 'x', 'y' or 'xy'",
      "value | test/mute: a custom derivative needs a sentence in \`why\` that says why no weaker word is true",
      "value | vjp: .n is of type number, not a tensor. Wrap it with tensor(), or close over it",
    ]
  `)
})

test('a composite may replace a derivative: the straight-through estimator', () => {
  const hard = defineComposite({ name: 'test/step', arity: 1, saves: 'x', decompose: ([x]) => mul(x, 0), vjp: ([ct], [x]) => [mul(ct!, x)] })
  const f = (x: Tensor): Tensor => bind(hard, [x], undefined)
  expect([f(tensor(7)).item(), grad(f)(tensor(7)).item(), grad(grad(f))(tensor(7)).item()]).toEqual([0, 7, 1])
})
