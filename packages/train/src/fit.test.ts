// fit and its parts: the same run written out, compiled, accumulated, stopped and judged.

import { cpu } from '@bp/backend-cpu'
import { add, mul, type Tensor, tensor, use, Variable } from '@bp/core'
import { live } from '@bp/core/extend'
import { Adam, type AnyOptimizer, clipGradNorm, crossEntropy, Dropout, encodeCheckpoint, Linear, type Module, mseLoss, ReLU, Sequential, SGD, type Stateful } from '@bp/nn'
import { Generator, mean, square, sub } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { Accuracy, type Callback, type CheckpointStore, ConfusionMatrix, EarlyStopping, evaluate, fit, type FitOptions, generatorsOf, LearningRateScheduler, type Run, type Scaler, trainStep } from './index.ts'

use(cpu())

type Batch = readonly [Tensor, Tensor]

/** Noisy points around three corners, in batches of at most `size`. */
function corners(count: number, size: number, seed = 1): Batch[] {
  const noise = new Generator(seed).normal([count, 2], { std: 0.3 }).dataSync() as Float32Array
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3)
  const points = noise.map((value, i) => value + ((i % 6) === 0 || (i % 6) === 3 ? 1 : 0))
  return Array.from({ length: Math.ceil(count / size) }, (_, b): Batch => {
    const part = labels.subarray(b * size, (b + 1) * size)
    return [tensor(points.subarray(2 * b * size, 2 * (b * size + part.length)), { shape: [part.length, 2] }), tensor(part)]
  })
}

function network(seed = 1, drop = 0): Module {
  const generator = new Generator(seed)
  return new Sequential(new Linear(2, 8, { generator }), new ReLU(), new Dropout(drop, { generator: new Generator(seed + 1) }), new Linear(8, 3, { generator }))
}

/** The options of a small classification. */
const small = (model: Module, more: Partial<FitOptions<Module, Batch>> = {}): FitOptions<Module, Batch> =>
  ({ data: corners(50, 16), loss: crossEntropy, optimiser: new Adam(model.parameters(), { lr: 0.05 }), epochs: 3, ...more })

const bytes = (model: Module): Uint8Array => encodeCheckpoint({ model })

/** The largest difference between the parameters of two models. */
const distance = (a: Module, b: Module): number => Math.max(...a.parameters().map((p, i) => {
  const other = b.parameters()[i]!.dataSync() as Float32Array
  return Math.max(...(p.dataSync() as Float32Array).map((value, j) => Math.abs(value - other[j]!)))
}))

/** Halves the rate each step. */
class Halving implements Stateful {
  values: (number | undefined)[] = []
  private readonly optimiser: AnyOptimizer
  constructor(optimiser: AnyOptimizer) { this.optimiser = optimiser }
  step(value?: number): void {
    this.values.push(value)
    this.optimiser.groups[0]!.lr *= 0.5
  }
  stateDict(): unknown { return {} }
  loadStateDict(): void { this.values = [] }
}

