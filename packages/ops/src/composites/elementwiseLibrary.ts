// The table of elementwise library primitives: special functions, and maps whose derivative is given rather than derived.

import { softsignRow } from './activations.ts'
import { atan2Row, hypotRow } from './elementwise.ts'
import { exponentRow } from './floats.ts'
import { acoshRow, asinhRow } from './hyperbolic.ts'
import { entrRow, logAddExp2Row, logAddExpRow, logitRow, xlog1pyRow, xlogyRow } from './logarithms.ts'
import { fmodRow } from '../rows/division.ts'
import { besselIRow, sincRow } from '../rows/specialBessel.ts'
import { erfcRow, erfcxRow, erfinvRow, logNdtrRow, ndtriRow } from '../rows/specialError.ts'
import { lgammaRow, polygammaRow } from '../rows/specialGamma.ts'

/** Every elementwise library primitive under its own name. */
export const specialLibrary = {
  asinh: asinhRow, acosh: acoshRow, atan2: atan2Row, hypot: hypotRow, fmod: fmodRow, exponent: exponentRow, softsign: softsignRow,
  xlogy: xlogyRow, xlog1py: xlog1pyRow, logAddExp: logAddExpRow, logAddExp2: logAddExp2Row, entr: entrRow, logit: logitRow,
  erfc: erfcRow, erfcx: erfcxRow, erfinv: erfinvRow, ndtri: ndtriRow, logNdtr: logNdtrRow,
  lgamma: lgammaRow, polygamma: polygammaRow, besselI: besselIRow, sinc: sincRow,
}
