// Conformance of the CPU backend, with and without WebAssembly, and of the reference backend.

import { cpu } from '@bp/backend-cpu'
import { constants, convolutions, cpuOf, elementwise, errorFunction, indexing, products, reductions, sources, views } from '@bp/backend-cpu/pick'
import { use } from '@bp/core'
import { afterAll, describe, expect, test } from 'vitest'
import { conformance, reference, suite } from './index.ts'

const inTypeScript = cpuOf(elementwise(), errorFunction(), constants(), sources(), views(), reductions(), products(), convolutions(), indexing())

afterAll(() => { use(cpu()) })

describe.each([['cpu', cpu()], ['reference', reference()]])('%s', (_name, backend) => {
  suite(test, conformance(backend).cases)
  suite(test, conformance(backend, { mode: 'grad' }).cases)
})

test('cpu in TypeScript alone', async () => {
  const { failed, unsupported } = await conformance(inTypeScript).run()
  expect(failed).toEqual([])
  expect(unsupported).toEqual([])
})
