// What the smallest app bundles: the derivative of a sine.

import { constants, cpuOf, elementwise } from '@bp/backend-cpu/pick'
import { grad, tensor, use } from '@bp/core'
import { sin } from '@bp/ops'

use(cpuOf(elementwise(), constants()))
console.log(String(grad(sin)(tensor(0))))
