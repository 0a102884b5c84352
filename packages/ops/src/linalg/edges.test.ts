// Linear algebra where it is delicate: signs, singular and degenerate matrices, stacks of which some are bad, random projections.

import { cpu } from '@bp/backend-cpu'
import { add, grad, hessian, jvp, mul, type Tensor, tensor, use, vjp } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { abs, amax, cholesky, choleskyEx, cond, det, diagEmbed, eigh, eigvalsh, Generator, inv, invEx, lstsq, luFactorEx, luSolve, luUnpack, matmul, matrixExp, matrixNorm, matrixRank, matrixTranspose as T, narrow, pcaLowrank, pinv, qr, solve, solveEx, sub, sum, svd, svdLowrank, svdvals, triangularSolve, vander } from '../index.ts'

use(cpu())

const random = new Generator(11)
const randn = (...shape: number[]): Tensor => random.normal(shape, { dtype: 'float64' })
const f64 = (values: readonly number[] | readonly (readonly number[])[]): Tensor => tensor(values, { dtype: 'float64' })
const error = (a: Tensor, b: Tensor): number => amax(abs(sub(a, b))).item()
const signs = (x: Tensor): string => (x.toArray() as number[][]).map(row => row.map(value => value < 0 ? '-' : '+').join('')).join(' ')

describe('signs are those of LAPACK’s dsyevd and dgesdd, and of its QR', () => {
  const a = f64([[2, 1, -3, 0.5], [1, -1, 2, 4], [-3, 2, 5, 1], [0.5, 4, 1, -2]])
  const b = f64([[1, 2, 0.5, -1], [3, -1, 2, 0.25], [-2, 1, 4, 1.5], [0.75, -3, 1, 2], [1.25, 0.5, -1, 3]])

  test('of eigenvectors, by the triangle that is read', () => {
    expect(signs(eigh(a)[1])).toBe('-+-- +--+ -+-+ ---+')
    expect(signs(eigh(a, { upper: true })[1])).toBe('++-- ---+ ++-+ +--+')
    const junk = add(a, f64([[0, 9, 9, 9], [0, 0, 9, 9], [0, 0, 0, 9], [0, 0, 0, 0]]))
    expect(error(eigh(junk)[1], eigh(a)[1])).toBe(0)
  })

  test.each([
    [4, 4, '+++- --++ -+-+ ----', '-+-- -++- +++- --+-'],
    [5, 4, '+--++ -+--- --++- -++-+ -+++-', '-+-- +--+ ---+ ++-+'],
    [4, 3, '---+ -+-- --+- -+++', '+-- +-+ ---'],
    [5, 2, '++++- -++-- +-+-+ --++- -++++', '-+ ++'],
    [2, 4, '++ +-', '+-++ +++- -+++ ++-+'],
    [3, 4, '+++ ++- +--', '-+++ +-+- +++- ++-+'],
  ])('of singular vectors, %s × %s', (m, n, left, right) => {
    const part = narrow(narrow(b, 0, 0, m), 1, 0, n)
    const [u, , vh] = svd(part, { fullMatrices: true })
    expect([signs(u), signs(vh)]).toEqual([left, right])
    expect(error(narrow(u, 1, 0, Math.min(m, n)), svd(part)[0])).toBe(0)
  })

  test('of QR: the diagonal is against the column’s own sign, and kept where nothing is below', () => {
    expect(qr(f64([[3, 1], [4, 2]]))[1].toArray()).toEqual([[-5, expect.closeTo(-2.2, 12)], [0, expect.closeTo(0.4, 12)]])
    expect(qr(f64([[2, 1], [0, -3]]))[1].toArray()).toEqual([[2, 1], [0, -3]])
  })
})

describe('derivatives of what is symmetric', () => {
  const a = matmul(randn(3, 3), randn(3, 3))
  const s = add(a, T(a))
  const t = randn(3, 3)

  test('gradients are symmetric, and those of the triangle that is read', () => {
    for (const f of [(x: Tensor) => sum(mul(eigh(x)[1], t)), (x: Tensor) => sum(mul(cholesky(add(matmul(s, s), x)), t))]) {
      const g = grad(f)(s)
      expect(error(g, T(g))).toBeLessThan(1e-12)
    }
  })

  test('equal eigenvalues have derivatives, their vectors none', () => {
    const eye = diagEmbed(f64([1, 1]))
    expect(grad((x: Tensor) => sum(mul(eigvalsh(x), f64([1, 3]))))(eye).toArray()).toEqual([[1, 0], [0, 3]])
    expect(grad((x: Tensor) => sum(mul(eigh(x)[1], f64([[1, 2], [3, 4]]))))(eye).toArray()).toEqual([[0, 0], [0, 0]])
  })
})

