// The listings of the treatise on backpropagation, section by section, in its own words.

import { cpu } from '@bp/backend-cpu'
import { add, backward, checkpoint, customFunction, dual, grad, gradients, GradientTape, jvp, mul, noGrad, ones, onesLike, tapeMemory, type Tensor, tensor, use, Variable, vjp } from '@bp/core'
import { runGraph, trace } from '@bp/core/extend'
import { Adam, clipGradNorm, crossEntropy, Linear, Module, Sequential, SGD, ReLU, manualSeed, mseLoss } from '@bp/nn'
import { abs, cast, detach, div, Generator, less, lessEqual, log, matmul, mean, neg, oneHot, pow, reshape, sigmoid, sin, softmax, sub, sum, tanh, transpose } from '@bp/ops'
import { describe, expect, test } from 'vitest'

use(cpu())

const random = new Generator(2026)
const randn = (...shape: number[]): Tensor => random.normal(shape, { dtype: 'float64' })
const leaf = (x: Tensor): Tensor => {
  x.requiresGrad = true
  return x
}
const numbers = (x: Tensor | null): number[] => Array.from(x!.dataSync() as Float64Array)
const close = (got: Tensor | null, want: Tensor, digits = 12): void => {
  expect(got!.shape).toEqual(want.shape)
  numbers(got).forEach((value, i) => { expect(value).toBeCloseTo(numbers(want)[i]!, digits) })
}

describe('§1 three approaches to computing gradients', () => {
  test('numerical differentiation costs two forward passes a parameter, backpropagation one forward and one backward', () => {
    let passes = 0
    const L = (theta: Tensor): Tensor => {
      passes++
      return sum(sin(mul(theta, theta)))
    }
    const theta = randn(50)
    const g = numbers(grad(L)(theta))
    expect(passes).toBe(1)
    const eps = 1e-6
    const values = numbers(theta)
    const numerical = values.map((_, j) => {
      const moved = (by: number): Tensor => tensor(values.map((v, i) => i === j ? v + by : v), { dtype: 'float64' })
      return (L(moved(eps)).item() - L(moved(-eps)).item()) / (2 * eps)
    })
    expect(passes).toBe(1 + 2 * 50)
    numerical.forEach((d, j) => { expect(d).toBeCloseTo(g[j]!, 7) })
  })
})

describe('§3 the chain rule', () => {
  test('the derivative of a chain is the product of the local derivatives', () => {
    const [h, g] = [(x: Tensor) => sin(x), (u: Tensor) => mul(u, u)]
    const x = tensor(0.7, { dtype: 'float64' })
    close(grad((z: Tensor) => g(h(z)))(x), mul(grad(g)(h(x)), grad(h)(x)))
  })

  test('several paths add up', () => {
    const x = tensor(0.7, { dtype: 'float64' })
    const paths = [(z: Tensor) => sin(z), (z: Tensor) => mul(z, z), (z: Tensor) => tanh(z)]
    close(grad((z: Tensor) => paths.map(f => f(z)).reduce((a, b) => add(a, b)))(x), paths.map(f => grad(f)(x)).reduce((a, b) => add(a, b)))
  })
})

test('§4 reverse accumulation: the algorithm of the listing, on a traced graph', () => {
  const f = (x: Tensor, w: Tensor): Tensor => sum(tanh(matmul(add(x, x), w)))
  const [x, w] = [randn(2, 3), randn(3, 4)]
  const graph = trace(f, [x, w])
  // forward pass: evaluate all nodes, cache values
  const values = new Map<number, Tensor>([x, w].map((value, i) => [graph.inputs[i]!.id, value]))
  const apply = (node: typeof graph.nodes[number], inputs: Tensor[]): Tensor => runGraph({ ...graph, inputs: node.inputs.map((_, i) => ({ id: i, aval: inputs[i]!.aval })), constants: [], variables: [], nodes: [{ ...node, inputs: node.inputs.map((_, i) => i), outputs: [99] }], outputs: [99], updates: [] }, inputs)[0]!
  for (const node of graph.nodes) values.set(node.outputs[0]!, apply(node, node.inputs.map(id => values.get(id)!)))
  // initialise adjoints: dL/dL = 1
  const adjoints = new Map<number, Tensor>([[graph.outputs[0]!, onesLike(values.get(graph.outputs[0]!)!)]])
  // backward pass: propagate adjoints in reverse order
  for (const node of graph.nodes.toReversed()) {
    const inputs = node.inputs.map(id => values.get(id)!)
    const [, pullback] = vjp((...zs: Tensor[]) => apply(node, zs), inputs)
    pullback(adjoints.get(node.outputs[0]!)!).forEach((ct, i) => {
      const id = node.inputs[i]!
      adjoints.set(id, adjoints.has(id) ? add(adjoints.get(id)!, ct) : ct)
    })
  }
  const [dx, dw] = vjp(f, [x, w])[1](tensor(1, { dtype: 'float64' }))
  close(adjoints.get(graph.inputs[0]!.id)!, dx)
  close(adjoints.get(graph.inputs[1]!.id)!, dw)
})

