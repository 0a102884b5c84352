// Trains with the package's ops and prints what came of it, beside the same network with ReLU.

import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { train } from './train.ts'

use(cpu())
for (const activation of ['snake', 'relu'] as const) {
  const { first, last, beyond } = train(activation, 400)
  process.stdout.write(`${activation.padEnd(6)} loss ${first.toFixed(4)} → ${last.toFixed(4)}, mean squared error outside the interval ${beyond.toFixed(4)}\n`)
}
