// The identities of matrix calculus that everybody looks up, as tests.

import { cpu } from '@bp/backend-cpu'
import { add, grad, hessian, mul, type Tensor, use, vjp } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { det, Generator, inv, logdet, matmul, matrixExp, matrixTranspose as T, reshape, slogdet, sub, sum, trace } from '../index.ts'

use(cpu())

const random = new Generator(7)
const randn = (...shape: number[]): Tensor => random.normal(shape, { dtype: 'float64' })
const close = (got: Tensor, want: Tensor): void => {
  expect(got.shape).toEqual(want.shape)
  const [a, b] = [got.dataSync(), want.dataSync()] as [Float64Array, Float64Array]
  a.forEach((value, i) => { expect(value).toBeCloseTo(b[i]!, 10) })
}

const [a, x] = [randn(4), randn(4)]
const [A, B, X] = [randn(3, 4), randn(4, 3), randn(4, 4)]

describe('scalars of vectors', () => {
  test('∂aᵀx/∂x = a', () => { close(grad((v: Tensor) => matmul(a, v))(x), a) })

  test('∂xᵀAx/∂x = (A + Aᵀ)x, and its Hessian A + Aᵀ', () => {
    const quadratic = (v: Tensor): Tensor => matmul(v, matmul(X, v))
    close(grad(quadratic)(x), matmul(add(X, T(X)), x))
    close(hessian(quadratic)(x), add(X, T(X)))
  })

  test('2Ax where A is symmetric', () => {
    const S = add(X, T(X))
    close(grad((v: Tensor) => matmul(v, matmul(S, v)))(x), mul(2, matmul(S, x)))
  })
})

describe('traces', () => {
  test('∂tr(AX)/∂X = Aᵀ', () => { close(grad((Y: Tensor) => trace(matmul(A, Y)))(B), T(A)) })
  test('∂tr(XᵀA)/∂X = A', () => { close(grad((Y: Tensor) => trace(matmul(T(Y), A)))(randn(3, 4)), A) })
  test('∂tr(AXB)/∂X = AᵀBᵀ', () => { close(grad((Y: Tensor) => trace(matmul(matmul(A, Y), B)))(X), matmul(T(A), T(B))) })
  test('tr(AᵀB) = vec(A)ᵀvec(B)', () => { close(trace(matmul(T(A), T(B))), sum(mul(A, T(B)))) })
  test('∂tr(X⁻¹)/∂X = −(X⁻²)ᵀ', () => { close(grad((Y: Tensor) => trace(inv(Y)))(X), mul(-1, T(matmul(inv(X), inv(X))))) })
  test('∂tr(e^X)/∂X = (e^X)ᵀ', () => { close(grad((Y: Tensor) => trace(matrixExp(Y)))(X), T(matrixExp(X))) })
})

describe('determinants', () => {
  test('∂log|X|/∂X = X⁻ᵀ', () => {
    const positive = matmul(X, T(X))
    close(grad((Y: Tensor) => logdet(Y))(positive), T(inv(positive)))
    close(grad((Y: Tensor) => slogdet(Y)[1])(X), T(inv(X)))
  })

  test('∂|X|/∂X = |X|·X⁻ᵀ', () => { close(grad((Y: Tensor) => det(Y))(X), mul(det(X), T(inv(X)))) })

  test('at a singular matrix it is the matrix of cofactors', () => {
    const singular = matmul(randn(3, 2), randn(2, 3))
    const cofactor = (i: number, j: number): number => {
      const m = singular.toArray() as number[][]
      const rows = m.filter((_, r) => r !== i).map(row => row.filter((_, c) => c !== j))
      return (-1) ** (i + j) * (rows[0]![0]! * rows[1]![1]! - rows[0]![1]! * rows[1]![0]!)
    }
    const g = grad((Y: Tensor) => det(Y))(singular).toArray() as number[][]
    g.forEach((row, i) => { row.forEach((value, j) => { expect(value).toBeCloseTo(cofactor(i, j), 10) }) })
  })
})

test('the linear layer: ∂L/∂W = ȳxᵀ and ∂L/∂x = Wᵀȳ', () => {
  const [W, ct] = [randn(3, 4), randn(3)]
  const [dW, dx] = vjp(matmul, [W, x])[1](ct)
  close(dW, matmul(reshape(ct, [3, 1]), reshape(x, [1, 4])))
  close(dx, matmul(T(W), ct))
})

test('the differential of an inverse: d(X⁻¹) = −X⁻¹·dX·X⁻¹', () => {
  const [h, D] = [1e-6, randn(4, 4)]
  const moved = mul(1 / (2 * h), sub(inv(add(X, mul(D, h))), inv(sub(X, mul(D, h)))))
  const want = mul(-1, matmul(matmul(inv(X), D), inv(X)))
  const [p, q] = [moved.dataSync(), want.dataSync()] as [Float64Array, Float64Array]
  p.forEach((value, i) => { expect(Math.abs(value - q[i]!)).toBeLessThan(1e-6 * (1 + Math.abs(q[i]!))) })
})
