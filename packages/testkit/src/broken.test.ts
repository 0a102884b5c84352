// Rows that are wrong on purpose: each must be caught, by the law that is meant to catch it.

import { cpu } from '@bp/backend-cpu'
import { add, mul, type Tensor, type TypedArray, use, zerosLike } from '@bp/core'
import { Aval, bind, defineComposite, defineOp, type Kernel } from '@bp/core/extend'
import { detach, exp, sin, sum } from '@bp/ops'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defineSamples, type LawName, laws, LawError, lawsByName, operand, reference } from './index.ts'

beforeAll(() => { use(reference()) })
afterAll(() => { use(cpu()) })

type Cases = ReturnType<typeof laws>

/** The names of the laws that fail, each once, and the first error. */
async function failures(cases: Cases): Promise<{ names: string[]; messages: string[] }> {
  const names = new Set<string>()
  const messages: string[] = []
  for (const { name, run } of cases) {
    try {
      await run()
    } catch (error) {
      expect(error).toBeInstanceOf(LawError)
      names.add((Object.keys(lawsByName) as LawName[]).findLast(law => name.includes(` ${law} `))!)
      messages.push((error as LawError).message)
    }
  }
  return { names: [...names], messages }
}

const point = [{ operands: [operand([2, 3])] }] as const
const one = { dtypes: ['float64'] } as const

describe('a wrong derivative', () => {
  test('of a map row breaks the difference law, in both dtypes', async () => {
    const row = defineOp({
      name: 'acme/exp', arity: 1, fuse: 'map', saves: 'y', infer: ([x]) => x.aval,
      diff: { kind: 'map', d: [(_x, y) => mul(1.1, y)] },
      decompose: ([x]) => exp(x),
    })
    for (const dtype of ['float64', 'float32'] as const) {
      const { names } = await failures(laws(row, defineSamples(row, point), { dtypes: [dtype] }))
      expect(names).toContain('difference')
      expect(names).toContain('decomposition')
      expect(names).not.toContain('adjoint')
    }
  })

  test('is reported with row, law, dtype, sample, element and size', async () => {
    const row = defineOp({
      name: 'acme/double', arity: 1, fuse: 'map', infer: ([x]) => x.aval,
      diff: { kind: 'map', d: [() => 3] },
      decompose: ([x]) => mul(2, x),
    })
    const { messages } = await failures(laws(row, defineSamples(row, point), { ...one, only: ['difference'] }))
    expect(messages.map(text => text.replace(/\d+\.\d{4,}/g, '#'))).toMatchInlineSnapshot(`
      [
        "acme/double: law 'difference' does not hold in float64 for sample 0 (f64[2,3]): element [0, 1] of the tangent of result 0 (against a central difference) is -#, expected -# (off by 8.1e-1, allowed 1.6e-7)",
      ]
    `)
  })

  test('that is a transpose of something else breaks the adjoint law', async () => {
    const row = defineOp({
      name: 'acme/total', arity: 1, fuse: 'opaque', infer: ([x]) => x.aval,
      diff: { kind: 'custom', why: 'tests', vjp: ([ct]) => [mul(2, ct!)], jvp: ([t]) => [t!] },
      decompose: ([x]) => add(x, 0),
    })
    const { names } = await failures(laws(row, defineSamples(row, point), one))
    expect(names).toContain('adjoint')
    expect(names).not.toContain('difference')
  })

  test('of the second order alone breaks only the second-order laws and the decomposition of neither', async () => {
    const row = defineOp({
      name: 'acme/square', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => x.aval,
      diff: { kind: 'map', d: [x => mul(2, detach(x))] },
      decompose: ([x]) => mul(x, x),
    })
    const { names } = await failures(laws(row, defineSamples(row, point), one))
    expect(names).toEqual(['second-order difference'])
  })

  test('of a composite with a pullback of its own breaks the decomposition law', async () => {
    const row = defineComposite({
      name: 'acme/sine', arity: 1, saves: 'x', infer: ([x]) => x.aval,
      decompose: ([x]) => sin(x),
      vjp: ([ct]) => [ct!],
    })
    const { names } = await failures(laws(row, defineSamples(row, point), one))
    expect(names).toContain('decomposition')
    expect(names).toContain('adjoint')
  })
})

