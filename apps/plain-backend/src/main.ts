// Holds the plain backend to conformance, trains the digits network on it, and prints what its kernels did.

import { use } from '@bp/core'
import { conformance } from '@bp/testkit'
import { accuracy, readDigits, train } from './digits.ts'
import { plain, profiled } from './index.ts'

const say = (text: string): void => { process.stdout.write(`${text}\n`) }

for (const mode of ['test', 'grad'] as const) {
  const { passed, failed, unsupported } = await conformance(plain(), { mode }).run()
  say(`conformance ${mode.padEnd(4)}  ${passed} passed, ${failed.length} failed, ${unsupported.length} unsupported`)
  for (const { name, message } of failed) say(`  ${name}: ${message}`)
}

const backend = profiled(plain())
use(backend)
const digits = readDigits()
const model = await train(digits.train, 60, 32, (step, loss) => { if (step % 10 === 0) say(`step ${step}, loss ${loss.toFixed(3)}`) })
say(`names ${(100 * await accuracy(model, digits.test.slice(0, 500))).toFixed(1)} % of 500 test images`)
say(backend.table())
