// compile: one program for each shape, the same numbers as op by op, and everything a training step needs.

import { cpu } from '@bp/backend-cpu'
import { Adam, AdamW, type AnyOptimizer, BatchNorm, CosineAnnealingLR, crossEntropy, Dropout, Linear, type Module, Parameter, ReLU, RMSprop, Sequential, SGD } from '@bp/nn'
import { exp, Generator, matmul, relu, sin, sum, tanh } from '@bp/ops'
import { describe, expect, it } from 'vitest'
import { type Backend, type Program } from '../backend.ts'
import type { Graph } from '../graph.ts'
import { checkpointSequential } from '../checkpoint.ts'
import { noGrad } from '../backward.ts'
import { use } from '../eager.ts'
import { grad } from '../grad.ts'
import { jvp } from '../jvp.ts'
import { type Tensor, Variable } from '../tensor.ts'
import { tensor } from '../create.ts'
import { add, mul, ones, zeros } from '../vector.ts'
import { vmap } from '../vmap.ts'
import { compile } from './compile.ts'

use(cpu())

const data = (n: number): [Tensor, Tensor] => [new Generator(7).normal([n, 6]), tensor(Int32Array.from({ length: n }, (_, i) => i % 3))]

/** A network, and a step of training it; a function that learns one batch. */
function training<O extends AnyOptimizer>(make: (model: Module) => O, compiled: boolean): { readonly model: Module; readonly step: (x: Tensor, y: Tensor) => Tensor; readonly optimiser: O } {
  const generator = new Generator(3)
  const model = new Sequential(new Linear(6, 8, { generator, bias: false }), new BatchNorm(8), new ReLU(), new Dropout(0.5, { generator: new Generator(9) }), new Linear(8, 3, { generator }))
  const optimiser = make(model)
  const step = (x: Tensor, y: Tensor): Tensor => {
    optimiser.zeroGrad()
    const loss = crossEntropy(model.forward(x), y)
    loss.backward()
    optimiser.step()
    return loss
  }
  return { model, optimiser, step: compiled ? compile(step) : step }
}

describe('a compiled training step', () => {
  it.each([
    ['SGD', (model: Module) => new SGD(model.parameters(), { lr: 0.1, momentum: 0.9, dampening: 0.3, nesterov: false, weightDecay: 0.01 })],
    ['Adam', (model: Module) => new Adam(model.parameters(), { lr: 0.01 })],
    ['AdamW', (model: Module) => new AdamW(model.parameters(), { lr: 0.01 })],
    ['RMSprop', (model: Module) => new RMSprop(model.parameters(), { lr: 0.01, momentum: 0.5, centered: true })],
  ])('goes where the same steps op by op go, dropout and running statistics included: %s', (_name, make) => {
    const [x, y] = data(12)
    const [a, b] = [training<AnyOptimizer>(make, false), training<AnyOptimizer>(make, true)]
    for (let i = 0; i < 10; i++) expect(b.step(x, y).item()).toBeCloseTo(a.step(x, y).item(), 4)
    const [p, q] = [a.model.stateDict(), b.model.stateDict()]
    for (const [name, value] of p) [...value.dataSync()].forEach((v, i) => { expect(Number(q.get(name)!.dataSync()[i]), name).toBeCloseTo(Number(v), 3) })
  })

  it('sees what a scheduler does to the learning rate', () => {
    const make = (model: Module): SGD => new SGD(model.parameters(), { lr: 0.5 })
    const [x, y] = data(12)
    const losses = [false, true].map(compiled => {
      const { step, optimiser } = training(make, compiled)
      const scheduler = new CosineAnnealingLR(optimiser, 5)
      return Array.from({ length: 6 }, () => {
        const loss = step(x, y).item()
        scheduler.step()
        return loss
      })
    })
    losses[0]!.forEach((loss, i) => { expect(losses[1]![i]).toBeCloseTo(loss, 4) })
  })

  it('learns a parameter that it has assigned before it uses it', () => {
    const halve = (wrap: (f: (x: Tensor) => Tensor) => (x: Tensor) => Tensor): [number, number] => {
      const w = new Parameter(tensor([4]))
      const step = wrap((x: Tensor) => {
        w.grad = null
        noGrad(() => { w.assign(mul(w, 0.5)) })
        sum(mul(mul(w, w), x)).backward()
        return w.grad!
      })
      return [step(tensor([3])).item(), w.item()]
    }
    expect(halve(f => f)).toEqual([12, 2])
    expect(halve(f => compile(f))).toEqual([12, 2])
  })

  it('leaves no gradients behind, and refuses those from before', () => {
    const [x, y] = data(4)
    const layer = new Linear(6, 3)
    const optimiser = new SGD(layer.parameters(), { lr: 0.1 })
    const clean = compile((x: Tensor, y: Tensor) => {
      optimiser.zeroGrad()
      const loss = crossEntropy(layer.forward(x), y)
      loss.backward()
      optimiser.step()
      return loss
    })
    clean(x, y)
    expect(layer.weight.grad).toBeNull()
    crossEntropy(layer.forward(x), y).backward()
    const careless = compile((x: Tensor, y: Tensor) => {
      const loss = crossEntropy(layer.forward(x), y)
      loss.backward()
      return loss
    })
    expect(() => careless(x, y)).toThrowErrorMatchingInlineSnapshot(`[BpError: compile: a parameter already has a gradient from outside the compiled function, which would be added in every run. Call optimiser.zeroGrad() at the start of the compiled function]`)
  })
})

