// Budgets: compiled steps that fit by themselves, with the same results.

import { cpu } from '@bp/backend-cpu'
import { Adam, AdamW, type AnyOptimizer, BatchNorm2d, Conv2d, crossEntropy, Dropout, Embedding, Flatten, LayerNorm, Linear, MaxPool2d, type Module, ReLU, Sequential, SGD, TransformerEncoderLayer } from '@bp/nn'
import { exp, Generator, matmul, mean, neg, reshape, sigmoid, sub, sum, transpose } from '@bp/ops'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Backend } from '../backend.ts'
import { tensor } from '../create.ts'
import { use } from '../eager.ts'
import { type Tensor, Variable } from '../tensor.ts'
import { add, mul, ones } from '../vector.ts'
import { type Compiled, compile, type CompileOptions } from './compile.ts'

use(cpu())

type Step = Compiled<[x: Tensor, y: Tensor], Tensor>

interface Training {
  readonly step: Step
  readonly model: Module
  readonly batch: [x: Tensor, y: Tensor]
}

const classes = (n: number, count: number): Tensor => tensor(Int32Array.from({ length: n }, (_, i) => i * 7 % count))

function training(model: Module, optimiser: AnyOptimizer, x: Tensor, y: Tensor, options: CompileOptions): Training {
  const step = (x: Tensor, y: Tensor): Tensor => {
    optimiser.zeroGrad()
    const out = model.forward(x)
    const loss = crossEntropy(reshape(out, [y.size, out.size / y.size]), y)
    loss.backward()
    optimiser.step()
    return loss
  }
  return { model, batch: [x, y], step: compile(step, options) }
}

const networks: Record<string, (options?: CompileOptions) => Training> = {
  'a deep network of dense layers': (options = {}) => {
    const generator = new Generator(3)
    const model = new Sequential(...Array.from({ length: 32 }, () => [new Linear(64, 64, { generator }), new ReLU()]).flat(), new Linear(64, 10, { generator }))
    return training(model, new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }), generator.normal([128, 64]), classes(128, 10), options)
  },
  'a convolutional network with batch normalisation and dropout': (options = {}) => {
    const generator = new Generator(3)
    const layer = (from: number, to: number): Module[] => [new Conv2d(from, to, 3, { padding: 1, generator }), new BatchNorm2d(to), new ReLU(), new Dropout(0.2, { generator: new Generator(from) })]
    const model = new Sequential(...layer(1, 6), ...layer(6, 6), ...layer(6, 6), ...layer(6, 6), new MaxPool2d(2), ...layer(6, 12), ...layer(12, 12), new MaxPool2d(2), new Flatten(), new Linear(12 * 16, 10, { generator }))
    return training(model, new Adam(model.parameters(), { lr: 1e-3, eps: 1e-2 }), generator.normal([8, 1, 16, 16]), classes(8, 10), options)
  },
  'a transformer': (options = {}) => {
    const generator = new Generator(3)
    const block = (): Module => new TransformerEncoderLayer(16, 2, { feedForward: 64, dropout: 0.1, activation: 'gelu', normFirst: true, batchFirst: true, generator })
    const model = new Sequential(new Embedding(30, 16, { generator }), ...Array.from({ length: 3 }, block), new LayerNorm(16), new Linear(16, 30, { generator }))
    const tokens = tensor(Int32Array.from({ length: 96 }, (_, i) => i * 13 % 30), { shape: [4, 24] })
    return training(model, new AdamW(model.parameters(), { lr: 1e-3, eps: 1e-2 }), tokens, classes(96, 30), options)
  },
}

const bytes = ({ step, batch }: Training): number => step.bytes(...batch)
/** The loss of three steps, then all that the model holds. */
function results({ step, model, batch }: Training): number[] {
  const losses = [1, 2, 3].map(() => step(...batch).item())
  return [...losses, ...[...model.stateDict().values()].flatMap(value => [...value.dataSync()].map(Number))]
}

/** The least number of bytes that the error for an impossible budget names. */
function leastOf(compiled: () => unknown): number {
  try {
    compiled()
  } catch (error) {
    return Number(/the least that recomputing reaches is (\d+)/.exec(String(error))![1])
  }
  throw new Error('the budget was enough')
}

const least = (make: (options: CompileOptions) => Training): number => leastOf(() => bytes(make({ maxBytes: 1 })))

