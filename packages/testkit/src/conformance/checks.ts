// All checks that are no laws of one row, in the order in which a backend's author meets what they are about.

import { broadcastChecks } from './broadcast.ts'
import type { Check } from './check.ts'
import { contractionChecks } from './contraction.ts'
import { largeChecks } from './large.ts'
import { memoryChecks } from './memory.ts'
import { movementChecks } from './movement.ts'
import { reductionChecks } from './reduction.ts'
import { specialChecks } from './specials.ts'
import { variableChecks } from './variables.ts'
import { wholeChecks } from './whole.ts'

/** Every check. */
export const checks = (): Check[] => [
  ...memoryChecks(), ...movementChecks(), ...specialChecks(), ...wholeChecks(), ...broadcastChecks(), ...reductionChecks(), ...contractionChecks(),
  ...variableChecks(), ...largeChecks(),
]
