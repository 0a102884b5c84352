// Linear systems and inverses.

import { add, type Tensor } from '@bp/core'
import { bind, defineOp, describe, fail, type HostOperand } from '@bp/core/extend'
import { matmul } from '../composites/matmul.ts'
import { neg } from '../rows/arithmetic.ts'
import { detach, reshape } from '../rows/view.ts'
import { checkPivots, factor, solveFactored } from './elimination.ts'
import { luFactorEx } from './lu.ts'
import { alignStacks, batchStacks, checkMatrix, checkSquare, countOf, eyeLike, matrixAt, mT, stacked } from './matrices.ts'

/** The function that refuses singular matrices; `null` where they give infinities and NaN. */
export interface SolveParams {
  readonly refuse: 'solve' | 'inv' | null
}

/** X = A⁻¹·B,   B̄ = A⁻ᵀ·X̄,   Ā = −B̄·Xᵀ */
export const solveRow = /* @__PURE__ */ defineOp({
  name: 'solve', arity: 2, fuse: 'opaque', saves: 'xy',
  infer: ([a, b], p: SolveParams) => {
    const n = checkSquare(p.refuse ?? 'solve', a)
    checkMatrix('solve', b)
    if (b.shape.at(-2) !== n) fail('shape', 'solve', `the right side ${describe(b)} must have ${n} rows, as ${describe(a)} has`)
    return b.aval
  },
  diff: {
    kind: 'custom', why: 'linear in B, but not in A',
    vjp: ([ct], [a], [x], p, want) => {
      const right = apply(mT(a), ct!, p)
      return [want[0] ? neg(matmul(right, mT(x!))) : null, right]
    },
    jvp: ([da, db], [a], [x], p) => {
      const parts = [...db ? [db] : [], ...da ? [neg(matmul(da, x!))] : []]
      return [apply(a, parts.reduce((s, t) => add(s, t)), p)]
    },
  },
  host: ([a, b]: HostOperand[], { refuse }, out) => stacked(countOf(a!), out, k => {
    const factors = factor(matrixAt(a!, k))
    if (refuse !== null) checkPivots(refuse, factors)
    return [solveFactored(factors, matrixAt(b!, k))]
  }),
  batch: (xs, batched, size, p) => batchStacks(([a, b]: Tensor[]) => apply(a!, b!, p))(xs, batched, size),
})

const apply = (a: Tensor, b: Tensor, p: SolveParams): Tensor => bind(solveRow, [a, b], p)

/** Options of {@link solve}. */
export interface SolveOptions {
  /** Solves A·X = B, or X·A = B where false. */
  readonly left?: boolean
}

/**
 * X with A·X = B, for square matrices; stacks broadcast, and a vector on the right gives a vector.
 *
 * Throws where A is singular, and names the pivot that is zero.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { solve } from '@bp/ops'
 * solve(tensor([[2, 0], [1, 4]]), tensor([2, 9])) // => tensor([1, 2], float32)
 * ```
 */
export const solve = (a: Tensor, b: Tensor, options: SolveOptions = {}): Tensor => solution(a, b, options, { refuse: 'solve' })

function solution(a: Tensor, b: Tensor, { left = true }: SolveOptions, p: SolveParams): Tensor {
  checkSquare('solve', a)
  // X·A = B is Aᵀ·Xᵀ = Bᵀ
  const matrix = left ? a : mT(a)
  if (isVector(a, b)) {
    const [x, y] = alignStacks('solve', matrix, reshape(b, [...b.shape, 1]))
    return reshape(apply(x, y, p), y.shape.slice(0, -1))
  }
  checkMatrix('solve', b)
  const x = apply(...alignStacks('solve', matrix, left ? b : mT(b)), p)
  return left ? x : mT(x)
}

/** Whether the right side of a system is a vector for each of its matrices. */
export const isVector = (a: Tensor, b: Tensor): boolean => b.rank === 1 || (b.rank === a.rank - 1 && b.shape.join() === a.shape.slice(0, -1).join())

/**
 * {@link solve} without an error: where a matrix of the stack is singular its solution is undefined, and `info`, an int32 for
 * each, is the pivot that is zero, counted from 1; 0 where all went well. (PyTorch's `linalg.solve_ex`.)
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { solveEx } from '@bp/ops'
 * solveEx(tensor([[1, 2], [2, 4]]), tensor([1, 1]))[1] // => tensor(2, int32)
 * ```
 */
export const solveEx = (a: Tensor, b: Tensor, options: SolveOptions = {}): [x: Tensor, info: Tensor] => [solution(a, b, options, { refuse: null }), luFactorEx(detach(a))[2]]

/**
 * The inverse of each matrix. Prefer {@link solve}, which is faster and more accurate, where it is multiplied by something.
 *
 * Throws where a matrix is singular, and names the pivot that is zero.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { inv } from '@bp/ops'
 * inv(tensor([[2, 0], [1, 4]])) // => tensor([[0.5, 0], [-0.125, 0.25]], float32)
 * ```
 */
export const inv = (a: Tensor): Tensor => inverse(a, { refuse: 'inv' })

const inverse = (a: Tensor, p: SolveParams): Tensor => apply(...alignStacks('inv', a, eyeLike(a, checkSquare('inv', a))), p)

/**
 * {@link inv} without an error: `info` as in {@link solveEx}.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { invEx } from '@bp/ops'
 * invEx(tensor([[[2]], [[0]]]))[1] // => tensor([0, 1], int32)
 * ```
 */
export const invEx = (a: Tensor): [inverse: Tensor, info: Tensor] => [inverse(a, { refuse: null }), luFactorEx(detach(a))[2]]

/** The rows of this file, by name. */
export const solveLibrary = { solve: solveRow }
