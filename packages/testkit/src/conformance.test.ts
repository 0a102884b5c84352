// Conformance of the CPU backend, with and without WebAssembly, and of the reference backend.

import { cpu } from '@bp/backend-cpu'
import { constants, convolutions, cpuOf, elementwise, errorFunction, indexing, products, reductions, sources, views } from '@bp/backend-cpu/pick'
import { tensor, use } from '@bp/core'
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
}, 240_000)

test('perf times every job, and asserts nothing', async () => {
  const { rows, failed, unsupported } = await conformance(cpu(), { mode: 'perf', filter: '256' }).run()
  expect([failed, unsupported]).toEqual([[], []])
  expect(rows.map(({ name, unit }) => [name, unit])).toEqual([['matmul 256 × 256', 'Gop/s']])
  expect(rows[0]!.milliseconds * rows[0]!.rate!).toBeCloseTo(2 * 256 ** 3 / 1e6, 6)
})

test('support says by which kernels an op takes an element type', async () => {
  const { ops, failed } = await conformance(cpu(), { mode: 'support', dtypes: ['float64', 'float32', 'int64', 'int32'] }).run()
  const of = (name: string): unknown => ops.find(({ op }) => op === name)?.dtypes
  expect(failed).toEqual([])
  expect(of('exp')).toEqual({ float64: 'yes', float32: 'yes', float16: 'no' })
  expect(of('sub')).toEqual({ float64: 'yes', float32: 'yes', float16: 'no', int64: 'yes', int32: 'yes', uint8: 'no' })
  expect(of('silu')).toMatchObject({ float64: 'through ops', float32: 'through ops', float16: 'no' })
  expect(of('solve')).toEqual({ float64: 'through host', float32: 'through host', float16: 'no' })
})

test('a backend that reads asynchronously is judged by what it can', async () => {
  const { readSync: _, ...later } = reference()
  const { passed, failed, unsupported } = await conformance({ ...later, name: 'later' }, { filter: ' values float32 sample 0' }).run()
  expect(failed).toEqual([])
  expect(passed).toBeGreaterThan(300)
  expect(unsupported.map(name => name.split(' ')[0]).join(' ')).toMatchInlineSnapshot(`"index() index() maskedSelect() nonzero() luUnpack() i0() i0e() i1() i1e() sinc() erfcx() ndtr() digamma() polygamma() mvlgamma() frexp() solve() solve() solve() solveEx() inv() inv() invEx() det() det() det() slogdet() logdet() luFactor() luFactor() luFactor() luFactorEx() lu() lu() luSolve() luSolve() luSolve() solveTriangular() solveTriangular() triangularSolve() triangularSolve() cholesky() cholesky() choleskyEx() choleskySolve() choleskyInverse() choleskyInverse() qr() qr() qr() eigh() eigh() eigvalsh() svd() svdvals() svdLowrank() svdLowrank() pcaLowrank() pinv() pinv() matrixRank() matrixRank() lstsq() lstsq() matrixExp() matrixPower() matrixNorm() matrixNorm() matrixNorm() cond() cond() cond() tensorinv() tensorsolve() tensorsolve() maxUnpool()"`)
})

test('progress is told of each case, and the backend in use before is in use again', async () => {
  use(cpu())
  const seen: [number, number, string][] = []
  await conformance(reference(), { filter: 'neg special values float32' }).run((...told) => { seen.push(told) })
  expect(seen).toEqual([[1, 1, 'neg special values float32']])
  expect(tensor(1).backend.name).toBe('cpu')
})
