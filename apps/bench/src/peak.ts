// The most that 128-bit vectors can do here: independent chains of multiply-adds and nothing else, measured beside the products.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { median } from './statistics.ts'

/* (module (memory 1) (func (export "run") (param i32) …)): twelve chains of f32x4.relaxed_madd, or of mul and add. */
function bytes(relaxed: boolean): Uint8Array<ArrayBuffer> {
  const chains = 12
  const leb = (n: number): number[] => n < 128 ? [n] : [n & 127 | 128, ...leb(n >> 7)]
  const get = (i: number): number[] => [0x20, i], set = (i: number): number[] => [0x21, i]
  const constant = (x: number): number[] => [0xfd, 12, ...[0, 1, 2, 3].flatMap(() => [...new Uint8Array(Float32Array.of(x).buffer)])]
  const [scale, shift, firstChain] = [1, 2, 3]
  const step = Array.from({ length: chains }, (_, i) => {
    const chain = firstChain + i
    return relaxed ? [...get(chain), ...get(scale), ...get(shift), 0xfd, 0x85, 0x02, ...set(chain)] : [...get(chain), ...get(scale), 0xfd, 0xe6, 0x01, ...get(shift), 0xfd, 0xe4, 0x01, ...set(chain)]
  }).flat()
  const body = [
    1, ...leb(chains + 2), 0x7b, ...constant(0.999), ...set(scale), ...constant(0.001), ...set(shift),
    0x03, 0x40, ...step, ...get(0), 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b,
    0x41, 0, ...get(firstChain), ...Array.from({ length: chains - 1 }, (_, i) => [...get(firstChain + 1 + i), 0xfd, 0xe4, 0x01]).flat(), 0xfd, 11, 0, 0, 0x0b,
  ]
  const section = (id: number, content: number[]): number[] => [id, ...leb(content.length), ...content]
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 1, 0x7f, 0]), ...section(3, [1, 0]), ...section(5, [1, 0, 1]), ...section(7, [1, 3, 0x72, 0x75, 0x6e, 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ])
}

interface Wasm {
  validate(bytes: Uint8Array): boolean
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { exports: { run(rounds: number): void } }
}

const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly
const rounds = 2_000_000
const flops = 12 * 4 * 2 * rounds

/** GFLOP/s of this thread. */
export function onePeak(repetitions: number): number {
  const code = wasm.validate(bytes(true)) ? bytes(true) : bytes(false)
  const { exports } = new wasm.Instance(new wasm.Module(code))
  for (let i = 0; i < 5; i++) exports.run(rounds / 10)
  return median(Array.from({ length: repetitions }, () => {
    const begin = performance.now()
    exports.run(rounds)
    return flops / (performance.now() - begin) / 1e6
  }))
}

/** GFLOP/s of this many threads at once. */
export async function peak(threads: number): Promise<number> {
  const self = new URL(import.meta.url)
  const others = Array.from({ length: threads - 1 }, () => new Worker(self, { workerData: 'peak' }))
  const results = others.map(worker => new Promise<number>((done, refused) => {
    worker.once('message', done)
    worker.once('error', refused)
  }))
  await Promise.all(others.map(worker => new Promise(done => { worker.once('online', done) })))
  const own = onePeak(15)
  const all = await Promise.all(results)
  await Promise.all(others.map(worker => worker.terminate()))
  return own + all.reduce((sum, x) => sum + x, 0)
}

if (!isMainThread && workerData === 'peak') parentPort!.postMessage(onePeak(15))
