// Shapes without data: a row's own inference, or its decomposition run on tensors that have only shapes.

import type { Aval } from './aval.ts'
import { defaultBackend } from './backend.ts'
import { type Interpreter, runIn } from './interpreter.ts'
import type { AnyRow } from './row.ts'
import { Tensor } from './tensor.ts'

/** The shape and dtype of what `row` makes of `xs`, or the error that names what is wrong with them. */
export function shapesOf(row: AnyRow, xs: Tensor[], params: unknown): Aval | Aval[] {
  if (row.infer !== null) return row.infer(xs, params)
  const ys = runIn(shapes, () => row.decompose!(xs, params))
  return Array.isArray(ys) ? ys.map(y => y.aval) : ys.aval
}

const blank = (aval: Aval): Tensor => new Tensor(aval, null, defaultBackend())

const shapes: Interpreter = {
  recording: false,
  outer: null,
  bind(row, xs, params) {
    if (row.infer === null) return row.decompose!(xs, params)
    const out = row.infer(xs, params)
    return Array.isArray(out) ? out.map(blank) : blank(out)
  },
  lift: x => blank(x.aval),
  read: variable => blank(variable.aval),
  assign() { /* a decomposition run on shapes changes no state */ },
}