describe('checkpoints in a compiled function', () => {
  const generator = new Generator(5)
  const weights = Array.from({ length: 12 }, () => mul(generator.normal([64, 64]), 0.1))
  const x = generator.normal([64, 64])
  const layers = weights.map(w => (x: Tensor) => tanh(matmul(x, w)))
  const plainly = (x: Tensor): Tensor => sum(layers.reduce((y, layer) => layer(y), x))
  const sparingly = (x: Tensor): Tensor => sum(checkpointSequential(layers, x, { segments: 4 }))

  it('keep less, and change no result', () => {
    const [all, less] = [compile(grad(plainly)), compile(grad(sparingly))]
    const [want, got] = [all(x), less(x)].map(y => [...y.dataSync()].map(Number)) as [number[], number[]]
    got.forEach((value, i) => { expect(value).toBeCloseTo(want[i]!, 5) })
    // the values at the ends of segments, and those of one segment
    expect(less.bytes(x)).toBeLessThan(0.75 * all.bytes(x))
  })

  it('give way to a budget, which chooses for itself', () => {
    const all = compile(grad(plainly))
    const [fitted, checkpointed] = [plainly, sparingly].map(f => compile(grad(f), { maxBytes: 0.6 * all.bytes(x) }))
    expect(checkpointed!.bytes(x)).toBe(fitted!.bytes(x))
    expect(checkpointed!(x).dataSync()).toEqual(fitted!(x).dataSync())
  })
})

describe('the cache', () => {
  it('keeps a program for each shape and form of the arguments, the most recent ones', () => {
    let traced = 0
    const f = compile(({ a, b }: { readonly a: Tensor; readonly b: Tensor }) => {
      traced++
      return [add(a, b)]
    }, { cacheSize: 2 })
    const run = (n: number): number[] => [...f({ a: ones([n]), b: ones([n]) })[0]!.dataSync()].map(Number)
    expect([run(1), run(2), run(1), run(2)]).toEqual([[2], [2, 2], [2], [2, 2]])
    expect([traced, f.size]).toEqual([2, 2])
    run(3)
    run(1)
    expect([traced, f.size]).toEqual([4, 2])
    f.clear()
    expect(f.size).toBe(0)
  })

  it('has backends give back at once what programs hold that leave it', () => {
    const real = cpu()
    const released: number[] = []
    const backend: Backend = Object.create(real, {
      lower: {
        value: (graph: Graph): Program => {
          const program = real.lower!(graph)!
          return { run: (inputs, live) => program.run(inputs as never, live), bytes: 0, notes: [], dump: [], release: () => { released.push(graph.inputs[0]!.aval.shape[0]!) } }
        },
      },
    }) as Backend
    const f = compile((x: Tensor) => mul(x, 2), { cacheSize: 2 })
    const run = (n: number): number => f(tensor(new Float32Array(n), { backend })).size
    expect([1, 2, 1, 3, 4].map(run)).toEqual([1, 2, 1, 3, 4])
    expect(released).toEqual([2, 1])
    f.clear()
    expect(released).toEqual([2, 1, 3, 4])
    // nothing can be kept: what runs is not taken away from itself
    expect(compile((x: Tensor) => mul(x, 2), { cacheSize: 0 })(tensor(new Float32Array(5), { backend })).size).toBe(5)
    expect(released).toHaveLength(4)
  })
})