describe('a step', () => {
  test('in fit is the one of the loop written out, bit by bit', async () => {
    const a = network(1, 0.2), b = network(1, 0.2)
    const options = small(a, { clipNorm: 0.5 })
    await fit(a, { ...options, scheduler: new Halving(options.optimiser) })
    const optimiser = new Adam(b.parameters(), { lr: 0.05 })
    const schedule = new Halving(optimiser)
    for (let epoch = 0; epoch < 3; epoch++) {
      for (const [x, y] of corners(50, 16)) {
        optimiser.zeroGrad()
        crossEntropy(b.forward(x), y).backward()
        clipGradNorm(b.parameters(), 0.5)
        optimiser.step()
      }
      schedule.step()
    }
    expect(bytes(a)).toEqual(bytes(b))
  })

  test.each([[{}], [{ clipNorm: 0.1, clipValue: 0.05 }], [{ accumulate: 3 }]])('compiled with %j is the one op by op to rounding, for each shape', async more => {
    const eager = network(1, 0.2), compiled = network(1, 0.2)
    await fit(eager, small(eager, more))
    const { step } = await fit(compiled, small(compiled, { ...more, compile: true }))
    expect(step).toBe('accumulate' in more ? 6 : 12)
    expect(distance(eager, compiled)).toBeLessThan(1e-4)
    expect(distance(eager, network(1, 0.2))).toBeGreaterThan(0.01)
  })

  test.each([false, true])('of accumulated batches of any sizes is that of one large batch, compiled: %s', compile => {
    const parts = corners(45, 16)
    const [whole] = corners(45, 45)
    const a = network(), b = network()
    const options = (model: Module) => ({ loss: crossEntropy, optimiser: new SGD(model.parameters(), { lr: 0.5, momentum: 0.9 }), clipNorm: 1 })
    const large = trainStep<Module, Batch>(a, options(a)), accumulated = trainStep<Module, Batch>(b, { ...options(b), compile })
    for (let i = 0; i < 4; i++) {
      const [one, many] = [large(whole!), accumulated(...parts)]
      expect(many.loss.item()).toBeCloseTo(one.loss.item(), 5)
      expect(many.gradNorm!.item()).toBeCloseTo(one.gradNorm!.item(), 5)
      expect([many.samples, many.outcomes.length]).toEqual([45, 3])
    }
    expect(distance(a, b)).toBeLessThan(1e-5)
  })

  test.each([false, true])('takes any batch, loss, scaler, average and precision, compiled: %s', compile => {
    const model = new Linear(1, 1, { generator: new Generator(1) })
    const optimiser = new SGD(model.parameters(), { lr: 0.1 })
    const average = new Variable(model.weight)
    const calls: string[] = []
    // a power of two, so that scaling changes no bit
    const scaler: Scaler = {
      scale: loss => mul(loss, 1024),
      unscale(optimiser) { for (const p of optimiser.parameters()) p.grad = mul(p.grad!, 1 / 1024) },
      step(optimiser) { this.unscale(optimiser); optimiser.step() },
      update: () => { calls.push('update') },
    }
    const step = trainStep(model, {
      optimiser, scaler, compile, autocast: forward => forward(),
      step: (model, { x, y }: { x: Tensor; y: Tensor }) => mean(square(sub(model.forward(x), y))),
      ema: { update: () => { average.assign(add(mul(average, 0.5), mul(model.weight, 0.5))) } },
      samples: () => 1,
    })
    const plain = new Linear(1, 1, { generator: new Generator(1) })
    const reference = trainStep(plain, { loss: mseLoss, optimiser: new SGD(plain.parameters(), { lr: 0.1 }) })
    const batch = { x: tensor([[1], [2]]), y: tensor([[2], [3]]) }
    for (let i = 0; i < 3; i++) {
      expect(step(batch).loss.item()).toBeCloseTo(reference([batch.x, batch.y]).loss.item(), 5)
    }
    expect(distance(model, plain)).toBeLessThan(1e-6)
    expect(average.item()).not.toBe(model.weight.item())
    expect(calls).toHaveLength(compile ? 1 : 3)
  })

  test('follows what is live, and is traced anew when cleared', () => {
    const model = new Linear(1, 1, { generator: new Generator(1) })
    const factor = { value: 1 }
    const step = trainStep(model, { compile: true, optimiser: new SGD(model.parameters(), { lr: 0 }), step: (model, [x, y]: Batch) => mul(mseLoss(model.forward(x), y), live(() => factor.value)) })
    const batch: Batch = [tensor([[1]]), tensor([[2]])]
    const first = step(batch).loss.item()
    factor.value = 2
    expect(step(batch).loss.item()).toBeCloseTo(2 * first, 5)
    model.weight.requiresGrad = false
    step.clear()
    expect(step(batch).loss.item()).toBeCloseTo(2 * first, 5)
  })
})

