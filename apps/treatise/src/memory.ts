// What checkpointing saves: peak bytes of activations, counted by the allocator, and what it costs in time.

import { backward, type Backend, checkpointSequential, type Tensor, use, zerosLike } from '@bp/core'
import { Generator, matmul, sum, relu } from '@bp/ops'
import { liveBytes, median, time } from './measure.ts'

/** One depth, plain and checkpointed. */
export interface Memory {
  readonly layers: number
  /** Peak bytes over those of parameters, their gradients and the input. */
  readonly plain: number
  readonly checkpointed: number
  /** Time of a checkpointed step over that of a plain one: the median of the ratios. */
  readonly slowdown: number
  /** Whether all gradients are the same to the bit. */
  readonly identical: boolean
}

const width = 32
const batch = 2048

interface Net {
  readonly ws: readonly Tensor[]
  readonly x: Tensor
}

function netOf(layers: number): Net {
  const random = new Generator(1)
  const ws = Array.from({ length: layers }, () => random.normal([width, width], { std: Math.sqrt(2 / width) }))
  for (const w of ws) {
    w.requiresGrad = true
    w.grad = zerosLike(w)
  }
  return { ws, x: random.normal([batch, width]) }
}

const layersOf = (ws: readonly Tensor[]): ((x: Tensor) => Tensor)[] => ws.map(w => (x: Tensor): Tensor => relu(matmul(x, w)))

const plainLoss = ({ ws, x }: Net): Tensor => sum(layersOf(ws).reduce((y, layer) => layer(y), x))
const checkpointedLoss = ({ ws, x }: Net): Tensor => sum(checkpointSequential(layersOf(ws), x))

/** A backend that looks, after every op, at how many bytes are alive. */
function watched(backend: Backend, peak: { bytes: number }): Backend {
  const kernels = Object.fromEntries(Object.entries(backend.kernels).map(([name, kernel]) => [name, ((xs, p, out) => {
    const result = kernel(xs, p, out)
    peak.bytes = Math.max(peak.bytes, liveBytes())
    return result
  }) satisfies typeof kernel]))
  return { ...backend, kernels }
}

function peakOf(backend: Backend, layers: number, loss: (net: Net) => Tensor): number {
  const peak = { bytes: 0 }
  use(watched(backend, peak))
  const net = netOf(layers)
  // what kernels keep for good, such as packing space, is allocated the first time
  backward(loss(netOf(1)))
  const before = liveBytes()
  peak.bytes = before
  backward(loss(net))
  return peak.bytes - before
}

function gradientsOf(layers: number, loss: (net: Net) => Tensor): Uint8Array[] {
  const net = netOf(layers)
  backward(loss(net))
  return net.ws.map(w => new Uint8Array(w.grad!.dataSync().buffer))
}

/** Measures one depth on a backend. */
export function measureMemory(backend: Backend, layers: number, repetitions: number): Memory {
  const [plain, checkpointed] = [peakOf(backend, layers, plainLoss), peakOf(backend, layers, checkpointedLoss)]
  use(backend)
  const net = netOf(layers)
  const times = time({ plain: () => { backward(plainLoss(net)) }, checkpointed: () => { backward(checkpointedLoss(net)) } }, repetitions)
  const [a, b] = [gradientsOf(layers, plainLoss), gradientsOf(layers, checkpointedLoss)]
  return {
    layers, plain, checkpointed,
    slowdown: median(times.checkpointed.map((t, i) => t / times.plain[i]!)),
    identical: a.every((bytes, i) => bytes.every((byte, j) => byte === b[i]![j])),
  }
}

/** The exponent k of the law y ∝ xᵏ that fits best, by least squares of the logarithms. */
export function exponent(xs: readonly number[], ys: readonly number[]): number {
  const [u, v] = [xs.map(Math.log), ys.map(Math.log)]
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
  const [mu, mv] = [mean(u), mean(v)]
  return u.reduce((s, ui, i) => s + (ui - mu) * (v[i]! - mv), 0) / u.reduce((s, ui) => s + (ui - mu) ** 2, 0)
}
