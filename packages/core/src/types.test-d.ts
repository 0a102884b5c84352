// What does not compile: the type checker is the checklist of an op's author.

import { add, mul, type Tensor } from './index.ts'
import { addRow, bind, broadcastToRow, defineOp, type Kernel } from './extend.ts'
import type { KernelTable } from '@bp/ops/extend'

declare const x: Tensor

bind(addRow, [x, x], undefined)
// @ts-expect-error an op of two operands applied to one
bind(addRow, [x], undefined)
// @ts-expect-error parameters left out
bind(broadcastToRow, [x], undefined)

// @ts-expect-error two partial derivatives are due for a map of two operands
defineOp({ name: 't/a', arity: 2, fuse: 'map', saves: 'x', infer: ([a]) => a.aval, diff: { kind: 'map', d: [a => a] } })

// @ts-expect-error the rule reads an operand that the row does not save
defineOp({ name: 't/b', arity: 1, fuse: 'map', saves: 'y', infer: ([a]) => a.aval, diff: { kind: 'map', d: [a => mul(a, a)] } })

// @ts-expect-error a custom derivative says why
defineOp({ name: 't/c', arity: 1, fuse: 'opaque', infer: ([a]) => a.aval, diff: { kind: 'custom', vjp: ([ct]) => [ct!] } })

defineOp({ name: 't/d', arity: 1, fuse: 'map', saves: 'xy', infer: ([a]) => a.aval, diff: { kind: 'map', d: [(a, y) => add(a, y)] } })

declare const kernel: Kernel<Float64Array>
// @ts-expect-error a backend that forgets an op
export const incomplete: KernelTable<Float64Array> = { add: kernel }