describe('§6 vector–Jacobian products of key operations', () => {
  const pull = (f: (x: Tensor) => Tensor, x: Tensor, ct: Tensor): Tensor => vjp(f, [x])[1](ct)[0]

  test('matmul: x̄ = Wᵀȳ and W̄ = ȳxᵀ', () => {
    const [W, x, ct] = [randn(3, 4), randn(4), randn(3)]
    const [dW, dx] = vjp(matmul, [W, x])[1](ct)
    close(dx, matmul(transpose(W), ct))
    close(dW, matmul(reshape(ct, [3, 1]), reshape(x, [1, 4])))
  })

  test('elementwise, sum and log', () => {
    const x = add(abs(randn(5)), 0.1)
    const ct = randn(5)
    close(pull(sigmoid, x, ct), mul(ct, mul(sigmoid(x), sub(1, sigmoid(x)))))
    close(pull(z => sum(z), x, tensor(3, { dtype: 'float64' })), mul(3, onesLike(x)))
    close(pull(log, x, ct), div(ct, x))
  })

  test('a JVP is J·ẋ, a VJP Jᵀ·ȳ: ⟨ȳ, Jẋ⟩ = ⟨Jᵀȳ, ẋ⟩', () => {
    const W = randn(3, 4)
    const f = (x: Tensor): Tensor => tanh(matmul(W, x))
    const [x, t, ct] = [randn(4), randn(4), randn(3)]
    expect(sum(mul(ct, jvp(f, [x], [t])[1])).item()).toBeCloseTo(sum(mul(pull(f, x, ct), t)).item(), 12)
  })
})

describe('§8 the four equations, §11 on a batch', () => {
  const m = 5
  const X = randn(3, m)
  const Y = transpose(oneHot(tensor([0, 1, 1, 0, 1], { dtype: 'int32' }), 2, 'float64'))
  const params = { W1: randn(4, 3), b1: randn(4, 1), W2: randn(2, 4), b2: randn(2, 1) }
  const forward = ({ W1, b1, W2, b2 }: typeof params): { A1: Tensor; A2: Tensor; Z2: Tensor } => {
    const A1 = sigmoid(add(matmul(W1, X), b1))
    const Z2 = add(matmul(W2, A1), b2)
    return { A1, Z2, A2: softmax(Z2, 0) }
  }
  const cce = (p: typeof params): Tensor => div(neg(sum(mul(Y, log(forward(p).A2)))), m)

  test('Δ = Ŷ − Y; Δ[1] = W[2]ᵀΔ[2] ⊙ σ′; ∂W = ΔAᵀ/m; ∂b = Δ1/m', () => {
    const { A1, A2 } = forward(params)
    const d2 = sub(A2, Y)
    const d1 = mul(matmul(transpose(params.W2), d2), mul(A1, sub(1, A1)))
    const g = grad(cce)(params)
    close(g.W2, div(matmul(d2, transpose(A1)), m))
    close(g.b2, div(sum(d2, 1, true), m))
    close(g.W1, div(matmul(d1, transpose(X)), m))
    close(g.b1, div(sum(d1, 1, true), m))
  })
})

describe('§9 softmax, §10 its cross-entropy', () => {
  const z = randn(6)

  test('the VJP is ŷ ⊙ (ȳ − ŷᵀȳ)', () => {
    const ct = randn(6)
    const y = softmax(z)
    close(vjp((x: Tensor) => softmax(x), [z])[1](ct)[0], mul(y, sub(ct, sum(mul(ct, y)))))
  })

  test('the gradient of the cross-entropy is ŷ − y', () => {
    const target = tensor([2], { dtype: 'int32' })
    const logits = reshape(z, [1, 6])
    close(grad((x: Tensor) => crossEntropy(x, target))(logits), sub(softmax(logits), oneHot(target, 6, 'float64')))
  })

  test('large logits do not overflow', () => {
    const large = tensor([[1000, 0, -1000]], { dtype: 'float64' })
    expect(crossEntropy(large, tensor([1], { dtype: 'int32' })).item()).toBe(1000)
    expect(numbers(softmax(large))).toEqual([1, 0, 0])
  })
})

