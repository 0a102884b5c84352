// npm run xor: exclusive or as it was learned in 1986.

import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { positive, readOptions, whole } from '@bp/kit'
import { trainXor } from './networks.ts'
import { xorReport } from './report.ts'

const specs = {
  networks: whole(100, 'how many learn, from different first weights'),
  rate: positive(0.5, 'η, the learning rate'),
  momentum: positive(0.9, 'α, the share of the last change that is added', true),
  sweeps: whole(10_000, 'times that each network sees the four patterns'),
  seed: whole(1, 'of the first weights', 0),
}

/** Runs the command line. */
export function xor(argv: readonly string[], say: (text: string) => void): number {
  const options = readOptions(argv, specs, 'Teaches small networks exclusive or by backpropagation, as Rumelhart, Hinton and Williams did in 1986.', 'npm run xor')
  if (typeof options === 'string') {
    say(options)
    return 0
  }
  use(cpu())
  say(xorReport(trainXor(options), options))
  return 0
}