describe('determinants of singular matrices', () => {
  /** Σ ε ε a, the second derivative of a 3 × 3 determinant */
  const epsilon = (i: number, j: number, k: number): number => (i - j) * (j - k) * (k - i) / 2
  const three = [0, 1, 2]

  test.each([
    ['of rank 1', [[1, 2, 3], [2, 4, 6], [3, 6, 9]]],
    ['of rank 2', [[1, 2, 3], [0, 0, 0], [4, -1, 2]]],
    ['of rank 0', [[0, 0, 0], [0, 0, 0], [0, 0, 0]]],
    ['regular', [[1, 2, 3], [0, 5, 0], [4, -1, 2]]],
  ])('second derivatives, %s', (_name, a) => {
    const h = hessian((x: Tensor) => det(x))(f64(a)).toArray() as number[][][][]
    for (const i of three) for (const j of three) for (const k of three) for (const l of three) {
      const exact = three.flatMap(m => three.map(n => epsilon(i, k, m) * epsilon(j, l, n) * a[m]![n]!)).reduce((p, q) => p + q, 0)
      expect(h[i]![j]![k]![l]!).toBeCloseTo(exact, 12)
    }
  })

  test('a column of zeros', () => {
    expect(grad((x: Tensor) => det(x))(f64([[0, 1], [0, 2]])).toArray()).toEqual([[2, expect.closeTo(0, 15)], [-1, expect.closeTo(0, 15)]])
  })

  test('of a large matrix, against the logarithm', () => {
    const a = mul(0.2, randn(40, 40))
    const [y, g] = [det(a), grad((x: Tensor) => det(x))(a)]
    expect(error(g, mul(y, T(inv(a)))) / amax(abs(g)).item()).toBeLessThan(1e-10)
  })
})

test('functions that report tell which matrix of a stack is bad, and how', () => {
  const stack = tensor([2, 1, 4, 2, 1, 3, 2, 1], { shape: [2, 2, 2], dtype: 'float64' })
  expect(invEx(stack)[1].toArray()).toEqual([2, 0])
  expect(solveEx(stack, f64([[1], [1]]))[1].toArray()).toEqual([2, 0])
  expect(luFactorEx(stack)[2].toArray()).toEqual([2, 0])
  expect(error(narrow(invEx(stack)[0], 0, 1, 1), inv(narrow(stack, 0, 1, 1)))).toBe(0)
  expect(choleskyEx(tensor([4, 2, 2, 5, 1, 2, 2, 1, -1, 0, 0, 1], { shape: [3, 2, 2], dtype: 'float64' }))[1].toArray()).toEqual([0, 2, 1])
  expect(() => inv(stack)).toThrow('inv: the matrix is singular: pivot 2 of 2 is zero')
})

test('systems from the right, with vectors, and by factors', () => {
  const [a, b] = [randn(2, 3, 3), randn(2, 3)]
  expect(solve(a, b).shape).toEqual([2, 3])
  expect(error(sum(mul(a, tensor(solve(a, b).dataSync() as Float64Array, { shape: [2, 1, 3], dtype: 'float64' })), -1), b)).toBeLessThan(1e-12)
  const c = randn(2, 4, 3)
  expect(error(matmul(solve(a, c, { left: false }), a), c)).toBeLessThan(1e-12)
  const [packed, pivots] = luFactorEx(a)
  expect(error(matmul(T(a), luSolve(packed, pivots, T(c), { adjoint: true })), T(c))).toBeLessThan(1e-12)
  const [p, l, u] = luUnpack(packed, pivots)
  expect(error(matmul(p, matmul(l, u)), a)).toBeLessThan(1e-13)
})

test('triangularSolve hands its matrix on, gradient and all', () => {
  const [b, a] = [randn(3, 1), add(diagEmbed(f64([4, 5, 6])), randn(3, 3))]
  const [[x, same], pullback] = vjp((p: Tensor, q: Tensor) => triangularSolve(p, q), [b, a])
  expect(error(same, a)).toBe(0)
  const below = f64([[0, 0, 0], [1, 0, 0], [1, 1, 0]])
  const [, da] = pullback([x, mul(a, 2)])
  expect(error(mul(da, below), mul(mul(a, 2), below))).toBe(0)
})

