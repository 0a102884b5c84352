// The PyTorch surface: backward, gradients, accumulation, retained and created graphs, noGrad, versions.

import { cpu } from '@bp/backend-cpu'
import { add, backward, enableGrad, gradients, isGradEnabled, mul, noGrad, tapeMemory, type Tensor, tensor, use, Variable } from '@bp/core'
import { argMax, cast, detach, exp, less, relu, sum, tanh } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { message } from '../test/message.ts'

use(cpu())

const leaf = (data: number | number[]): Tensor => tensor(data, { requiresGrad: true, dtype: 'float64' })

describe('backward', () => {
  test('accumulates over passes, until grad is set to null', () => {
    const x = leaf(3)
    mul(x, x).backward()
    mul(x, 2).backward()
    expect(x.grad!.item()).toBe(8)
    x.grad = null
    mul(x, 5).backward()
    expect(x.grad!.item()).toBe(5)
  })

  test('adds the paths of a value that is used more than once', () => {
    const x = leaf(2)
    const y = mul(x, x)
    add(mul(y, y), y).backward() // x⁴ + x², 4x³ + 2x
    expect(x.grad!.item()).toBe(36)
  })

  test('with a cotangent for what is no scalar', () => {
    const x = leaf([1, 2])
    backward(mul(x, x), { gradient: tensor([1, 10], { dtype: 'float64' }) })
    expect(x.grad!.toArray()).toEqual([2, 40])
  })

  test('into chosen leaves only', () => {
    const [a, b] = [leaf(2), leaf(3)]
    mul(a, b).backward({ inputs: [a] })
    expect(a.grad!.item()).toBe(3)
    expect(b.grad).toBeNull()
  })

  test('does not reach through detach, or into tensors that do not require grad', () => {
    const x = leaf(3)
    const constant = tensor(4, { dtype: 'float64' })
    add(mul(detach(x), x), constant).backward()
    expect(x.grad!.item()).toBe(3)
    expect(constant.grad).toBeNull()
  })

  test('grad itself requires no grad unless the graph is created', () => {
    const x = leaf(3)
    mul(x, x).backward()
    expect(x.grad!.requiresGrad).toBe(false)
    const y = leaf(3)
    mul(y, mul(y, y)).backward({ createGraph: true })
    expect(y.grad!.requiresGrad).toBe(true)
    const [second] = gradients(y.grad!, [y])
    expect(second!.item()).toBe(18)
  })

  test('a second pass needs retainGraph', () => {
    const x = leaf(3)
    const kept = mul(x, x)
    kept.backward({ retainGraph: true })
    kept.backward({ retainGraph: true })
    expect(x.grad!.item()).toBe(12)
    kept.backward()
    expect(message(() => { kept.backward() })).toMatchInlineSnapshot(`"grad | backward: the graph was freed by an earlier backward pass (at mul). Pass { retainGraph: true } to the earlier backward() or gradients(), or compute the forward pass again"`)
  })

  test('a pass over a part that was freed fails before it changes any grad', () => {
    const [x, w] = [leaf(3), leaf(2)]
    const shared = exp(x)
    sum(shared).backward()
    const before = x.grad!.item()
    expect(message(() => { add(mul(w, w), shared).backward() })).toContain('was freed by an earlier backward pass (at exp)')
    expect([x.grad!.item(), w.grad]).toEqual([before, null])
  })

  test('a chain of 20,000 ops needs no stack', () => {
    const x = leaf(1)
    let y: Tensor = x
    for (let i = 0; i < 20_000; i++) y = add(y, i % 2 ? 1 : x)
    y.backward()
    expect(x.grad!.item()).toBe(10_001)
  })

  test('errors', () => {
    const x = leaf([1, 2])
    expect([
      () => { backward(tensor(1)) },
      () => { mul(x, x).backward() },
      () => { mul(x, x).backward({ gradient: tensor([1, 1]) }) },
      () => { sum(mul(x, x)).backward({ inputs: [mul(x, 2)] }) },
      () => { const y = sum(mul(x, x)); y.backward(); x.grad!.backward() },
    ].map(message)).toMatchInlineSnapshot(`
      [
        "grad | backward: the tensor does not require grad. Set requiresGrad = true on an input before the forward pass, outside noGrad; if it is itself a gradient, compute that with { createGraph: true }",
        "grad | backward: needs a scalar, got f64[2]. Reduce it with sum or mean, or pass { gradient }",
        "shape | backward: the cotangent is f32[2], the tensor f64[2]. They must be alike",
        "grad | backward: inputs must be leaves that require grad, got f64[2]. Use gradients(y, [x]) for other tensors",
        "grad | backward: the tensor does not require grad. Set requiresGrad = true on an input before the forward pass, outside noGrad; if it is itself a gradient, compute that with { createGraph: true }",
      ]
    `)
  })
})

