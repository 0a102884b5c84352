// A contender's process: reads requests from standard input, answers on standard output, and rests in between.

import { createInterface } from 'node:readline'
import { inputs } from './data.ts'
import type { Answer, Peer, Prepared, Request } from './peer.ts'

const peers: Readonly<Record<string, () => Promise<Peer>>> = {
  'ours': async () => (await import('./peers/ours.ts')).ours(),
  'ours-op-by-op': async () => (await import('./peers/ours.ts')).oursOpByOp(),
  'tfjs-wasm': async () => (await import('./peers/tfjs.ts')).tfjs('wasm'),
  'tfjs-cpu': async () => (await import('./peers/tfjs.ts')).tfjs('cpu'),
  'jax-js': async () => (await import('./peers/jax.ts')).jax(),
  'onnxruntime-node': async () => (await import('./peers/onnxruntime.ts')).onnxruntime(),
  'onnxruntime-web-1': async () => (await import('./peers/onnxruntimeWeb.ts')).onnxruntimeWeb(1),
  'onnxruntime-web-2': async () => (await import('./peers/onnxruntimeWeb.ts')).onnxruntimeWeb(2),
}

/** Milliseconds that one measurement shall take at least, and those of running untimed before it, in which threads wake and clocks rise. */
const shortest = 100
/** Milliseconds of warming up: engines compile while functions run. */
const warmUp = 1500

/** Milliseconds of one run, of as many as fill the shortest time. */
async function time(job: Prepared, count: number): Promise<number> {
  const begin = performance.now()
  for (let i = 0; i < count; i++) {
    const result = job.run()
    if (result instanceof Promise) await result
  }
  return (performance.now() - begin) / count
}

async function warm(job: Prepared): Promise<number> {
  const begin = performance.now()
  let runs = 0
  do {
    await time(job, 1)
    runs++
    // compilers that work in the background get a turn
    if (runs % 16 === 0) await new Promise(done => { setTimeout(done) })
  } while (runs < 3 || (performance.now() - begin < warmUp && runs < 1e5))
  return Math.max(1, Math.ceil(shortest / await time(job, Math.max(1, Math.min(runs, 20)))))
}

const peer = await peers[process.argv[2]!]!()
let current: { readonly job: Prepared; readonly count: number } | null = null

async function prepare(name: string): Promise<Answer> {
  current = null
  const ways = peer[name]
  if (!ways) return { fail: 'has no such job' }
  let best: { job: Prepared; count: number; variant: string; time: number } | null = null
  for (const [variant, start] of Object.entries(ways)) {
    const job = await start(inputs[name]!())
    const count = await warm(job)
    const spent = await time(job, count)
    if (!best || spent < best.time) best = { job, count, variant, time: spent }
  }
  current = best
  return best ? { values: best.job.values, variant: best.variant } : { fail: 'has no way to do it' }
}

async function answer(request: Request): Promise<Answer> {
  try {
    if (request.ask === 'prepare') return await prepare(request.job)
    if (current!.count > 1) await time(current!.job, current!.count)
    return { time: await time(current!.job, current!.count) }
  } catch (error) {
    return { fail: (error instanceof Error ? error.message : String(error)).split('\n')[0]!.slice(0, 160) }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Request))}\n`)
}
process.exit(0)
