// Which ops are traced as what they are made of: those that a backend has no kernel for.

import type { Backend } from '../backend.ts'
import { lookUp } from '../eager.ts'
import type { AnyRow } from '../row.ts'

/** Whether a row is to be written down as its decomposition. */
export const inlinesOn = (backend: Backend) => (row: AnyRow): boolean => row.decompose !== null && lookUp(row, backend) === null
