// Samples of the composites among the losses.

import type { Composites } from '@bp/ops/extend'
import { given, operand, type SamplesOf, uniform } from '../sample.ts'

/** At least one sample for each. */
export const lossSamples = {
  binaryCrossEntropy: [
    { operands: [operand([2, 3], uniform(0.1, 0.9)), operand([2, 3], uniform(0.1, 0.9))] },
    { operands: [operand([4], uniform(0.1, 0.9)), operand([4], given(0, 1))] },
  ],
} satisfies SamplesOf<Pick<Composites, 'binaryCrossEntropy'>>
