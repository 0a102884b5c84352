// jax-js on its WebAssembly device, jitted; `.ref` where a value is used again, as its reference counting asks.

import { blockUntilReady, defaultDevice, grad, init, jit, lax, nn, numpy as np, valueAndGrad } from '@jax-js/jax'
import { chain, type Data, gpt, type Inputs } from '../data.ts'
import type { Peer, Prepare, Prepared } from '../peer.ts'

type Array = np.Array
type Tree = Record<string, Array>

const toArray = ({ values, shape }: Data): Array => np.array(values).reshape([...shape])

/** Targets as one-hot rows. */
function oneHot({ values }: Data, classes: number): Array {
  const rows = new Float32Array(values.length * classes)
  values.forEach((y, i) => { rows[i * classes + y] = 1 })
  return np.array(rows).reshape([values.length, classes])
}

const first = async (x: Array): Promise<number[]> => [...(await x.data()).slice(0, 4)].map(Number)

interface Update {
  readonly start: (p: Tree) => Tree[]
  readonly step: (p: Tree, g: Tree, state: Tree[], t: Array) => [Tree, Tree[]]
}

const zerosLike = (p: Tree): Tree => Object.fromEntries(Object.entries(p).map(([name, x]) => [name, np.zeros(x.shape)]))

/** Adam, or AdamW where there is weight decay. */
const adam = (rate: number, decay = 0): Update => ({
  start: p => [zerosLike(p), zerosLike(p)],
  step(p, g, [m, v], t) {
    const c1 = np.subtract(1, np.power(0.9, t.ref)), c2 = np.subtract(1, np.power(0.999, t))
    const [next, ms, vs]: [Tree, Tree, Tree] = [{}, {}, {}]
    for (const name of Object.keys(p)) {
      const dg = g[name]!
      const mean = m![name]!.mul(0.9).add(dg.ref.mul(0.1)), square = v![name]!.mul(0.999).add(np.square(dg).mul(0.001))
      ms[name] = mean.ref
      vs[name] = square.ref
      const move = mean.div(c1.ref).div(np.sqrt(square.div(c2.ref)).add(1e-8))
      next[name] = (decay > 0 ? p[name]!.mul(1 - rate * decay) : p[name]!).sub(move.mul(rate))
    }
    c1.dispose()
    c2.dispose()
    return [next, [ms, vs]]
  },
})

const momentum = (rate: number, factor: number): Update => ({
  start: p => [zerosLike(p)],
  step(p, g, [m], t) {
    t.dispose()
    const [next, ms]: [Tree, Tree] = [{}, {}]
    for (const name of Object.keys(p)) {
      const velocity = m![name]!.mul(factor).add(g[name]!)
      ms[name] = velocity.ref
      next[name] = p[name]!.sub(velocity.mul(rate))
    }
    return [next, [ms]]
  },
})

/** A jitted training step; the loss is read back each time. */
async function training(data: Inputs, update: Update, x: Array, y: Array, loss: (p: Tree, x: Array, y: Array) => Array): Promise<Prepared> {
  let p: Tree = Object.fromEntries(Object.entries(data).flatMap(([name, entry]) => name === 'x' || name === 'y' ? [] : [[name, toArray(entry)]]))
  let state = update.start(p)
  let t = 1
  const refs = (tree: Tree): Tree => Object.fromEntries(Object.entries(tree).map(([name, x]) => [name, x.ref]))
  const compiled = jit((p: Tree, state: Tree[], t: Array, x: Array, y: Array) => {
    const [value, g] = valueAndGrad(loss)(refs(p), x, y)
    const [next, moved] = update.step(p, g, state, t)
    return [next, moved, value] as [Tree, Tree[], Array]
  })
  const step = async (): Promise<number> => {
    const [next, moved, value] = compiled(p, state, np.array(t++), x.ref, y.ref)
    p = next
    state = moved
    const number = (await value.data())[0]!
    await blockUntilReady(p)
    return number
  }
  return { values: [await step()], run: step }
}

const crossEntropy = (logits: Array, y: Array, count: number): Array => np.sum(nn.logSoftmax(logits, -1).mul(y)).mul(-1 / count)
const linear = (x: Array, w: Array, b: Array): Array => np.matmul(x, w.transpose()).add(b)

const mlp: Prepare = data => training(data, adam(1e-3), toArray(data.x!), oneHot(data.y!, 10), (p, x, y) => {
  const h = nn.relu(linear(nn.relu(linear(x, p.w1!, p.b1!)), p.w2!, p.b2!))
  return crossEntropy(linear(h, p.w3!, p.b3!), y, 64)
})

