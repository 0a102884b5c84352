// Every function that @bp/ops exports has samples, so that every law runs on it, or a reason here why it needs none.

import * as ops from '@bp/ops'
import { composites, library, primitives } from '@bp/ops/extend'
import { expect, test } from 'vitest'
import { functionSamples } from './index.ts'

const rows = new Set([...Object.keys(primitives), ...Object.keys(composites), ...Object.keys(library)])

/** No function of tensors, or one that is another by a second name. */
const exempt: Readonly<Record<string, string>> = {
  einsumPath: 'gives an order of products, no tensors',
}

test('each has samples', () => {
  const functions = Object.entries(ops).flatMap(([name, value]) => typeof value === 'function' && !/^[A-Z]/.test(name) ? name : [])
  const missing = functions.filter(name => !rows.has(name) && !(name in functionSamples) && !(name in exempt))
  expect(missing).toEqual([])
  expect(Object.keys(exempt).filter(name => !functions.includes(name))).toEqual([])
})
