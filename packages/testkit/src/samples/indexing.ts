// Samples of the library primitives that scatter.

import type { Library } from '@bp/ops/extend'
import { distinct, fixed, given, operand, type SamplesOf, uniform } from '../sample.ts'

/** At least one sample for each. */
export const indexingSamples = {
  scatterMax: [
    { operands: [operand([4], distinct(-2, 1)), fixed([5], 'int32', given(3, 0, 3, 1, 0)), operand([5], distinct(-1.9, 2))] },
    { operands: [operand([3]), fixed([0], 'int32'), operand([0])] },
  ],
  scatterMul: [{ operands: [operand([4], uniform(0.5, 2)), fixed([5], 'int32', given(3, 0, 3, 1, 0)), operand([5], uniform(0.5, 2))] }],
} satisfies SamplesOf<Pick<Library, 'scatterMax' | 'scatterMul'>>
