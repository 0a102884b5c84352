// Samples of the library primitives that scatter.

import type { Library } from '@bp/ops/extend'
import { distinct, fixed, given, operand, type SamplesOf } from '../sample.ts'

const extreme = { extreme: 'amax', includeSelf: true } as const
const places = fixed([5], 'int32', given(3, 0, 3, 1, 0))
const values = operand([5], distinct(-1.9, 2))

/** At least one sample for each. */
export const indexingSamples = {
  scatterExtreme: [
    { operands: [operand([4], distinct(-2, 1)), places, values], params: extreme },
    { operands: [operand([4], distinct(-2, 1)), places, values], params: { extreme: 'amin', includeSelf: false } },
    { operands: [operand([3]), fixed([0], 'int32'), operand([0])], params: extreme },
    { operands: [fixed([4], 'int32'), places, fixed([5], 'int32')], params: { extreme: 'amax', includeSelf: false } },
  ],
} satisfies SamplesOf<Pick<Library, 'scatterExtreme'>>