describe('gradients', () => {
  test('leaves every grad alone, and gives null where a result does not depend on an input', () => {
    const [x, z] = [leaf(3), leaf(1)]
    const [dx, dz] = gradients(mul(x, x), [x, z])
    expect([dx!.item(), dz, x.grad]).toEqual([6, null, null])
  })

  test('by a value in the middle of the graph', () => {
    const x = leaf(3)
    const middle = mul(x, x)
    const [dm, dx] = gradients(mul(middle, middle), [middle, x])
    expect([dm!.item(), dx!.item()]).toEqual([18, 108])
  })

  test('of several outputs, with cotangents', () => {
    const x = leaf([1, 2])
    const one = tensor([1, 1], { dtype: 'float64' })
    const [dx] = gradients([mul(x, 2), mul(x, x)], [x], { gradOutputs: [one, one] })
    expect(dx!.toArray()).toEqual([4, 6])
  })

  test('the third derivative of tanh is its closed form', () => {
    const x = leaf(0.4)
    const [first] = gradients(tanh(x), [x], { createGraph: true })
    const [second] = gradients(first!, [x], { createGraph: true })
    const [third] = gradients(second!, [x])
    const y = Math.tanh(0.4)
    const s = 1 - y * y
    expect(first!.item()).toBeCloseTo(s, 14)
    expect(second!.item()).toBeCloseTo(-2 * y * s, 14)
    expect(third!.item()).toBeCloseTo(-2 * s * (1 - 3 * y * y), 14)
  })

  test('errors', () => {
    const x = leaf(3)
    expect([
      () => gradients(mul(x, x), [tensor(1)]),
      () => gradients(tensor(1), [x]),
      () => gradients([mul(x, x)], [x], { gradOutputs: [] }),
      () => { const [dx] = gradients(mul(x, x), [x]); gradients(dx!, [x]) },
      () => gradients(mul(leaf([1, 2]), x), [x]),
    ].map(message)).toMatchInlineSnapshot(`
      [
        "grad | gradients: an input f32[] does not require grad. Set requiresGrad = true before the forward pass",
        "grad | gradients: the tensor does not require grad. Set requiresGrad = true on an input before the forward pass, outside noGrad; if it is itself a gradient, compute that with { createGraph: true }",
        "value | gradients: got 1 outputs and 0 gradOutputs. Give one for each output",
        "grad | gradients: the tensor does not require grad. Set requiresGrad = true on an input before the forward pass, outside noGrad; if it is itself a gradient, compute that with { createGraph: true }",
        "grad | gradients: needs a scalar, got f64[2]. Reduce it with sum or mean, or pass { gradOutputs }",
      ]
    `)
  })
})

describe('noGrad', () => {
  test('records nothing inside, and enableGrad does again', () => {
    const x = leaf(3)
    noGrad(() => {
      expect(isGradEnabled()).toBe(false)
      expect(mul(x, x).requiresGrad).toBe(false)
      expect(enableGrad(() => mul(x, x)).requiresGrad).toBe(true)
      expect(isGradEnabled()).toBe(false)
    })
    expect(mul(x, x).requiresGrad).toBe(true)
  })

  test('comes back after a throw', () => {
    expect(() => noGrad(() => { throw new Error('inside') })).toThrow('inside')
    expect(isGradEnabled()).toBe(true)
  })

  test('refuses async functions', () => {
    expect(message(() => noGrad(() => Promise.resolve(1)))).toMatchInlineSnapshot(`"value | noGrad: the function is async, so the setting would not last past its first await. Await first, then compute inside a plain function"`)
  })
})

describe('versions', () => {
  test('a variable that was assigned after it was saved', () => {
    const v = new Variable(leaf([2, 3]))
    v.requiresGrad = true
    const y = sum(mul(v, v))
    v.assign(tensor([4, 5], { dtype: 'float64' }))
    expect(message(() => { y.backward() })).toMatchInlineSnapshot(`"grad | backward: a variable f64[2] that mul saved was assigned after the forward pass. Call backward before the optimiser's step, or run the forward pass again"`)
  })

  test('a variable whose value no rule reads may be assigned', () => {
    const v = new Variable(leaf(2))
    v.requiresGrad = true
    const y = add(v, 1)
    v.assign(tensor(7, { dtype: 'float64' }))
    y.backward()
    expect(v.grad!.item()).toBe(1)
  })

  test('a training loop assigns and goes on', () => {
    const w = new Variable(leaf(5))
    w.requiresGrad = true
    for (let step = 0; step < 50; step++) {
      w.grad = null
      mul(w, w).backward()
      noGrad(() => { w.assign(add(w, mul(-0.2, w.grad!))) })
    }
    expect(w.item()).toBeCloseTo(0, 9)
    expect(w.isLeaf).toBe(true)
  })
})

describe('what is recorded', () => {
  test('results that are no floats are not', () => {
    const x = leaf([1, 2])
    expect([less(x, 1), argMax(x), cast(x, 'int32')].map(y => y.requiresGrad)).toEqual([false, false, false])
    expect(cast(x, 'float32').requiresGrad).toBe(true)
  })

  test('only what the rules will read is kept', () => {
    const x = leaf(Array.from({ length: 100 }, () => 1))
    expect(tapeMemory(add(x, 1)).bytes).toBe(0)
    expect(tapeMemory(relu(x), [x]).bytes).toBe(800)
    expect(tapeMemory(exp(mul(x, 2)), [x]).bytes).toBe(800 + 8) // the result of exp, and the factor 2
    expect(tapeMemory(mul(x, x)).bytes).toBe(800)
  })

  test('backward lets go of it', () => {
    const x = leaf(Array.from({ length: 100 }, () => 1))
    const y = sum(exp(x))
    expect(tapeMemory(y).bytes).toBe(800)
    y.backward({ retainGraph: true })
    expect(tapeMemory(y).bytes).toBe(800)
    y.backward()
    expect(tapeMemory(y)).toEqual({ nodes: expect.any(Number) as number, bytes: 0 })
  })
})