describe('a run', () => {
  test('tells callbacks what happens, in order', async () => {
    const seen: string[] = []
    const see = (event: string) => (run: Run): void => { seen.push(`${event} ${run.epoch}/${run.epochs} ${run.step} ${run.epochStep}/${run.stepsPerEpoch} ${run.samples} ${Object.keys(run.logs).join()}`) }
    const callback: Callback = { onTrainBegin: see('begin'), onEpochBegin: see('epoch'), onStepEnd: see('step'), onValidationEnd: see('validated'), onEpochEnd: see('epoch end'), onTrainEnd: see('end') }
    const model = network()
    const { history, ended } = await fit(model, small(model, { data: corners(20, 16), epochs: 1, validation: corners(10, 5), metrics: { accuracy: new Accuracy(), table: new ConfusionMatrix(3) }, callbacks: [callback] }))
    expect(seen).toMatchInlineSnapshot(`
      [
        "begin 1/1 0 0/2 0 loss,accuracy,lr",
        "epoch 1/1 0 0/2 0 loss,accuracy,lr",
        "step 1/1 1 1/2 16 loss,accuracy,lr",
        "step 1/1 2 2/2 20 loss,accuracy,lr",
        "validated 1/1 2 2/2 20 loss,accuracy,lr,val_loss,val_accuracy",
        "epoch end 1/1 2 2/2 20 loss,accuracy,lr,val_loss,val_accuracy",
        "end 1/1 2 0/2 0 loss,accuracy,lr,val_loss,val_accuracy",
      ]
    `)
    expect(history).toHaveLength(1)
    expect(ended).toEqual({ by: 'epochs' })
    expect(model.training).toBe(true)
  })

  test('learns, and is judged in evaluation mode', async () => {
    const model = network(1, 0.2)
    const validation = corners(60, 60, 7)
    const { history } = await fit(model, small(model, { epochs: 30, validation, metrics: { accuracy: new Accuracy() }, compile: true }))
    const { logs } = history.at(-1)!
    expect(logs.val_accuracy).toBeGreaterThan(0.8)
    expect(logs.val_loss).toBeLessThan(history[0]!.logs.val_loss!)
    const judged = await evaluate(model, validation, { loss: crossEntropy, metrics: { accuracy: new Accuracy() } })
    expect(judged.accuracy).toBe(logs.val_accuracy)
    expect(judged.loss).toBeCloseTo(logs.val_loss!, 5)
  })

  test('ends after steps, and an epoch may be so many of them over data without end', async () => {
    const model = network()
    const endless = function* (pass: number): Iterable<Batch> { for (let i = pass; ; i++) yield corners(8, 8, i)[0]! }
    const { history, step, ended } = await fit(model, { ...small(model), data: endless, epochs: Infinity, steps: 7, stepsPerEpoch: 3 })
    expect(ended).toEqual({ by: 'steps' })
    expect(step).toBe(7)
    expect(history.map(({ epoch, step }) => [epoch, step])).toEqual([[1, 3], [2, 6], [3, 7]])
  })

  test('takes data that come asynchronously, and gives back what it opened', async () => {
    const a = network(), b = network()
    let closed = 0
    const later = async function* (): AsyncGenerator<Batch> {
      try {
        for (const batch of corners(50, 16)) {
          await Promise.resolve()
          yield batch
        }
      } finally { closed++ }
    }
    await fit(a, small(a))
    await fit(b, small(b, { data: () => later() }))
    expect(bytes(a)).toEqual(bytes(b))
    await fit(b, { ...small(b), data: later, steps: 2 })
    expect(closed).toBe(4)
  })

  test('lets a signal in between steps, and ends by it without an error', async () => {
    const model = network()
    const stop = new AbortController()
    setTimeout(() => { stop.abort() }, 1)
    const { ended, step } = await fit(model, small(model, { epochs: 1_000_000, signal: stop.signal }))
    expect(ended).toEqual({ by: 'signal' })
    expect(step).toBeGreaterThan(0)
    expect((await fit(model, small(model, { signal: stop.signal }))).step).toBe(0)
  })

  test('steps schedules each epoch, each step, or by a monitored number', async () => {
    const rates = async (make: (schedule: Halving) => Halving | LearningRateScheduler): Promise<unknown> => {
      const model = network()
      const options = small(model, { epochs: 2, data: corners(20, 16) })
      const schedule = new Halving(options.optimiser)
      const { history } = await fit(model, { ...options, scheduler: make(schedule), validation: corners(9, 9) })
      return [history.map(({ logs }) => logs.lr), schedule.values.map(value => value !== undefined && history.some(({ logs }) => logs.val_loss === value))]
    }
    expect(await rates(schedule => schedule)).toEqual([[0.05, 0.025], [false, false]])
    expect(await rates(schedule => new LearningRateScheduler(schedule, { every: 'step' }))).toEqual([[0.0125, 0.003125], [false, false, false, false]])
    expect(await rates(schedule => new LearningRateScheduler(schedule, { monitor: 'val_loss' }))).toEqual([[0.05, 0.025], [true, true]])
  })

  test('is stopped when a number gets no better, and has its best weights back', async () => {
    const model = network()
    const stopping = new EarlyStopping({ patience: 2, restoreBest: true, monitor: 'loss' })
    const saved: Uint8Array[] = []
    // the rate grows until the loss does
    const worse: Callback = { onEpochEnd: run => { saved.push(bytes(model)); run.optimiser.groups[0]!.lr *= run.epoch === 3 ? 1000 : 1 } }
    const { ended, history } = await fit(model, small(model, { epochs: 50, callbacks: [worse, stopping], checkFinite: false }))
    const losses = history.map(({ logs }) => logs.loss!)
    const best = losses.indexOf(Math.min(...losses))
    expect(ended.by).toBe('callback')
    expect(losses.length).toBe(best + 3)
    expect(bytes(model)).toEqual(saved[best])
  })
})

