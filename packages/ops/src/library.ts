// The table of library primitives: ops that compute on the host or by decomposition, on any backend, so that no backend needs a kernel for them.

import { specialLibrary } from './composites/elementwiseLibrary.ts'
import { determinantLibrary } from './linalg/determinant.ts'
import { exponentialLibrary } from './linalg/exponential.ts'
import { luLibrary } from './linalg/lu.ts'
import { orthogonalLibrary } from './linalg/orthogonal.ts'
import { pinvLibrary } from './linalg/pinv.ts'
import { solveLibrary } from './linalg/solve.ts'
import { spectralLibrary } from './linalg/spectral.ts'
import { triangularLibrary } from './linalg/triangular.ts'
import { maskedLibrary } from './composites/maskedAlong.ts'
import { poolLibrary } from './rows/pool.ts'
import { scatterLibrary } from './rows/scatter.ts'

/** Every library primitive under its own name, family by family. */
export const library = {
  ...specialLibrary,
  ...luLibrary,
  ...solveLibrary,
  ...determinantLibrary,
  ...triangularLibrary,
  ...orthogonalLibrary,
  ...spectralLibrary,
  ...pinvLibrary,
  ...exponentialLibrary,
  ...maskedLibrary,
  ...poolLibrary,
  ...scatterLibrary,
}

/** The type of {@link library}. */
export type Library = typeof library

/** The name of a library primitive. */
export type LibraryName = keyof Library
