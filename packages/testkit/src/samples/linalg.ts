// Samples of linear algebra: matrices far from singular, with eigenvalues and singular values apart.

import type { Library } from '@bp/ops/extend'
import { fixed, given, operand, type SamplesOf } from '../sample.ts'

const square = operand([3, 3], given(4, 1, -0.5, 0.75, 3, 1.25, -1, 0.5, 2.5))
const stack = operand([2, 2, 2], given(3, 0.5, -1, 2, 1.5, 0.25, 0.5, -2.5))
const definite = operand([3, 3], given(4, 1, 0.5, 1, 3, -0.75, 0.5, -0.75, 2))
const tall = operand([4, 2], given(1, 0.5, -2, 1.5, 0.75, 3, 1.25, -1))
const wide = operand([2, 3], given(1, 0.5, -2, 1.5, -0.75, 3))

/** At least one sample for each row of linear algebra. */
export const linalgSamples = {
  pivots: [{ operands: [square] }, { operands: [tall] }],
  pivotOrder: [{ operands: [fixed([3], 'int32', given(2, 3, 3))], params: { rows: 4 } }],
  luSquare: [{ operands: [square] }, { operands: [stack] }],
  solve: [{ operands: [square, operand([3, 2])] }, { operands: [stack, operand([2, 2, 1])] }],
  slogdet: [{ operands: [square] }, { operands: [stack] }],
  solveTriangular: [
    { operands: [square, operand([3, 2])], params: { upper: true, unitriangular: false } },
    { operands: [stack, operand([2, 2, 2])], params: { upper: false, unitriangular: true } },
  ],
  cholesky: [{ operands: [definite] }],
  qr: [{ operands: [square], params: { complete: false } }, { operands: [tall], params: { complete: false } }, { operands: [square], params: { complete: true } }],
  eigh: [{ operands: [definite] }],
  svd: [{ operands: [square] }, { operands: [tall] }, { operands: [wide] }],
  pinv: [{ operands: [square], params: { rtol: null, atol: 0 } }, { operands: [tall], params: { rtol: null, atol: 0 } }, { operands: [wide], params: { rtol: 1e-9, atol: 1e-9 } }],
  matrixExp: [{ operands: [operand([3, 3])] }, { operands: [square] }],
} satisfies SamplesOf<Pick<Library, 'pivots' | 'pivotOrder' | 'luSquare' | 'solve' | 'slogdet' | 'solveTriangular' | 'cholesky' | 'qr' | 'eigh' | 'svd' | 'pinv' | 'matrixExp'>>
