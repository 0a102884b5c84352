// What the smallest app bundles: the derivative of a sine.

import { cpu } from '@bp/backend-cpu'
import { grad, tensor, use } from '@bp/core'
import { sin } from '@bp/ops'

use(cpu())
console.log(String(grad(sin)(tensor(0))))
