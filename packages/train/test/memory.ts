// 10,000 updates op by op in one synchronous loop, nothing disposed of; prints the memory after each thousand.

import { cpu } from '@bp/backend-cpu'
import { tensor, use } from '@bp/core'
import { Adam, clipGradNorm, crossEntropy, Dropout, Linear, ReLU, Sequential } from '@bp/nn'
import { Generator } from '@bp/ops'
import { Accuracy } from '@bp/train'

/** Bytes that are kept alive after collecting, and bytes that the process has. */
export interface Mark {
  readonly kept: number
  readonly rss: number
}

use(cpu())
const generator = new Generator(1)
const model = new Sequential(new Linear(16, 32, { generator }), new ReLU(), new Dropout(0.1, { generator }), new Linear(32, 4, { generator }))
const optimiser = new Adam(model.parameters(), { lr: 0.01 })
const accuracy = new Accuracy()
const marks: Mark[] = []
for (let step = 1; step <= 10_000; step++) {
  // new inputs each time, as data are
  const x = tensor(Float32Array.from({ length: 32 * 16 }, (_, i) => Math.sin(i * step)), { shape: [32, 16] })
  const y = tensor(Int32Array.from({ length: 32 }, (_, i) => i % 4))
  optimiser.zeroGrad()
  const logits = model.forward(x)
  crossEntropy(logits, y).backward()
  clipGradNorm(model.parameters(), 1)
  optimiser.step()
  accuracy.update(logits, y)
  if (step % 1000 === 0) {
    // the second waits for what the first frees beside the program
    globalThis.gc!()
    globalThis.gc!()
    const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage()
    marks.push({ kept: heapUsed + external + arrayBuffers, rss })
  }
}
process.stdout.write(JSON.stringify(marks))