describe('a run that is resumed', () => {
  /** A store in memory. */
  class Kept implements CheckpointStore {
    readonly all: Uint8Array[] = []
    best: Uint8Array | null = null
    save(checkpoint: Uint8Array): void { this.all.push(checkpoint) }
    saveBest(checkpoint: Uint8Array): void { this.best = checkpoint }
    load(): Uint8Array | null { return this.all.at(-1) ?? null }
  }

  test.each([[{}], [{ compile: true }], [{ accumulate: 2 }], [{ stepsPerEpoch: 3 }], [{ steps: 10 }]])('with %j from any of its checkpoints ends bit by bit as the unbroken one', async more => {
    const store = new Kept()
    const begin = (): Module => network(1, 0.2)
    const options = (model: Module): FitOptions<Module, Batch> => small(model, { ...more, validation: corners(9, 4), metrics: { accuracy: new Accuracy() }, checkpoint: { store, everySteps: 1, monitor: 'val_loss' } })
    const unbroken = begin()
    const whole = await fit(unbroken, { ...options(unbroken), resume: true })
    expect(store.all.length).toBeGreaterThanOrEqual(whole.step)
    for (const checkpoint of [...store.all.slice(0, 8), store.all.at(-1)!]) {
      const model = begin()
      expect(await fit(model, { ...options(model), resume: checkpoint })).toEqual(whole)
      expect(bytes(model)).toEqual(bytes(unbroken))
    }
  })

  test('after a callback ended it stays ended', async () => {
    const store = new Kept()
    const stopped = async (): Promise<unknown> => {
      const model = network()
      const result = await fit(model, small(model, { epochs: 50, checkpoint: { store }, resume: true, callbacks: [new EarlyStopping({ monitor: 'lr', restoreBest: true, patience: 2 })] }))
      return [result, bytes(model)]
    }
    const first = await stopped()
    expect(first).toMatchObject([{ step: 12, ended: { by: 'callback', reason: 'lr has not become better than 0.05000 for 2 epochs' } }, expect.any(Uint8Array)])
    expect(await stopped()).toEqual(first)
  })

  test('over other data says so', async () => {
    const store = new Kept()
    const model = network()
    await fit(model, small(model, { steps: 3, checkpoint: { store } }))
    await expect(fit(model, small(model, { data: corners(20, 16), checkpoint: { store }, resume: true }))).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: fit: the run was left after 3 batches of a pass, and the data give 2 now. Resume with the same data]`)
    await expect(fit(model, small(model, { resume: store.load()!, metrics: { accuracy: new Accuracy() } }))).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: checkpoint: it has no metric.accuracy. Give the parts that were saved, or pass { strict: false } to load those that both have]`)
  })
})