describe('ranks and least squares', () => {
  const a = matmul(randn(6, 2), randn(2, 4))

  test('the rank is counted from the tolerance on', () => {
    expect(matrixRank(a).item()).toBe(2)
    expect(matrixRank(tensor([[3, 0], [0, 1e-3]]), { atol: 1e-2 }).item()).toBe(1)
    expect(matrixRank(tensor([[3, 99], [1, -3]]), { hermitian: true, rtol: 0.9 }).item()).toBe(2)
    expect(matrixRank(tensor([3, 0, 0, 1, 3, 0, 0, 1], { shape: [2, 2, 2] }), { rtol: tensor([0.1, 0.5]) }).toArray()).toEqual([2n, 1n])
    expect(matrixRank(tensor([], { shape: [0, 3] })).item()).toBe(0)
  })

  test('pinv follows the same tolerance, and NaN stays NaN', () => {
    expect(pinv(f64([[4, 0], [0, 1]]), { rtol: 0.5 }).toArray()).toEqual([[0.25, 0], [0, 0]])
    expect(pinv(f64([[2, 99], [0, 4]]), { hermitian: true }).toArray()).toEqual([[0.5, 0], [0, 0.25]])
    expect(pinv(f64([[NaN, 1], [0, 4]])).toArray()).toEqual([[NaN, NaN], [NaN, NaN]])
  })

  test('of all solutions the shortest', () => {
    const b = randn(6, 3)
    const x = lstsq(a, b)
    expect(error(matmul(T(a), sub(matmul(a, x), b)), mul(0, x))).toBeLessThan(1e-12)
    expect(error(matmul(matmul(pinv(a), a), x), x)).toBeLessThan(1e-12)
    expect(lstsq(a, randn(6)).shape).toEqual([4])
  })

  test('a projection onto as many directions as the rank has is exact', () => {
    const [u, s, v] = svdLowrank(a, new Generator(5), { q: 2 })
    expect(error(matmul(u, matmul(diagEmbed(s), T(v))), a)).toBeLessThan(1e-12)
    const wide = svdLowrank(T(a), new Generator(5), { q: 2 })
    expect([wide[0].shape, wide[2].shape]).toEqual([[4, 2], [6, 2]])
    expect(error(wide[1], s)).toBeLessThan(1e-12)
    const samples = add(a, 7)
    const centred = sub(samples, mul(1 / 6, sum(samples, 0, true)))
    expect(error(pcaLowrank(samples, new Generator(5), { q: 3 })[1], narrow(svdvals(centred), 0, 0, 3))).toBeLessThan(1e-12)
    const slope = grad((x: Tensor) => sum(svdLowrank(x, new Generator(5), { q: 2 })[1]))(a)
    expect(error(slope, matmul(u, T(v)))).toBeLessThan(1e-10)
    expect(() => svdLowrank(a, new Generator(5), { q: 5 })).toThrow('q must be a whole number between 0 and the smaller side of f64[6,4], got 5')
  })
})

test('norms and powers at zero', () => {
  expect(grad((x: Tensor) => matrixNorm(x, { ord: 'nuc' }))(f64([[0, 0], [0, 0], [0, 0]])).toArray()).toEqual([[1, 0], [0, 1], [0, 0]])
  expect(cond(f64([[1, 0], [0, 0]])).item()).toBe(Infinity)
  expect(cond(f64([[1, 2], [2, 4]]), 1).item()).toBe(Infinity)
  expect(jvp((x: Tensor) => vander(x, 4), [f64([0])], [f64([1])])[1].toArray()).toEqual([[0, 1, 0, 0]])
  expect(hessian((x: Tensor) => sum(vander(x, 4)))(f64([0])).item()).toBe(2)
})

test('the exponential of large and of infinite matrices', () => {
  const turn = 100 * Math.PI + 0.5
  const y = matrixExp(f64([[0, -turn], [turn, 0]])).toArray()
  expect(y).toEqual([[expect.closeTo(Math.cos(0.5), 10), expect.closeTo(-Math.sin(0.5), 10)], [expect.closeTo(Math.sin(0.5), 10), expect.closeTo(Math.cos(0.5), 10)]])
  expect(matrixExp(f64([[Infinity, 0], [0, 1]])).toArray()).toEqual([[NaN, NaN], [NaN, NaN]])
})
