// Samples of linear algebra: matrices far from singular, with singular values apart.

import type { Library } from '@bp/ops/extend'
import { fixed, given, operand, type SamplesOf } from '../sample.ts'

const square = operand([3, 3], given(4, 1, -0.5, 0.75, 3, 1.25, -1, 0.5, 2.5))
const stack = operand([2, 2, 2], given(3, 0.5, -1, 2, 1.5, 0.25, 0.5, -2.5))
const singular = operand([3, 3], given(1, 2, 3, 2, 4, 6, 1, 0.5, -1))
const tall = operand([4, 2], given(1, 0.5, -2, 1.5, 0.75, 3, 1.25, -1))
const wide = operand([2, 3], given(1, 0.5, -2, 1.5, -0.75, 3))

/** At least one sample for each row of linear algebra. */
export const linalgSamples = {
  pivots: [{ operands: [square] }, { operands: [tall] }],
  pivotOrder: [{ operands: [fixed([3], 'int32', given(2, 3, 3))], params: { rows: 4 } }],
  luSquare: [{ operands: [square] }, { operands: [stack] }],
  solve: [{ operands: [square, operand([3, 2])], params: { refuse: 'solve' } }, { operands: [stack, operand([2, 2, 1])], params: { refuse: null } }],
  det: [{ operands: [square] }, { operands: [stack] }, { operands: [singular] }],
  cofactors: [{ operands: [square] }, { operands: [stack] }, { operands: [singular] }],
  slogdet: [{ operands: [square] }, { operands: [stack] }],
  solveTriangular: [
    { operands: [square, operand([3, 2])], params: { upper: true, unitriangular: false, tangents: 'triangle' } },
    { operands: [stack, operand([2, 2, 2])], params: { upper: false, unitriangular: true, tangents: 'triangle' } },
  ],
  qr: [{ operands: [square], params: { complete: false } }, { operands: [tall], params: { complete: false } }, { operands: [square], params: { complete: true } }],
  svd: [{ operands: [square], params: { full: false } }, { operands: [tall], params: { full: false } }, { operands: [wide], params: { full: false } }, { operands: [square], params: { full: true } }],
  pinv: [{ operands: [square, fixed([2], 'float64', given(0, 1e-9))], params: { hermitian: false } }, { operands: [tall, fixed([2], 'float64', given(1e-9, 0))], params: { hermitian: false } }, { operands: [wide, fixed([2], 'float64', given(0, 0))], params: { hermitian: false } }],
  matrixExp: [{ operands: [operand([3, 3])] }, { operands: [square] }],
} satisfies SamplesOf<Pick<Library, 'pivots' | 'pivotOrder' | 'luSquare' | 'solve' | 'det' | 'cofactors' | 'slogdet' | 'solveTriangular' | 'qr' | 'svd' | 'pinv' | 'matrixExp'>>
