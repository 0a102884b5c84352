// Pseudo-inverses and what follows from them: ranks and least squares.

import { add, broadcastTo, full, mul, type Tensor, type TensorLike } from '@bp/core'
import { bind, defineOp, type HostOperand } from '@bp/core/extend'
import { matmul } from '../composites/matmul.ts'
import { abs, maximum, neg, sub } from '../rows/arithmetic.ts'
import { cast, less, lessEqual } from '../rows/compare.ts'
import { amax, sum } from '../rows/reduce.ts'
import { concat, detach, narrow, reshape } from '../rows/view.ts'
import { batchStacks, checkMatrix, checkSquare, countOf, matricesLike, type Matrix, matrixAt, mT, stacked, zeroMatrix } from './matrices.ts'
import { singularOf } from './singular.ts'
import { isVector } from './solve.ts'
import { eigvalsh, svdvals } from './spectral.ts'

/** Whether A is taken for symmetric, and its lower triangle read. */
export interface PinvParams {
  readonly hermitian: boolean
}

/**
 * P = A⁺, by what counts as 0 among the singular values: in absolute terms, and relative to the largest,
 * dP = −P·dA·P + P·Pᵀ·dAᵀ·(I − A·P) + (I − P·A)·dAᵀ·Pᵀ·P (Golub & Pereyra 1973, "The Differentiation of Pseudo-Inverses and Nonlinear
 * Least Squares Problems Whose Variables Separate", eq. 4.12)
 */
export const pinvRow = /* @__PURE__ */ defineOp({
  name: 'pinv', arity: 2, fuse: 'opaque', saves: 'xy',
  infer: ([a], { hermitian }: PinvParams) => {
    if (hermitian) checkSquare('pinv', a)
    else checkMatrix('pinv', a)
    return matricesLike(a, a.shape.at(-1)!, a.shape.at(-2)!)
  },
  diff: {
    kind: 'custom', why: 'its derivative is known where that of the singular vectors is not',
    vjp: ([ct], [a], [y]) => {
      const [p, g] = [y!, mT(ct!)]
      const ph = mT(p)
      const first = neg(matmul(ph, matmul(ct!, ph)))
      const second = matmul(sub(g, matmul(a, matmul(p, g))), matmul(p, ph))
      const third = matmul(matmul(ph, p), sub(g, matmul(matmul(g, p), a)))
      return [add(first, add(second, third)), null]
    },
    jvp: ([t], [a], [y]) => {
      const [p, th] = [y!, mT(t!)]
      const ph = mT(p)
      const one = matmul(p, matmul(ph, th))
      const other = matmul(th, matmul(ph, p))
      return [add(neg(matmul(p, matmul(t!, p))), add(sub(one, matmul(matmul(one, a), p)), sub(other, matmul(p, matmul(a, other)))))]
    },
  },
  host: ([a, limits]: HostOperand[], { hermitian }, out) => stacked(countOf(a!), out, k => {
    const matrix = matrixAt(a!, k)
    return [inverseOf(hermitian ? mirrored(matrix) : matrix, Number(limits!.data[2 * k]), Number(limits!.data[2 * k + 1]))]
  }),
  batch: (xs, batched, size, p) => batchStacks(([a, limits]: Tensor[]) => apply(a!, limits!, p))(xs, batched, size),
})

const apply = (a: Tensor, limits: Tensor, p: PinvParams): Tensor => bind(pinvRow, [a, limits], p)

/** The symmetric matrix that a lower triangle stands for. */
const mirrored = ({ rows: n, columns, data }: Matrix): Matrix =>
  ({ rows: n, columns, data: data.map((_, at) => data[Math.max(Math.floor(at / n), at % n) * n + Math.min(Math.floor(at / n), at % n)]!) })

