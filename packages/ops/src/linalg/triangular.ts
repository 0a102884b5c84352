// Triangular systems.

import { add, type Tensor } from '@bp/core'
import { bind, defineOp, describe, fail, type HostOperand } from '@bp/core/extend'
import { matmul } from '../composites/matmul.ts'
import { neg } from '../rows/arithmetic.ts'
import { substitute, type Triangle } from './elimination.ts'
import { alignStacks, batchStacks, checkMatrix, checkSquare, countOf, lower, matrixAt, mT, stacked, upper } from './matrices.ts'

/** A triangle, and whether tangents of A count in it alone or, where they are taken for triangular as A is, whole. */
export interface SolveTriangularParams extends Triangle {
  readonly tangents: 'triangle' | 'whole'
}

/** X = A⁻¹·B with A a triangle,   B̄ = A⁻ᵀ·X̄,   Ā = −(B̄·Xᵀ) in the triangle */
export const solveTriangularRow = /* @__PURE__ */ defineOp({
  name: 'solveTriangular', arity: 2, fuse: 'opaque', saves: 'xy',
  infer: ([a, b], _p: SolveTriangularParams) => {
    const n = checkSquare('solveTriangular', a)
    checkMatrix('solveTriangular', b)
    if (b.shape.at(-2) !== n) fail('shape', 'solveTriangular', `the right side ${describe(b)} must have ${n} rows, as ${describe(a)} has`)
    return b.aval
  },
  diff: {
    kind: 'custom', why: 'linear in B, but not in A',
    vjp: ([ct], [a], [x], p, want) => {
      const right = apply(mT(a), ct!, { ...p, upper: !p.upper })
      return [want[0] ? neg(inTriangle(matmul(right, mT(x!)), p)) : null, right]
    },
    jvp: ([da, db], [a], [x], p) => {
      const parts = [...db ? [db] : [], ...da ? [neg(matmul(p.tangents === 'whole' ? da : inTriangle(da, p), x!))] : []]
      return [apply(a, parts.reduce((s, t) => add(s, t)), p)]
    },
  },
  host: ([a, b]: HostOperand[], p, out) => stacked(countOf(a!), out, k => {
    const x = matrixAt(b!, k)
    substitute(matrixAt(a!, k), x, p)
    return [x]
  }),
  batch: (xs, batched, size, p) => batchStacks(([a, b]: Tensor[]) => apply(a!, b!, p))(xs, batched, size),
})

const apply = (a: Tensor, b: Tensor, p: SolveTriangularParams): Tensor => bind(solveTriangularRow, [a, b], p)

const inTriangle = (x: Tensor, { upper: up, unitriangular }: Triangle): Tensor => up ? upper(x, unitriangular ? 1 : 0) : lower(x, unitriangular ? -1 : 0)

/** Options of {@link solveTriangular}. */
export interface SolveTriangularOptions {
  /** Which triangle of A is read. */
  readonly upper: boolean
  /** Solves A·X = B, or X·A = B where false. */
  readonly left?: boolean
  /** Solves with Aᵀ in place of A. */
  readonly transpose?: boolean
  /** Takes A's diagonal for ones. */
  readonly unitriangular?: boolean
}

/**
 * X with A·X = B (or X·A = B) for triangular A, whose other triangle is not read; stacks broadcast. A zero on the diagonal
 * gives infinities.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { solveTriangular } from '@bp/ops'
 * solveTriangular(tensor([[2, 1], [0, 4]]), tensor([[4], [8]]), { upper: true }) // => tensor([[1], [2]], float32)
 * ```
 */
export const solveTriangular = (a: Tensor, b: Tensor, options: SolveTriangularOptions): Tensor => solution(a, b, options, 'triangle')

function solution(a: Tensor, b: Tensor, { upper: up, left = true, transpose = false, unitriangular = false }: SolveTriangularOptions, tangents: 'triangle' | 'whole'): Tensor {
  if (!left) return mT(solution(a, mT(b), { upper: up, transpose: !transpose, unitriangular }, tangents))
  const [x, y] = alignStacks('solveTriangular', a, b)
  return transpose ? apply(mT(x), y, { upper: !up, unitriangular, tangents }) : apply(x, y, { upper: up, unitriangular, tangents })
}

/** Options of {@link triangularSolve}. */
export interface TriangularSolveOptions {
  /** Which triangle of A is read; the upper one unless given. */
  readonly upper?: boolean
  /** Solves with Aᵀ in place of A. */
  readonly transpose?: boolean
  /** Takes A's diagonal for ones. */
  readonly unitriangular?: boolean
}

/**
 * {@link solveTriangular} by the rules of PyTorch's older `triangular_solve`: B comes first, A is handed on beside the solution,
 * and tangents of A count whole, for they are taken for triangular as A is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { triangularSolve } from '@bp/ops'
 * triangularSolve(tensor([[4], [8]]), tensor([[2, 1], [0, 4]]))[0] // => tensor([[1], [2]], float32)
 * ```
 */
export const triangularSolve = (b: Tensor, a: Tensor, options: TriangularSolveOptions = {}): [solution: Tensor, a: Tensor] =>
  [solution(a, b, { upper: true, ...options }, 'whole'), a]

/** The rows of this file, by name. */
export const triangularLibrary = { solveTriangular: solveTriangularRow }
