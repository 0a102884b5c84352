// Samples of the elementwise library primitives, away from kinks, poles and jumps.

import type { Library } from '@bp/ops/extend'
import { away, fixed, given, operand, type SamplesOf, uniform } from '../sample.ts'

const positive = uniform(0.2, 3)
const inside = uniform(0.1, 0.9)

/** At least one sample for each. */
export const elementwiseSamples = {
  asinh: [{ operands: [operand([2, 3])] }, { operands: [operand([3], given(-3, 2 ** 40, 1e-3))] }],
  acosh: [{ operands: [operand([2, 3], uniform(1.2, 4))] }],
  atan2: [{ operands: [operand([2, 3]), operand([3], away(-2, 2, [0], 0.4))] }],
  hypot: [{ operands: [operand([2, 3]), operand([3], away(-2, 2, [0], 0.4))] }],
  fmod: [
    { operands: [operand([4], given(7.25, -7.25, 1.5, -0.5)), operand([2, 1], given(2.1, -3.2))] },
    { operands: [fixed([4], 'int32', given(7, -7, 3, -4)), fixed([4], 'int32', given(3, 3, -2, 5))] },
    { operands: [fixed([2], 'int64', given(7, -7)), fixed([], 'int64', given(4))] },
  ],
  exponent: [{ operands: [operand([6], given(0, 1, 0.49, -10, 3, 1024))] }],
  softsign: [{ operands: [operand([2, 3], away(-2, 2, [0]))] }],
  xlogy: [{ operands: [operand([2, 3]), operand([3], positive)] }],
  xlog1py: [{ operands: [operand([2, 3]), operand([3], uniform(-0.7, 2))] }],
  logAddExp: [{ operands: [operand([2, 3]), operand([3])] }],
  logAddExp2: [{ operands: [operand([2, 3]), operand([3])] }],
  entr: [{ operands: [operand([2, 3], positive)] }],
  logit: [{ operands: [operand([2, 5], inside)] }],
  erfc: [{ operands: [operand([2, 3])] }],
  erfcx: [{ operands: [operand([2, 3])], params: { order: 0 } }, { operands: [operand([3], given(-0.5, 0.75, 1.5))], params: { order: 2 } }],
  erfinv: [{ operands: [operand([2, 3], uniform(-0.8, 0.8))] }],
  ndtri: [{ operands: [operand([2, 3], inside)] }],
  logNdtr: [{ operands: [operand([2, 3])] }, { operands: [operand([3], given(-3, -1.5, 0.5))] }],
  lgamma: [{ operands: [operand([2, 3], positive)] }, { operands: [operand([2], given(-1.5, -0.25))] }],
  polygamma: [
    { operands: [operand([2, 3], uniform(0.8, 3))], params: { n: 0 } },
    { operands: [operand([3], uniform(1.2, 3))], params: { n: 1 } },
    { operands: [operand([2], given(-1.5, -0.5))], params: { n: 0 } },
  ],
  besselI: [
    { operands: [operand([2, 3])], params: { order: 0, scaled: false } },
    { operands: [operand([2, 3])], params: { order: 1, scaled: false } },
    { operands: [operand([2, 3], away(-2, 2, [0]))], params: { order: 0, scaled: true } },
    { operands: [operand([2, 3], away(-2, 2, [0]))], params: { order: 1, scaled: true } },
    { operands: [operand([2], given(28, -31))], params: { order: 1, scaled: true } },
  ],
  sinc: [{ operands: [operand([2, 3])], params: { order: 0 } }, { operands: [operand([3], given(0, 1e-3, 1.25))], params: { order: 1 } }],
} satisfies SamplesOf<Pick<Library,
  'asinh' | 'acosh' | 'atan2' | 'hypot' | 'fmod' | 'exponent' | 'softsign' | 'xlogy' | 'xlog1py' | 'logAddExp' | 'logAddExp2' | 'entr' | 'logit'
  | 'erfc' | 'erfcx' | 'erfinv' | 'ndtri' | 'logNdtr' | 'lgamma' | 'polygamma' | 'besselI' | 'sinc'>>