function inverseOf(a: Matrix, atol: number, rtol: number): Matrix {
  const { left, s, right } = singularOf(a, false)
  const p = zeroMatrix(a.columns, a.rows)
  const least = Math.max(atol, rtol * (s[0] ?? 0))
  s.forEach((value, k) => {
    if (value <= least) return
    for (let i = 0; i < p.rows; i++) {
      const factor = right.data[k * p.rows + i]! / value
      for (let j = 0; j < p.columns; j++) p.data[i * p.columns + j]! += factor * left.data[k * p.columns + j]!
    }
  })
  return p
}

/** What counts as 0 among singular values: a number, or one for each matrix of the stack. */
export interface RankOptions {
  /** Up to this part of the largest; the dtype's epsilon times the larger side unless given, and 0 where `atol` is above 0. */
  readonly rtol?: TensorLike
  /** And up to this. */
  readonly atol?: TensorLike
  /** Takes the matrices for symmetric, and reads their lower triangle. */
  readonly hermitian?: boolean
}

const epsilons = { float64: 2 ** -52, float32: 2 ** -23, float16: 2 ** -10 }

/** atol and rtol for each matrix: [..., 2] */
function limitsOf(a: Tensor, { atol = 0, rtol }: RankOptions): Tensor {
  const stack = a.shape.slice(0, -2)
  const as = (x: TensorLike): Tensor => typeof x === 'number' ? full([], x, a.dtype, a.backend) : cast(x, a.dtype)
  const absolute = as(atol)
  const relative = rtol === undefined ? mul(cast(lessEqual(absolute, 0), a.dtype), epsilons[a.dtype as keyof typeof epsilons] * Math.max(...a.shape.slice(-2))) : as(rtol)
  return detach(concat([absolute, relative].map(x => reshape(broadcastTo(x, stack), [...stack, 1])), stack.length))
}

/**
 * The pseudo-inverse of each matrix (Moore 1920, Penrose 1955). Differentiable wherever the rank does not change.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { pinv } from '@bp/ops'
 * pinv(tensor([[2], [0]])) // => tensor([[0.5, 0]], float32)
 * ```
 */
export function pinv(a: Tensor, options: RankOptions = {}): Tensor {
  checkMatrix('pinv', a)
  return apply(a, limitsOf(a, options), { hermitian: options.hermitian ?? false })
}

/**
 * How many singular values (of symmetric matrices: eigenvalues, by magnitude) do not count as 0, as int64.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { matrixRank } from '@bp/ops'
 * matrixRank(tensor([[1, 2], [2, 4]])) // => tensor(1, int64)
 * ```
 */
export function matrixRank(a: Tensor, options: RankOptions = {}): Tensor {
  checkMatrix('matrixRank', a)
  const s = detach(options.hermitian ? abs(eigvalsh(a)) : svdvals(a))
  if (s.shape.at(-1) === 0) return sum(cast(s, 'int64'), -1)
  const limits = limitsOf(a, options)
  const least = maximum(narrow(limits, -1, 0, 1), mul(narrow(limits, -1, 1, 1), amax(s, -1, true)))
  return sum(cast(less(least, s), 'int64'), -1)
}

/**
 * The X of least norm that makes ‖A·X − B‖ least, for A of full rank or not; stacks broadcast, and a vector on the right gives
 * a vector. (The first result of PyTorch's `linalg.lstsq`; the others are {@link matrixRank}, `svdvals` and, by the solution,
 * the residuals.)
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { lstsq } from '@bp/ops'
 * lstsq(tensor([[1], [1]]), tensor([1, 3])) // => tensor([2], float32)
 * ```
 */
export function lstsq(a: Tensor, b: Tensor, { rtol }: Pick<RankOptions, 'rtol'> = {}): Tensor {
  const p = pinv(a, rtol === undefined ? {} : { rtol })
  if (!isVector(a, b)) return matmul(p, b)
  const x = matmul(p, reshape(b, [...b.shape, 1]))
  return reshape(x, x.shape.slice(0, -1))
}

/** The rows of this file, by name. */
export const pinvLibrary = { pinv: pinvRow }
