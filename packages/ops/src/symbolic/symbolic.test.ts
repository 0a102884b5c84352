// Symbolic differentiation: formulas as on paper, values as in reverse mode, and the swell that sharing undoes.

import { cpu } from '@bp/backend-cpu'
import { add, grad, mul, type Tensor, tensor, use } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { cos, div, exp, log, matmul, maximum, pow, relu, sigmoid, sin, sqrt, sub, sum, tanh } from '../index.ts'
import { symbolic } from './index.ts'

use(cpu())

const cases: readonly (readonly [string, (x: Tensor) => Tensor, string])[] = [
  ['x² + x', x => add(mul(x, x), x), '2*x + 1'],
  ['a cubic', x => add(sub(mul(x, mul(x, x)), mul(2, mul(x, x))), 7), '3*x^2 - 4*x'],
  ['a power', x => pow(x, 5), '5*x^4'],
  ['a quotient', x => div(1, x), '-1/x^2'],
  ['a product', x => mul(exp(x), sin(x)), 'exp(x)*sin(x) + exp(x)*cos(x)'],
  ['a chain', x => sin(mul(x, x)), '2*x*cos(x^2)'],
  ['log', x => log(mul(3, x)), '1/x'],
  ['sqrt', x => sqrt(x), '0.5/sqrt(x)'],
  ['tanh', x => tanh(x), '1 - tanh(x)^2'],
  ['sigmoid', x => sigmoid(x), 'sigmoid(x)*(1 - sigmoid(x))'],
  ['relu', x => relu(x), '[0 < relu(x)]'],
  ['a constant', x => mul(0, x), '0'],
  ['nothing left', x => sub(x, x), '0'],
]

describe('derivatives read as on paper, and are those of reverse mode', () => {
  test.each(cases)('%s', (_name, f, want) => {
    const formula = symbolic(f, [{ name: 'x', dtype: 'float64' }]).derivative()
    const simple = formula.simplify()
    const x = tensor(1.3, { dtype: 'float64' })
    const expected = grad(f)(x).item()
    expect(simple.toString()).toBe(want)
    expect(formula.evaluate({ x }).item()).toBe(expected)
    expect(simple.evaluate({ x }).item()).toBeCloseTo(expected, 13)
  })
})

test('derivatives differentiate again', () => {
  const f = symbolic(x => sin(x), ['x'])
  const derivatives = [f]
  for (let i = 0; i < 4; i++) derivatives.push(derivatives[i]!.derivative())
  expect(derivatives.map(g => g.simplify().toString())).toEqual(['sin(x)', 'cos(x)', '-sin(x)', '-cos(x)', 'sin(x)'])
})

test('partial derivatives by name', () => {
  const f = symbolic((x, y) => add(mul(mul(x, x), y), sin(y)), ['x', 'y'])
  expect(f.derivative('x').simplify().toString()).toBe('2*x*y')
  expect(f.derivative('y').simplify().toString()).toBe('x^2 + cos(y)')
  expect(f.derivative('x').derivative('y').simplify().toString()).toBe('2*x')
  expect(() => f.derivative('z')).toThrowErrorMatchingInlineSnapshot(`[BpError: derivative: there is no variable z. The formula has x, y]`)
})

test('formulas of tensors keep their shapes through simplification', () => {
  const f = (x: Tensor): Tensor => sum(mul(matmul(tensor([[1, 2], [3, 4]]), x), 1))
  const formula = symbolic(f, [{ name: 'x', shape: [2] }]).derivative()
  const x = tensor([5, 6])
  expect(formula.simplify().evaluate({ x }).toArray()).toEqual(grad(f)(x).toArray())
  const shifted = symbolic(z => sum(mul(maximum(z, 0), 2)), [{ name: 'z', shape: [3] }])
  expect(shifted.derivative().simplify().evaluate({ z: tensor([-1, 2, 3]) }).toArray()).toEqual([0, 2, 2])
})

test('parentheses stand where they are needed, and only there', () => {
  const show = (f: (x: Tensor, y: Tensor) => Tensor): string => symbolic(f, ['x', 'y']).toString()
  expect(show((x, y) => mul(add(x, y), x))).toBe('(x + y)*x')
  expect(show((x, y) => sub(x, sub(y, x)))).toBe('x - (y - x)')
  expect(show((x, y) => div(x, mul(y, x)))).toBe('x/(y*x)')
  expect(show((x, y) => pow(mul(x, y), 2))).toBe('(x*y)^2')
  expect(show((x, y) => add(x, add(y, x)))).toBe('x + y + x')
  expect(show((x, y) => mul(-1, add(x, cos(y))))).toBe('-(x + cos(y))')
})

describe('expression swell', () => {
  // lₙ₊₁ = 4·lₙ·(1 − lₙ), the logistic map (Baydin et al. 2018, "Automatic Differentiation in Machine Learning: a Survey", table 1)
  const logistic = (n: number) => (x: Tensor): Tensor => {
    let l = x
    for (let i = 1; i < n; i++) l = mul(mul(4, l), sub(1, l))
    return l
  }
  const sizes = [1, 2, 3, 4, 5, 6, 7, 8].map(n => symbolic(logistic(n), ['x']).derivative().size)

  test('written out, the derivative more than doubles with every step', () => {
    for (let n = 3; n < sizes.length; n++) expect(sizes[n]!.unshared).toBeGreaterThan(2 * sizes[n - 1]!.unshared)
  })

  test('with equal parts shared it grows by the same number of ops each step', () => {
    const steps = sizes.slice(2).map(({ shared }, i) => shared - sizes[i + 1]!.shared)
    expect(new Set(steps.slice(1)).size).toBe(1)
  })

  test('the counts are those of the formulas', () => {
    expect(symbolic(x => mul(sin(x), sin(x)), ['x']).size).toEqual({ shared: 3, unshared: 5 })
  })
})

test('the program as DOT and as Mermaid', () => {
  const f = symbolic(x => add(mul(x, x), x), ['x'])
  expect(f.toDot()).toMatchInlineSnapshot(`
    "digraph {
      n0 [label="x", shape=ellipse]
      n1 [label="mul", shape=box]
      n2 [label="add", shape=box]
      n0 -> n1 [label="f32[]"]
      n0 -> n1 [label="f32[]"]
      n1 -> n2 [label="f32[]"]
      n0 -> n2 [label="f32[]"]
      y0 [label="y0", shape=ellipse]
      n2 -> y0
    }"
  `)
  expect(f.toMermaid()).toMatchInlineSnapshot(`
    "flowchart TD
      n0(["x"])
      n1["mul"]
      n2["add"]
      n0 -->|"f32[]"| n1
      n0 -->|"f32[]"| n1
      n1 -->|"f32[]"| n2
      n0 -->|"f32[]"| n2
      n2 --> y0(["y0"])"
  `)
})