/** The part of its memory that each network can be trained in, at least: one layer's values are a large part of the second's. */
const reach = [0.4, 0.9, 0.6]

describe.each(Object.entries(networks).map(([name, make], i) => [name, make, reach[i]!] as const))('%s', (_name, make, part) => {
  it('is trained in 0.7 and in half of its memory, or in as little as can be, to the same results', { timeout: 120_000 }, () => {
    const plain = make()
    const peak = bytes(plain)
    const want = results(plain)
    const lowest = least(make)
    expect(lowest).toBeLessThan(part * peak)
    for (const maxBytes of new Set([0.7, 0.5, 0].map(share => Math.max(Math.floor(share * peak), lowest)))) {
      const tight = make({ maxBytes })
      expect(bytes(tight)).toBeLessThanOrEqual(maxBytes)
      // other ops share loops, so that sums add up in another order
      results(tight).forEach((value, i) => { expect(value, `${maxBytes} bytes, number ${i}`).toBeCloseTo(want[i]!, 4) })
    }
  })
})

describe('a budget that is kept', () => {
  it('changes nothing', () => {
    const make = networks['a convolutional network with batch normalisation and dropout']!
    const plain = make(), roomy = make({ maxBytes: bytes(plain) })
    expect([roomy.step.dump(...roomy.batch), roomy.step.explain(...roomy.batch)]).toEqual([plain.step.dump(...plain.batch), plain.step.explain(...plain.batch)])
  })
})

describe('variables', () => {
  it('are read as they were, by what is computed again after their update too', () => {
    const x = ones([64, 64])
    const run = (options: CompileOptions): { readonly results: number[]; readonly step: Compiled<[Tensor], Tensor> } => {
      const w = new Variable(mul(ones([64, 64]), 0.5))
      const step = compile((x: Tensor) => {
        const early = exp(mul(w, x))
        w.assign(sub(w, mean(early)))
        const kept: Tensor[] = []
        for (let i = 0; i < 6; i++) kept.push(add(x, mean(exp(neg(kept.at(-1) ?? x)), [1], true)))
        const y = kept.reduceRight((y, k) => mean(mul(add(x, y), k), [0], true), x)
        return mean(mul(early, add(early, y)))
      }, options)
      const results = [step(x), step(x)].map(y => y.item())
      return { results: [...results, w.dataSync()[0] as number], step }
    }
    const plain = run({})
    const tight = run({ maxBytes: leastOf(() => run({ maxBytes: 1 }).step.bytes(x)) })
    const program = tight.step.dump(x).split('-- rematerialised')[1]!
    expect(program.lastIndexOf('mul(%1, %0)')).toBeGreaterThan(program.indexOf('sub(%1, '))
    tight.results.forEach((value, i) => { expect(value).toBeCloseTo(plain.results[i]!, 3) })
  })
})