test('the average is judged in the place of the model', async () => {
  const model = network()
  const zero = bytes(network(3))
  const own = new Map(network(3).stateDict())
  const ema = {
    update: () => undefined,
    use<R>(f: () => R): R {
      const before = new Map([...model.stateDict()].map(([name, value]) => [name, tensor(value.dataSync(), { shape: value.shape })]))
      model.loadStateDict(own)
      return (f() as Promise<unknown>).finally(() => { model.loadStateDict(before) }) as R
    },
  }
  const validation = corners(9, 9)
  const { history } = await fit(model, small(model, { validation, ema, validateAverage: true, epochs: 2 }))
  const judged = await evaluate(network(3), validation, { loss: crossEntropy })
  expect(history.map(({ logs }) => logs.val_loss)).toEqual([judged.loss, judged.loss])
  expect(bytes(model)).not.toEqual(zero)
})

test('generators are found in modules, each once', () => {
  const shared = new Generator(1)
  const model = new Sequential(new Dropout(0.1, { generator: shared }), new Sequential(new Dropout(0.1, { generator: shared }), new Dropout(0.1, { generator: new Generator(2) })))
  expect(Object.keys(generatorsOf(model))).toEqual(['0.generator', '1.1.generator'])
})

describe('errors say what to do', () => {
  const nothing: Batch[] = []
  const once = corners(10, 10)[Symbol.iterator]()
  test.each<[string, Partial<FitOptions<Module, Batch>>]>([
    ['no end', { epochs: Infinity }],
    ['half an epoch', { epochs: 0.5 }],
    ['no loss', { loss: undefined as never }],
    ['no data', { data: nothing }],
    ['data that can be used once', { data: once }],
    ['a batch that is no pair', { data: [tensor([1])] as never }],
    ['a step without a loss', { loss: undefined as never, step: () => tensor([1, 2]) }],
    ['a loss that is not finite', { step: (model, [x]) => mul(mean(model.forward(x)), Infinity), loss: undefined as never }],
    ['metrics without predictions', { step: (model, [x]) => mean(model.forward(x)), loss: undefined as never, metrics: { accuracy: new Accuracy() } }],
    ['a number that is not logged', { callbacks: [new EarlyStopping()] }],
    ['nothing to resume', { resume: true }],
    ['an average that cannot be judged', { validation: corners(3, 3), validateAverage: true }],
    ['checkpoints every half step', { checkpoint: { store: { save: () => undefined, saveBest: () => undefined, load: () => null }, everySteps: 0.5 } }],
  ])('%s', async (name, more) => {
    const model = network()
    const error = await fit(model, small(model, more)).then(() => null, (error: unknown) => error as Error)
    expect(error?.name).toBe('BpError')
    expect({ [name]: error!.message }).toMatchSnapshot()
  })
})

describe('data that cannot be passed through', () => {
  test('are refused, and leave the modes of a model as they were', async () => {
    const model = network()
    const data = (): never => { throw new Error('no data') }
    await expect(evaluate(model, data, { loss: crossEntropy })).rejects.toThrow('no data')
    expect(model.modules().every(({ training }) => training)).toBe(true)
    const promised = Promise.resolve(corners(4, 2)) as never
    await expect(fit(model, small(model, { data: promised }))).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: fit: data must be batches that can be iterated, or a function that returns such, got object. Await a promise first]`)
  })
})