describe('inside of transforms', () => {
  const f = (x: Tensor): Tensor => sum(mul(sin(x), exp(x)))
  const x = (): Tensor => tensor([0.1, 0.2, 0.3])
  const numbers = (t: Tensor): number[] => [...t.dataSync()].map(v => Number(Number(v).toFixed(5)))

  it('grad, hvp, jvp and vmap of a compiled function, and compiled transforms', () => {
    expect(numbers(grad(compile(f))(x()))).toEqual(numbers(grad(f)(x())))
    expect(numbers(compile(grad(f))(x()))).toEqual(numbers(grad(f)(x())))
    const product = grad((x: Tensor) => sum(mul(grad(f)(x), ones([3]))))
    expect(numbers(compile(product)(x()))).toEqual(numbers(product(x())))
    expect(numbers(jvp(compile(f), [x()], [ones([3])])[1])).toEqual(numbers(jvp(f, [x()], [ones([3])])[1]))
    expect(numbers(vmap(compile((x: Tensor) => mul(x, x)))(x()))).toEqual(numbers(mul(x(), x())))
  })

  it('on tensors that require grad, ops are recorded', () => {
    const leaf = x()
    leaf.requiresGrad = true
    compile(f)(leaf).backward()
    expect(numbers(leaf.grad!)).toEqual(numbers(grad(f)(x())))
  })
})

describe('what is told', () => {
  it('reading a value while tracing is refused, with the way out', () => {
    expect(() => compile((x: Tensor) => mul(x, sum(x).item()))(ones([2]))).toThrowErrorMatchingInlineSnapshot(`[BpError: dataSync: f32[] has no value: it is being traced, or belongs to a transform that has ended. Read results outside of grad, jvp, vmap, trace or compile, of what the function returns]`)
  })

  it('explain and dump say what became of the ops', () => {
    const f = compile((x: Tensor) => add(relu(mul(x, x)), relu(mul(x, x))))
    expect(f.explain(ones([4]))).toMatchInlineSnapshot(`
      "5 ops traced; 2 were computed before, 0 only once, 0 not needed: 3 are left.
      3 elementwise ops, copies and reductions in 1 loops, 1 of them of several ops.
      0 ops with kernels of their own.
      At most 64 bytes at once."
    `)
    expect(f.dump(ones([4]))).toMatch(/-- traced\n[^]*-- simplified\n[^]*-- fused\nloop \[4\]\n {2}%1: f32\[4\] = mul\(%0, %0\)/)
    expect(f.bytes(ones([4]))).toBe(64)
  })

  it('profile tells the parts of a run, and runs the function once', () => {
    const count = new Variable(zeros([2]))
    const f = compile((x: Tensor) => {
      count.assign(add(count, x))
      return sum(count)
    })
    expect(f.profile(ones([2])).map(({ name }) => name)).toContain('add+sumTo')
    expect([...count.dataSync()]).toEqual([1, 1])
  })
})

describe('a backend without programs', () => {
  it('runs its kernels one by one, with the same results', () => {
    const { lower: _, ...plain } = cpu() as Backend
    use(plain)
    const [x, y] = data(12)
    const make = (model: Module): Adam => new Adam(model.parameters(), { lr: 0.01 })
    const [a, b] = [training(make, false), training(make, true)]
    for (let i = 0; i < 5; i++) expect(b.step(x, y).item()).toBe(a.step(x, y).item())
    use(cpu())
  })
})