describe('§12 memory', () => {
  test('gradient accumulation: eight small batches make the step of one large one', () => {
    const accumulation_steps = 8
    const [xs, ys] = [randn(32, 3), randn(32, 1)]
    const step = (batches: number): number[] => {
      manualSeed(1)
      const model = new Linear(3, 1, { dtype: 'float64' })
      const optimizer = new SGD(model.parameters(), { lr: 0.1 })
      optimizer.zeroGrad()
      const size = 32 / batches
      for (let i = 0; i < batches; i++) {
        const [x, y] = [xs, ys].map(all => tensor(numbers(all).slice(i * size * all.shape[1]!, (i + 1) * size * all.shape[1]!), { shape: [size, all.shape[1]!], dtype: 'float64' })) as [Tensor, Tensor]
        const loss = div(mseLoss(model.forward(x), y), batches)
        loss.backward() // gradients accumulate in .grad
      }
      optimizer.step()
      return numbers(model.weight)
    }
    step(accumulation_steps).forEach((w, i) => { expect(w).toBeCloseTo(step(1)[i]!, 12) })
  })

  test('gradient scaling saves what float16 would lose', () => {
    const s = 2 ** 16
    const small = 2 ** -27
    const g = (scale: number): number => div(cast(cast(mul(tensor(small), scale), 'float16'), 'float32'), scale).item()
    expect([g(1), g(s)]).toEqual([0, small])
  })
})

describe('§13 automatic differentiation', () => {
  test('dual numbers: f(x) = x·x + x at 3', () => {
    const x = dual(3, 1) // x = 3, ẋ = 1 (seed the tangent)
    const result = x.mul(x).add(x)
    expect(result.dual).toBe(7) // f′(3) = 2·3 + 1
    expect(result.real).toBe(12)
  })

  test('a tape: mul accumulates into both operands, also where they are one', () => {
    const a = leaf(tensor(3))
    const b = leaf(tensor(5))
    const out = mul(mul(a, b), a)
    out.backward()
    expect([a.grad!.item(), b.grad!.item()]).toEqual([30, 9])
  })
})

describe('§14 PyTorch', () => {
  test('everything you need to know', () => {
    const model = new Sequential(new Linear(4, 5), new ReLU())
    const optimizer = new Adam(model.parameters())
    // 1. requires_grad=True enables gradient tracking
    const x = leaf(randn(3, 4))
    const W = leaf(randn(4, 5))
    // 2. forward pass builds the graph
    const z = matmul(x, W)
    let loss = sum(z)
    // 3. backward computes all gradients, and frees the graph
    loss.backward()
    close(W.grad, matmul(transpose(x), ones([3, 5], 'float64')))
    // 4. a second backward: PyTorch raises here, because the first did not retain the graph, and so do we
    expect(() => { loss.backward({ retainGraph: true }) }).toThrow(/Pass { retainGraph: true } to the earlier backward/)
    loss = sum(matmul(x, W))
    W.grad = null
    loss.backward({ retainGraph: true })
    loss.backward()
    // 5. .grad adds
    close(W.grad, mul(2, matmul(transpose(x), ones([3, 5], 'float64'))))
    optimizer.zeroGrad()
    // 6. no_grad disables tracking
    const y_pred = noGrad(() => model.forward(ones([2, 4])))
    expect(y_pred.requiresGrad).toBe(false)
    // 7. detach removes a tensor from the graph
    const target = detach(model.forward(ones([2, 4])))
    expect([target.requiresGrad, model.forward(ones([2, 4])).requiresGrad]).toEqual([false, true])
  })

  test('a straight-through estimator as a custom function', () => {
    const StraightThroughEstimator = customFunction({
      forward: (ctx, x: Tensor) => {
        ctx.saveForBackward(x) // cache what backward needs
        return cast(less(0, x), x.dtype) // non-differentiable step
      },
      backward: (ctx, grad_output) => {
        const [x] = ctx.savedTensors
        return mul(grad_output, cast(lessEqual(abs(x!), 1), grad_output.dtype))
      },
    })
    const x = leaf(tensor([-3, -0.5, 0.5, 3]))
    const y = StraightThroughEstimator(x)
    sum(y).backward()
    expect([numbers(y), numbers(x.grad)]).toEqual([[0, 0, 1, 1], [0, 1, 1, 0]])
  })
})

