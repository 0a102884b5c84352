// Decompositions give back their matrix, functions obey their definitions, and errors name the fault.

import { cpu } from '@bp/backend-cpu'
import { mul, type Tensor, tensor, use } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { amax, abs, cast, cholesky, choleskyInverse, cond, det, diagEmbed, eigh, Generator, householderProduct, inv, lstsq, lu, luFactor, luSolve, matmul, matrixExp, matrixNorm, matrixPower, matrixTranspose as T, pinv, qr, slogdet, solve, solveTriangular, sub, svd } from '../index.ts'

use(cpu())

const random = new Generator(9)
const randn = (...shape: number[]): Tensor => random.normal(shape, { dtype: 'float64' })
const error = (a: Tensor, b: Tensor): number => amax(abs(sub(a, b))).item()
const eye = (n: number): Tensor => diagEmbed(tensor(new Float64Array(n).fill(1)))

describe.each([[5, 5], [7, 3], [3, 7], [1, 1], [40, 40]])('of %s × %s', (m, n) => {
  const a = randn(2, m, n)

  test('A = P·L·U', () => {
    const [p, l, u] = lu(a)
    expect(error(matmul(p, matmul(l, u)), a)).toBeLessThan(1e-12)
  })

  test('A = Q·R with QᵀQ = I', () => {
    const [q, r] = qr(a)
    expect(error(matmul(q, r), a)).toBeLessThan(1e-12)
    expect(error(matmul(T(q), q), eye(Math.min(m, n)))).toBeLessThan(1e-13)
    const [full, whole] = qr(a, { mode: 'complete' })
    expect([full.shape, whole.shape]).toEqual([[2, m, m], [2, m, n]])
    expect(error(matmul(full, whole), a)).toBeLessThan(1e-12)
  })

  test('A = U·S·Vᵀ with falling singular values', () => {
    const [u, s, vh] = svd(a)
    expect(error(matmul(u, matmul(diagEmbed(s), vh)), a)).toBeLessThan(1e-12)
    const values = s.toArray() as number[][]
    for (const row of values) expect(row).toEqual(row.toSorted((p, q) => q - p))
    expect(error(matmul(T(u), u), eye(Math.min(m, n)))).toBeLessThan(1e-12)
  })

  test('the four equations of the pseudo-inverse', () => {
    const p = pinv(a)
    expect(error(matmul(a, matmul(p, a)), a)).toBeLessThan(1e-10)
    expect(error(matmul(p, matmul(a, p)), p)).toBeLessThan(1e-9)
    expect(error(T(matmul(a, p)), matmul(a, p))).toBeLessThan(1e-10)
    expect(error(T(matmul(p, a)), matmul(p, a))).toBeLessThan(1e-10)
  })
})

describe.each([1, 4, 30])('square, of %s', n => {
  const a = randn(n, n)
  const definite = matmul(a, T(a))

  test('A·A⁻¹ = I, and what is solved', () => {
    expect(error(matmul(a, inv(a)), eye(n))).toBeLessThan(1e-9)
    const b = randn(n, 2)
    expect(error(matmul(a, solve(a, b)), b)).toBeLessThan(1e-10)
    expect(error(luSolve(...luFactor(a), b), solve(a, b))).toBeLessThan(1e-9)
    expect(error(lstsq(a, b), solve(a, b))).toBeLessThan(1e-7)
  })

  test('det = sign·e^logabsdet, and multiplies', () => {
    const [sign, log] = slogdet(a)
    expect(det(a).item() / (sign.item() * Math.exp(log.item()))).toBeCloseTo(1, 10)
    const b = randn(n, n)
    expect(det(matmul(a, b)).item() / (det(a).item() * det(b).item())).toBeCloseTo(1, 8)
  })

  test('A = L·Lᵀ and A = V·W·Vᵀ', () => {
    const l = cholesky(definite)
    expect(error(matmul(l, T(l)), definite)).toBeLessThan(1e-11)
    expect(error(matmul(definite, choleskyInverse(l)), eye(n))).toBeLessThan(1e-5)
    const [w, v] = eigh(definite)
    expect(error(matmul(v, matmul(diagEmbed(w), T(v))), definite)).toBeLessThan(1e-11)
    expect(w.toArray()).toEqual((w.toArray() as number[]).toSorted((p, q) => p - q))
  })

  test('e^A·e^−A = I, and powers', () => {
    expect(error(matmul(matrixExp(a), matrixExp(mul(-1, a))), eye(n))).toBeLessThan(1e-6)
    expect(error(matrixPower(a, 3), matmul(a, matmul(a, a)))).toBeLessThan(1e-9)
    expect(error(matrixPower(a, 0), eye(n))).toBe(0)
  })
})

