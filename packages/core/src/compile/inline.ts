// Which ops are traced as what they are made of: for programs those that a backend has no kernel for, and for the tape those recorded so.

import type { Backend } from '../backend.ts'
import { lookUp } from '../eager.ts'
import type { AnyRow } from '../row.ts'
import type { Inlines } from '../trace.ts'

/** Whether a row is to be written down as its decomposition. */
export const inlinesOn = (backend: Backend) => (row: AnyRow): boolean => row.decompose !== null && lookUp(row, backend) === null

/** Whether eager mode records a row's decomposition op by op, so that each of its ops keeps what its rule reads. */
export const recordedApart: Inlines = (row, xs, params) => {
  const backend = xs[0]?.backend
  return backend !== undefined && row.diff.kind === 'composite' && row.vjp === null && lookUp(row, backend) === null && !(row.fuse === 'composite' && backend.fuser?.fuses(row, xs, params) === true)
}