describe('programs of any form', () => {
  const kinds: ((a: Tensor, b: Tensor) => Tensor)[] = [
    (a, b) => add(a, b), (a, b) => mul(0.5, mul(a, b)), a => sigmoid(a), (a, b) => add(a, mean(b, [1], true)), (a, b) => sub(a, mean(b, [0], true)),
    (a, b) => add(transpose(a), b), (a, b) => add(reshape(transpose(reshape(a, [4, 6, 24]), [1, 0, 2]), [24, 24]), b), (a, b) => mul(0.1, matmul(a, transpose(b))),
  ]
  /** A function made by numbers: each op reads the value before and any other; some values are results, one moves a variable. */
  const made = (ops: readonly (readonly [number, number])[], w: Variable) => (x: Tensor): Tensor[] => {
    const values: Tensor[] = [x, mul(w, x)]
    for (const [kind, other] of ops) values.push(kinds[kind]!(values.at(-1)!, values[other % values.length]!))
    w.assign(sub(w, mul(0.1, values[values.length >> 1]!)))
    return [values.at(-1)!, mean(values[values.length >> 2]!)]
  }
  const numbers = (values: readonly Tensor[]): number[] => values.flatMap(value => [...value.dataSync()].map(Number))

  it('give the same in less memory', { timeout: 120_000 }, () => {
    const fitted = { cpu: 0, plain: 0 }
    const { lower: _, ...plain } = cpu() as Backend
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(7), fc.nat(200)), { minLength: 12, maxLength: 30 }), ops => {
      for (const [name, backend] of [['cpu', cpu()], ['plain', plain]] as const) {
        use(backend)
        const run = (options: CompileOptions): { readonly f: Compiled<[Tensor], Tensor[]>; readonly w: Variable } => {
          const w = new Variable(mul(ones([24, 24]), 0.5))
          return { w, f: compile(made(ops, w), options) }
        }
        const x = new Generator(5).normal([24, 24])
        const free = run({})
        const maxBytes = leastOf(() => run({ maxBytes: 1 }).f.bytes(x))
        if (maxBytes === free.f.bytes(x)) continue
        const tight = run({ maxBytes })
        expect(tight.f.bytes(x)).toBeLessThanOrEqual(maxBytes)
        fitted[name]++
        for (let i = 0; i < 2; i++) {
          const [want, got] = [free, tight].map(({ f, w }) => numbers([...f(x), w]))
          if (name === 'plain') expect(got).toEqual(want)
          else {
            // sums in another order differ by rounding of the largest values that meet
            const scale = want!.reduce((most, value) => Math.max(most, Math.abs(value)), 1)
            got!.forEach((value, k) => { expect(Math.abs(value - want![k]!)).toBeLessThanOrEqual(1e-4 * scale) })
          }
        }
      }
    }), { numRuns: 20 })
    use(cpu())
    expect(fitted.plain).toBeGreaterThan(5)
    expect(fitted.cpu).toBeGreaterThan(0)
  })
})

describe('a backend without programs', () => {
  let plain: Backend
  beforeAll(() => {
    const { lower: _, ...rest } = cpu() as Backend
    plain = rest
    use(plain)
  })
  afterAll(() => { use(cpu()) })

  it.each(Object.entries(networks).slice(1))('gives the same bits, running statistics and dropout included: %s', { timeout: 120_000 }, (_name, make) => {
    const unlimited = make()
    const want = results(unlimited)
    for (const part of [0.7, 0.5]) {
      const maxBytes = Math.floor(part * bytes(unlimited))
      const tight = make({ maxBytes })
      expect(bytes(tight)).toBeLessThanOrEqual(maxBytes)
      expect(results(tight)).toEqual(want)
    }
  })

  it('computes random bits again, not others', () => {
    const make = networks['a transformer']!
    const unlimited = make()
    const tight = make({ maxBytes: least(make) })
    const count = ({ step, batch }: Training): number => step.dump(...batch).split(/^-- .*$/m).at(-1)!.split(' = randomBits').length
    expect(count(tight)).toBeGreaterThan(count(unlimited))
    expect(results(tight)).toEqual(results(unlimited))
  })

  /** Values kept for the way back of a chain. */
  const chain = (x: Tensor): Tensor => {
    let y = x
    const kept: Tensor[] = []
    for (let i = 0; i < 8; i++) {
      kept.push(exp(y))
      y = sum(mul(y, sigmoid(y)), [1], true)
      y = add(x, y)
    }
    return kept.reduceRight((z, k) => sum(mul(add(x, z), k), [0], true), y)
  }
  const x = (): Tensor => ones([64, 64])

  it('explain counts what is computed again, dump shows it', () => {
    const plain = compile(chain)
    const tight = compile(chain, { maxBytes: Math.floor(plain.bytes(x()) / 2) })
    expect(tight.explain(x())).toMatchInlineSnapshot(`
      "64 ops traced; 0 were computed before, 0 only once, 0 not needed: 64 are left.
      44 values are computed again, and ops moved to where they free memory: 98,304 bytes less for 68.8 % more operations.
      The backend runs its kernels one by one: nothing is fused.
      At most 81,920 bytes at once."
    `)
    expect(tight.dump(x())).toMatch(/-- simplified\n[^]*-- rematerialised\n[^]*--- fence 1\n/)
    expect([...tight(x()).dataSync()]).toEqual([...plain(x()).dataSync()])
  })

  it('an impossible budget is named with the least that is possible', () => {
    expect(() => compile(chain, { maxBytes: 1000 })(x())).toThrowErrorMatchingInlineSnapshot(`[BpError: compile: one run takes 180224 bytes for its values, more than maxBytes = 1000; the least that recomputing reaches is 65536. Give maxBytes at least that, or use smaller batches]`)
  })
})