describe('wrong saves', () => {
  test('a rule that reads what is not saved', async () => {
    const row = defineOp({
      name: 'acme/square', arity: 1, fuse: 'map', infer: ([x]) => x.aval,
      diff: { kind: 'map', d: [x => mul(2, x as unknown as Tensor)] },
      decompose: ([x]) => mul(x, x),
    })
    const { names, messages } = await failures(laws(row, defineSamples(row, point), { ...one, only: ['saves', 'adjoint'] }))
    expect(names.sort()).toEqual(['adjoint', 'saves'])
    expect(messages[0]).toContain('a derivative reads a value f64[2,3] that its row did not save')
  })

  test('a rule that keeps an operand behind the row’s back', async () => {
    let kept: Tensor | null = null
    const row = defineOp({
      name: 'acme/square', arity: 1, fuse: 'opaque', infer: ([x]) => x.aval,
      diff: { kind: 'custom', why: 'tests', vjp: ([ct]) => [mul(ct!, mul(2, kept ?? zerosLike(ct!)))] },
      decompose: ([x]) => {
        kept = x
        return mul(x, x)
      },
    })
    const { messages } = await failures(laws(row, defineSamples(row, point), { ...one, only: ['saves'] }))
    expect(messages).toHaveLength(1)
    expect(messages[0]).toContain('of the gradient of operand 0 with unsaved values poisoned is NaN')
  })
})

describe('wrong inference', () => {
  const copy: Kernel<TypedArray, void> = ([x]) => x!.storage
  const wrong = (infer: (x: Aval) => Aval) => defineOp({
    name: 'acme/copy', arity: 1, fuse: 'view', infer: ([x]) => infer(x.aval),
    diff: { kind: 'zero' },
    kernels: { reference: copy as Kernel<never> },
  })

  test('of the size', async () => {
    const row = wrong(x => new Aval([...x.shape, 2], x.dtype))
    const { messages } = await failures(laws(row, defineSamples(row, point), { ...one, only: ['shapes'] }))
    expect(messages).toEqual(["acme/copy: law 'shapes' does not hold in float64 for sample 0 (f64[2,3]): infer promises f64[2,3,2], the kernel made 6 elements"])
  })

  test('of the dtype', async () => {
    const row = wrong(x => new Aval(x.shape, 'int32'))
    const { messages } = await failures(laws(row, defineSamples(row, point), { ...one, only: ['shapes'] }))
    expect(messages).toEqual(["acme/copy: law 'shapes' does not hold in float64 for sample 0 (f64[2,3]): infer promises i32[2,3], the kernel made a Float64Array"])
  })

  test('of a decomposition', async () => {
    const row = defineOp({
      name: 'acme/sum', arity: 1, fuse: 'reduce', infer: ([x]) => x.aval, diff: { kind: 'zero' }, decompose: ([x]) => sum(x),
    })
    const { messages } = await failures(laws(row, defineSamples(row, point), { ...one, only: ['shapes'] }))
    expect(messages).toEqual(["acme/sum: law 'shapes' does not hold in float64 for sample 0 (f64[2,3]): infer gives f64[2,3], the row f64[]"])
  })
})

describe('a wrong fused kernel', () => {
  const row = defineComposite({
    name: 'acme/twice', arity: 1, infer: ([x]) => x.aval,
    decompose: ([x]) => add(x, x),
    kernels: { reference: (([x]: readonly { readonly storage: Float64Array }[]) => x!.storage.map(v => 2 * v + 1e-3)) as unknown as Kernel<never> },
  })

  test('breaks the decomposition law', async () => {
    const { names, messages } = await failures(laws(row, defineSamples(row, point), { ...one, only: ['shapes', 'adjoint', 'difference', 'decomposition'] }))
    expect(names).toEqual(['decomposition'])
    expect(messages[0]).toMatch(/element \[\d, \d\] of result 0 \(against the decomposition\) is .* \(off by 1\.0e-3, allowed/)
  })

  test('of a backend breaks the values law', async () => {
    const plain = reference()
    use({ ...plain, name: 'crooked', kernels: { ...plain.kernels, sin: ([x]) => (x!.storage as Float64Array).map(v => Math.sin(v) * 1.001) } })
    const sine = defineComposite({ name: 'acme/sine', arity: 1, decompose: ([x]) => sin(x) })
    const { names } = await failures(laws(sine, defineSamples(sine, point), { ...one, only: ['values', 'adjoint'] }))
    use(reference())
    expect(names).toEqual(['values'])
  })
})

test('a row that looks at its values cannot be traced', async () => {
  const row = defineComposite({ name: 'acme/peek', arity: 1, decompose: ([x]) => x.dataSync()[0] === 7 ? x : mul(x, 2) })
  const { names } = await failures(laws(row, defineSamples(row, point), { ...one, only: ['tracing', 'shapes'] }))
  expect(names).toEqual(['tracing'])
})

test('a right row of a plugin passes', async () => {
  const row = defineComposite({ name: 'acme/bump', arity: 2, decompose: ([a, b], p: { readonly k: number }) => bind(scaled, [mul(a, b)], p) })
  const scaled = defineOp({
    name: 'acme/scaled', arity: 1, fuse: 'map', infer: ([x]) => x.aval,
    diff: { kind: 'linear', transpose: [(ct, _xs, p: { readonly k: number }) => mul(ct, p.k)] },
    decompose: ([x], p) => mul(x, p.k),
  })
  const { names } = await failures(laws(row, defineSamples(row, [{ operands: [operand([2, 3]), operand([3])], params: { k: 2 } }])))
  expect(names).toEqual([])
})