function cnnForward(p: Tree, x: Array, batch: number): Array {
  const layer = (h: Array, w: Array, b: Array, channels: number, size: number): Array => {
    const y = nn.relu(lax.convGeneralDilated(h, w, [1, 1], 'SAME').add(b.reshape([channels, 1, 1])))
    return np.max(y.reshape([batch, channels, size / 2, 2, size / 2, 2]), [3, 5])
  }
  return linear(layer(layer(x, p.w1!, p.b1!, 8, 28), p.w2!, p.b2!, 16, 14).reshape([batch, 784]), p.w3!, p.b3!)
}

const cnn: Prepare = data => training(data, momentum(0.01, 0.9), toArray(data.x!), oneHot(data.y!, 10), (p, x, y) => crossEntropy(cnnForward(p, x, 64), y, 64))

/** The embedding is a product with one-hot rows: `take` cannot be differentiated under jit there. */
const transformer: Prepare = data => {
  const { layers, dim, heads, context, vocabulary, batch } = gpt
  const norm = (x: Array, w: Array, b: Array): Array => nn.standardize(x, -1).mul(w).add(b)
  return training(data, adam(3e-4, 0.01), oneHot(data.x!, vocabulary), oneHot(data.y!, vocabulary), (p, x, y) => {
    let h = np.matmul(x, p.tokens!).reshape([batch, context, dim]).add(p.positions!).reshape([batch * context, dim])
    for (let l = 0; l < layers; l++) {
      const at = (name: string): Array => p[`${l}.${name}`]!
      const qkv = linear(norm(h.ref, at('ln1.weight'), at('ln1.bias')), at('qkv.weight'), at('qkv.bias')).reshape([batch, context, 3, heads, dim / heads])
      const [q, k, v] = np.split(qkv, 3, 2).map(z => z.reshape([batch, context, heads, dim / heads])) as [Array, Array, Array]
      const seen = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([batch * context, dim])
      h = h.add(linear(seen, at('out.weight'), at('out.bias')))
      h = h.ref.add(linear(nn.gelu(linear(norm(h, at('ln2.weight'), at('ln2.bias')), at('up.weight'), at('up.bias'))), at('down.weight'), at('down.bias')))
    }
    return crossEntropy(np.matmul(norm(h, p['ln.weight']!, p['ln.bias']!), p.head!.transpose()), y, batch * context)
  })
}

const overhead: Prepare = async data => {
  const w = toArray(data.w!), c = toArray(data.c!)
  const df = grad((w: Array, c: Array) => {
    let y = w.ref
    for (let i = 0; i < chain; i++) y = y.mul(w.ref).add(c.ref)
    w.dispose()
    c.dispose()
    return np.sum(y)
  })
  const run = (): Promise<number[]> => first(df(w.ref, c.ref))
  return { values: await run(), run }
}

const op = (f: (...xs: Array[]) => Array): Prepare => async data => {
  const xs = Object.values(data).map(toArray)
  const compiled = jit(f)
  const call = (): Array => compiled(...xs.map(x => x.ref))
  const values = await first(call())
  return {
    values,
    run: async () => {
      const y = call()
      await y.blockUntilReady()
      y.dispose()
    },
  }
}

const infer = (batch: number): Prepare => async data => {
  const { x, y: _y, ...weights } = Object.fromEntries(Object.entries(data).map(([name, entry]) => [name, toArray(entry)]))
  const compiled = jit((p: Tree, x: Array) => cnnForward(p, x, batch))
  const run = (): Promise<number[]> => first(compiled(Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, w.ref])), x!.ref))
  return { values: await run(), run }
}

/** All jobs. */
export async function jax(): Promise<Peer> {
  await init('wasm')
  defaultDevice('wasm')
  const product = { jit: op((a, b) => np.matmul(a, b)) }
  return {
    'mlp': { jit: mlp }, 'cnn': { jit: cnn }, 'gpt': { jit: transformer }, 'overhead': { eager: overhead },
    'gemm-64': product, 'gemm-256': product, 'gemm-512': product, 'gemm-1024': product,
    'exp': { jit: op(x => np.exp(x)) }, 'gelu': { jit: op(x => nn.gelu(x, { approximate: false })) }, 'sum': { jit: op(x => np.sum(x)) }, 'softmax': { jit: op(x => nn.softmax(x, -1)) },
    'infer-cnn-1': { jit: infer(1) }, 'infer-cnn-64': { jit: infer(64) },
  }
}
