// Functions of single elements: arithmetic, exponentials, trigonometry, special functions, activations.

import { add, mul, sub, div, exp, log, sin, cos, tanh } from '@bp/ops'
import type { Adapter } from './arguments.ts'

/** The adapters of this family. */
export const elementwise: Readonly<Record<string, Adapter>> = {
  add: call => {
    const alpha = call.number(2, 'alpha', 1)
    const b = call.operand(1, 'other')
    return add(call.input, alpha === 1 ? b : mul(b, alpha))
  },
  mul: call => mul(call.input, call.operand(1, 'other')),
  sub: call => {
    const alpha = call.number(2, 'alpha', 1)
    const b = call.operand(1, 'other')
    return sub(call.input, alpha === 1 ? b : mul(b, alpha))
  },
  div: call => div(call.input, call.operand(1, 'other')),
  exp: call => exp(call.input),
  log: call => log(call.input),
  sin: call => sin(call.input),
  cos: call => cos(call.input),
  tanh: call => tanh(call.input),
}
