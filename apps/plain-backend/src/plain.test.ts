// The backend's author's tests: conformance, and a network that learns.

import { cpu } from '@bp/backend-cpu'
import { add, BpError, compile, tensor, to, use } from '@bp/core'
import { matmul, sum, transpose } from '@bp/ops'
import { conformance, suite } from '@bp/testkit'
import { afterAll, describe, expect, test } from 'vitest'
import { accuracy, readDigits, train } from './digits.ts'
import { plain, profiled, type View } from './index.ts'

afterAll(() => { use(cpu()) })

const dtypes = ['float32', 'int32', 'uint8', 'bool'] as const

describe('conformance', () => {
  suite(test, conformance(plain(), { dtypes, filter: ' float32' }).cases)
  suite(test, conformance(plain(), { dtypes, mode: 'grad' }).cases)
})

test.each(['special values float64', ' int32', ' uint8', ' bool'])('conformance: %s', async filter => {
  const { passed, failed } = await conformance(plain(), { dtypes: [...dtypes, 'float64'], filter }).run()
  expect(failed).toEqual([])
  expect(passed).toBeGreaterThan(10)
}, 120_000)

test('what it has not is refused with the way out, and counts as unsupported', async () => {
  expect(() => tensor([1n], { backend: plain() })).toThrowErrorMatchingInlineSnapshot(`[BpError: plain: the plain backend has no int64. Convert with cast(x, 'float32') before you move the tensor here]`)
  expect(() => tensor([1], { backend: plain(), dtype: 'float16' })).toThrow(BpError)
  const { passed, failed, unsupported } = await conformance(plain(), { filter: 'transpose every' }).run()
  expect([passed, failed, unsupported]).toEqual([5, [], ['transpose every shape float16', 'transpose every shape int64']])
})

test('views copy nothing', () => {
  const x = tensor([[1, 2, 3], [4, 5, 6]], { backend: plain() })
  const y = transpose(x)
  expect((y.storage as View).data).toBe((x.storage as View).data)
  expect(y.toArray()).toEqual([[1, 4], [2, 5], [3, 6]])
})

test('the digits network learns on it', async () => {
  const backend = profiled(plain())
  use(backend)
  const digits = readDigits()
  const losses: number[] = []
  const model = await train(digits.train, 25, 16, (_step, loss) => { losses.push(loss) })
  expect(Math.min(...losses.slice(-5))).toBeLessThan(0.6 * losses[0]!)
  expect(await accuracy(model, digits.test.slice(0, 200))).toBeGreaterThan(0.6)
  const calls = Object.fromEntries(backend.tallies().map(({ name, calls }) => [name, calls]))
  expect(calls).toMatchObject({ conv: 52, convInput: 25, convWeight: 50, randomBits: expect.any(Number) as number })
}, 120_000)

describe('profiled', () => {
  test.each(['special values float32', 'variable', 'dot', 'tanh'])('changes nothing of its backend: %s', async filter => {
    expect((await conformance(profiled(cpu()), { dtypes: ['float32', 'int32', 'bool'], filter }).run()).failed).toEqual([])
  }, 120_000)

  test('counts calls, elements and milliseconds, the slowest first', () => {
    const backend = profiled(plain())
    const x = tensor([[1, 2], [3, 4]], { backend })
    sum(add(matmul(x, x), x))
    const tallies = backend.tallies()
    expect(tallies.map(({ name, calls, elements }) => [name, calls, elements]).sort()).toEqual([['add', 1, 4], ['dot', 1, 4], ['reshape', 1, 1], ['sumTo', 1, 1]])
    expect(tallies.every(({ milliseconds }, i) => i === 0 || milliseconds <= tallies[i - 1]!.milliseconds)).toBe(true)
    expect(backend.table().replace(/\d+\.\d ms/g, '# ms').split('\n').sort().join('\n')).toMatchInlineSnapshot(`
      "add                1 calls            4 elements       # ms
      dot                1 calls            4 elements       # ms
      reshape            1 calls            1 elements       # ms
      sumTo              1 calls            1 elements       # ms"
    `)
  })

  test('counts a program as one, and moves tensors as its backend does', async () => {
    const backend = profiled(cpu())
    const f = compile(() => [])
    expect(f()).toEqual([])
    const x = await to(tensor([1, 2], { backend: plain() }), backend)
    const double = compile((y: typeof x) => add(y, y))
    expect(Array.from(double(x).dataSync() as Float32Array)).toEqual([2, 4])
    expect(backend.tallies().map(({ name }) => name)).toEqual(['(program)'])
  })
})