describe('§14 TensorFlow', () => {
  const x = new Variable(randn(3, 4))
  const W = new Variable(randn(4, 5))

  test('a tape records and gives gradients once', () => {
    const tape = new GradientTape()
    const loss = tape.record(() => sum(matmul(x, W)))
    const [dx, dW] = tape.gradient(loss, [x, W])
    close(dx!, matmul(ones([3, 5], 'float64'), transpose(W)))
    close(dW!, matmul(transpose(x), ones([3, 5], 'float64')))
  })

  test('a persistent tape gives them as often as asked', () => {
    const tape = new GradientTape({ persistent: true })
    const loss = tape.record(() => mean(pow(matmul(x, W), 2)))
    const dL_dx = tape.gradient(loss, x)
    const dL_dW = tape.gradient(loss, W)
    const f = (a: Tensor, b: Tensor): Tensor => mean(pow(matmul(a, b), 2))
    close(dL_dx, grad(f)(x, W))
    close(dL_dW, grad(f, { argnum: 1 })(x, W))
  })
})

describe('§15 higher-order gradients', () => {
  test('a gradient of a gradient, and a Hessian–vector product', () => {
    const x = leaf(randn(3))
    const y = sum(pow(x, 2)) // y = ‖x‖²
    const [dy_dx] = gradients(y, [x], { createGraph: true }) as [Tensor]
    close(dy_dx, mul(2, x))
    const [d2y_dx2] = gradients(sum(dy_dx), [x])
    close(d2y_dx2!, mul(2, onesLike(x)))
    // the listing goes on with the same graph, which that call has freed: PyTorch raises, and so do we
    const v = onesLike(x)
    expect(() => gradients(dy_dx, [x], { gradOutputs: [v] })).toThrow(/freed by an earlier backward pass.*retainGraph: true/)
    const [again] = gradients(sum(pow(x, 2)), [x], { createGraph: true }) as [Tensor]
    gradients(sum(again), [x], { retainGraph: true })
    const [hvp] = gradients(again, [x], { gradOutputs: [v] })
    close(hvp!, mul(2, v))
  })

  test('without createGraph there is nothing to differentiate, and the error says so', () => {
    const x = leaf(randn(3))
    const [dx] = gradients(sum(pow(x, 2)), [x]) as [Tensor]
    expect(() => gradients(sum(dx), [x])).toThrow(/createGraph: true/)
  })

  test('global norm clipping keeps the direction', () => {
    const x = leaf(tensor([3, 4]))
    sum(mul(tensor([3, 4]), x)).backward()
    clipGradNorm([x] as never, 1)
    expect(numbers(x.grad).map(g => Number(g.toFixed(4)))).toEqual([0.6, 0.8])
  })
})

test('§15 a checkpointed model', () => {
  class CheckpointedModel extends Module {
    readonly layer1 = new Linear(8, 8)
    readonly layer2 = new Linear(8, 8)
    readonly layer3 = new Linear(8, 8)
    checkpointed = true

    override forward(input: Tensor): Tensor {
      const layer = (l: Linear) => (z: Tensor): Tensor => tanh(tanh(l.forward(z)))
      const run = (l: Linear, z: Tensor): Tensor => this.checkpointed ? checkpoint(layer(l), z) : layer(l)(z)
      let x = run(this.layer1, input) // don't cache layer1's activations
      x = run(this.layer2, x) // recompute from the input on backward
      return this.layer3.forward(x) // last layer: always cached
    }
  }
  const model = new CheckpointedModel()
  const x = cast(randn(16, 8), 'float32')
  const run = (checkpointed: boolean): { bytes: number; grads: number[][] } => {
    model.checkpointed = checkpointed
    model.zeroGrad()
    const y = sum(model.forward(x))
    const { bytes } = tapeMemory(y, [x, ...model.parameters()])
    backward(y)
    return { bytes, grads: model.parameters().map(p => numbers(p.grad)) }
  }
  const [plain, checkpointed] = [run(false), run(true)]
  expect(checkpointed.grads).toEqual(plain.grads)
  expect(checkpointed.bytes).toBeLessThan(plain.bytes)
})

describe('§15 gradient noise and perturbation', () => {
  test('label smoothing: the signal is ŷ − ((1 − ε)·y + ε/K)', () => {
    const [K, eps] = [5, 0.1]
    const z = randn(1, K)
    const target = tensor([3], { dtype: 'int32' })
    const smooth = add(mul(1 - eps, oneHot(target, K, 'float64')), eps / K)
    close(grad((x: Tensor) => crossEntropy(x, target, { labelSmoothing: eps }))(z), sub(softmax(z), smooth))
  })
})
