// Textures: freed by scopes, programs and backward passes, counted, kept within a budget, and lost with their context.

import { cpu } from '@bp/backend-cpu'
import { add, compile, mul, noGrad, ones, scope, tensor, type Tensor, use, Variable } from '@bp/core'
import { Adam, BatchNorm2d, Conv2d, crossEntropy, Dropout, Flatten, Linear, MaxPool2d, type Module, ReLU, Sequential } from '@bp/nn'
import { detach, exp, Generator, reshape, sum } from '@bp/ops'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { backend } from '../test/backend.ts'
import { webgl } from './index.ts'

beforeEach(() => { use(backend) })

const counts = (): { readonly textures: number; readonly bytes: number; readonly handles: number } => {
  const { textures, bytes, handles } = backend.memory()
  return { textures, bytes, handles }
}

const network = (): Module => {
  const generator = new Generator(1)
  return new Sequential(new Conv2d(1, 4, 3, { padding: 1, generator }), new BatchNorm2d(4), new ReLU(), new MaxPool2d(2), new Flatten(), new Dropout(0.1, { generator: new Generator(2) }), new Linear(64, 10, { generator }))
}

describe('a training loop', () => {
  const training = (): { readonly step: (x: Tensor, y: Tensor) => Tensor; readonly x: () => Tensor; readonly y: () => Tensor } => {
    const model = network()
    const optimiser = new Adam(model.parameters())
    const data = new Float32Array(8 * 64).map((_, i) => Math.sin(i))
    return {
      step: (x, y) => {
        optimiser.zeroGrad()
        const loss = crossEntropy(model.forward(x), y)
        loss.backward()
        optimiser.step()
        return loss
      },
      x: () => tensor(data, { shape: [8, 1, 8, 8] }), y: () => tensor(Int32Array.from({ length: 8 }, (_, i) => i)),
    }
  }

  test.each(['compiled', 'op by op'])('in scopes is flat to the texture: %s', async kind => {
    const { step, x, y } = training()
    const run = kind === 'compiled' ? compile(step) : step
    const seen: ReturnType<typeof counts>[] = []
    for (let i = 0; i < 25; i++) {
      const loss = scope(() => run(x(), y()))
      expect(Number.isFinite((await loss.data())[0])).toBe(true)
      backend.free!(loss.storage as never)
      seen.push(counts())
    }
    // what earlier tests left may be collected meanwhile, so there may be fewer
    for (const key of ['textures', 'bytes', 'handles'] as const) expect(seen[24]![key]).toBeLessThanOrEqual(seen[4]![key])
    expect(backend.lost).toBe(false)
  })
})

describe('values', () => {
  test('a parameter taken before an update keeps its value', () => {
    const w = new Variable(tensor([1, 2]))
    const [before, shaped] = [detach(w), reshape(w, [2, 1])]
    w.assign(tensor([3, 4]))
    expect([before.toArray(), shaped.toArray(), w.toArray()]).toEqual([[1, 2], [[1], [2]], [3, 4]])
  })

  test('a tensor that its scope has freed says so', () => {
    let lost: Tensor | undefined
    scope(() => { lost = exp(tensor([1, 2])) })
    expect(() => add(lost!, 1)).toThrowErrorMatchingInlineSnapshot(`[BpError: webgl: this tensor was freed when its scope ended. Keep what is used later with scope.keep(x)]`)
  })

  test('backward frees what it makes on its way', () => {
    const x = tensor(new Float32Array(64), { requiresGrad: true })
    // x goes to the GPU when it is first read there
    scope(() => { exp(detach(x)) })
    const before = counts()
    scope(() => { sum(exp(mul(exp(x), 2))).backward() })
    // the gradient is left
    expect(counts().textures).toBeLessThanOrEqual(before.textures + 1)
  })
})

describe('a budget', () => {
  test('is kept, and says what to do', async () => {
    const small = await webgl({ host: cpu(), maxBytes: 2 ** 20 })
    use(small)
    const kept: Tensor[] = []
    expect(() => { for (let i = 0; i < 100; i++) kept.push(noGrad(() => ones([128, 128]))) }).toThrowErrorMatchingInlineSnapshot(`[BpError: webgl: 65536 more bytes exceed the budget of 1048576: 16 textures hold 983056. Let tensors go sooner with scope(), compile the step, use smaller batches, or give webgl({ maxBytes })]`)
    expect(small.memory().bytes).toBeLessThanOrEqual(2 ** 20)
    // what was pooled makes room for another size
    for (const x of kept) small.free!(x.storage as never)
    expect(ones([200, 300]).dataSync()[0]).toBe(1)
    expect(small.memory().pooledBytes + small.memory().bytes).toBeLessThanOrEqual(2 ** 20)
  })
})

describe('a lost context', () => {
  test('is reported; what was written works again once it is restored, what was computed says that it is lost', async () => {
    const other = await webgl({ host: cpu() })
    use(other)
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const [written, double] = [tensor([1, 2, 3, 4, 5]), compile((x: Tensor) => mul(x, 2))]
    const computed = exp(written)
    expect(double(written).toArray()).toEqual([2, 4, 6, 8, 10])
    const lost = (other.context as { getExtension(name: string): { loseContext(): void; restoreContext(): void } }).getExtension('WEBGL_lose_context')
    lost.loseContext()
    await expect.poll(() => other.lost).toBe(true)
    expect(() => exp(written)).toThrowErrorMatchingInlineSnapshot(`[BpError: webgl: the WebGL context was lost, and the values on the GPU with it. Once the browser has restored it, tensors that were written from this side work again; load the others from a checkpoint]`)
    expect(warn.mock.calls.flat().join()).toContain('the WebGL context was lost')
    lost.restoreContext()
    await expect.poll(() => other.lost).toBe(false)
    expect(double(written).toArray()).toEqual([2, 4, 6, 8, 10])
    expect(add(written, 1).toArray()).toEqual([2, 3, 4, 5, 6])
    expect(() => computed.dataSync()).toThrow('the WebGL context was lost')
    warn.mockRestore()
  })
})