test('matrices without elements', () => {
  const none = tensor([], { shape: [0, 0], dtype: 'float64' })
  expect([det(none).item(), slogdet(none)[0].item(), inv(none).shape, cholesky(none).shape, eigh(none)[0].shape, svd(none)[1].shape]).toEqual([1, 1, [0, 0], [0, 0], [0], [0]])
})

test('rank-deficient matrices: orthonormal vectors, and a pseudo-inverse', () => {
  const a = matmul(randn(5, 2), randn(2, 4))
  const [u, s] = svd(a)
  expect(error(matmul(T(u), u), eye(4))).toBeLessThan(1e-12)
  expect((s.toArray() as number[])[2]).toBeLessThan(1e-13)
  expect(error(matmul(a, matmul(pinv(a), a)), a)).toBeLessThan(1e-12)
})

test('norms and condition numbers', () => {
  const a = tensor([[3, 0], [0, -4]])
  const of = (ord: 'fro' | 'nuc' | number): number => matrixNorm(a, { ord }).item()
  expect([of('fro'), of('nuc'), of(1), of(-1), of(2), of(-2), of(Infinity)].map(v => Number(v.toFixed(5)))).toEqual([5, 7, 4, 3, 4, 3, 4])
  expect(cond(a).item()).toBeCloseTo(4 / 3, 5)
})

test('products of reflections', () => {
  const a = tensor([[9, 9], [2, 9], [1, 3]])
  const q = householderProduct(a, tensor([0.5, 0.2]))
  expect(q.shape).toEqual([3, 2])
  // the first column of H₁·H₂ is that of H₁ = I − τ·v·vᵀ with v = [1, 2, 1]
  expect((q.toArray() as number[][]).map(row => Number(row[0]!.toFixed(5)))).toEqual([0.5, -1, -0.5])
})

test('float32 is computed in double and rounded', () => {
  const a = cast(randn(4, 4), 'float32')
  expect(inv(a).dtype).toBe('float32')
  expect(error(matmul(a, inv(a)), cast(eye(4), 'float32'))).toBeLessThan(1e-4)
})

test('errors name the fault and the way out', () => {
  expect(() => inv(randn(2, 3))).toThrowErrorMatchingInlineSnapshot(`[BpError: inv: needs square matrices, got f64[2,3]. Use lstsq or pinv for others]`)
  expect(() => solve(tensor([[1, 2], [2, 4]]), tensor([1, 2]))).toThrowErrorMatchingInlineSnapshot(`[BpError: solve: the matrix is singular: pivot 2 of 2 is zero. Use pinv or lstsq, or solveEx, which reports it]`)
  expect(() => cholesky(tensor([[1, 2], [2, 1]]))).toThrowErrorMatchingInlineSnapshot(`[BpError: cholesky: the matrix is not positive definite: its leading minor of order 2 is not positive. Add a multiple of the identity, use eigh, or choleskyEx, which reports it]`)
  expect(() => solveTriangular(randn(3, 3), randn(2, 1), { upper: true })).toThrowErrorMatchingInlineSnapshot(`[BpError: solveTriangular: the right side f64[2,1] must have 3 rows, as f64[3,3] has]`)
  expect(() => det(tensor([1, 2]))).toThrowErrorMatchingInlineSnapshot(`[BpError: det: needs a matrix or a stack of them, got f32[2]. Reshape it to [rows, columns]]`)
  expect(() => svd(tensor([[1, 2]], { dtype: 'int32' }))).toThrowErrorMatchingInlineSnapshot(`[BpError: svd: needs floating-point numbers, got i32[1,2]. Convert it with cast(x, 'float64')]`)
  expect(() => matrixNorm(randn(2, 2), { ord: 3 })).toThrowErrorMatchingInlineSnapshot(`[BpError: matrixNorm: there is no norm of order 3. Use 'fro', 'nuc', 1, -1, 2, -2, Infinity or -Infinity]`)
})
