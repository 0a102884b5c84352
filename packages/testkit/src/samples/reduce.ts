// Samples of the library primitives of reductions under a mask.

import type { Library } from '@bp/ops/extend'
import { operand, type SamplesOf } from '../sample.ts'

/** At least one sample for each. */
export const reduceSamples = {
  maskedLogAddExp: [{ operands: [operand([2, 3]), operand([3])] }, { operands: [operand([]), operand([4])] }],
} satisfies SamplesOf<Pick<Library, 'maskedLogAddExp'>>
