// The WebGL backend held to what every backend is held to: laws, edge values, sweeps over shapes, large tensors.

import { conformance, type ConformanceCase, type ConformanceOptions, suite } from '@bp/testkit'
import { describe, expect, test } from 'vitest'
import support from '../../../docs/support/webgl.json' with { type: 'json' }
import { backend, onSwiftShader } from '../test/backend.ts'

/* Adapters take floats below 2⁻¹²⁶ for 0. In float64 the host would be tested. */
const options: Omit<ConformanceOptions, 'mode'> = { lacks: ['subnormal'], dtypes: ['float32', 'float16', 'int32', 'uint8', 'bool', 'int64'] }

/** A law at another sample than its row's first. */
const isFurther = ({ name }: ConformanceCase): boolean => / sample [1-9]/.test(name)
/** What has each function compiled, which takes an adapter a tenth of a second for each new one. */
const compiles = ({ name }: ConformanceCase): boolean => name.includes(' compiling ')

const chosen = ({ cases }: { readonly cases: readonly ConformanceCase[] }): readonly ConformanceCase[] =>
  cases.filter(one => (!isFurther(one) || !(onSwiftShader || compiles(one))) && !(onSwiftShader && compiles(one)))

describe('values', () => { suite(test, chosen(conformance(backend, { mode: 'test', ...options }))) })
describe('derivatives', () => { suite(test, chosen(conformance(backend, { mode: 'grad', ...options }))) })

test.skipIf(onSwiftShader)('the table of docs/backends.md says what there is', async () => {
  const { ops } = await conformance(backend, { mode: 'support' }).run()
  // npm run support writes it anew
  expect(support).toEqual({ backend: 'webgl', ops })
})

test('the context was not lost on the way', () => { expect(backend.lost).toBe(false) })
