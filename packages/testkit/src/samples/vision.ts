// Samples of the library primitives of pooling.

import type { Library } from '@bp/ops/extend'
import { fixed, given, operand, type SamplesOf } from '../sample.ts'

/** At least one sample for each, at places of their own: where places are shared the pullback is not the transpose. */
export const visionSamples = {
  unpool: [
    { operands: [operand([2, 3]), fixed([2, 3], 'int32', given(4, 0, 2, 1, 3, 0))], params: { size: 5 } },
    { operands: [operand([1, 2]), fixed([1, 2], 'int32', given(1, 0))], params: { size: 2 } },
  ],
} satisfies SamplesOf<Pick<Library, 'unpool'>>
