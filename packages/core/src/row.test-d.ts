// What does not compile: wrong arity, missing parameters, reading what is not saved, an incomplete kernel table.

import { add, grad, jvp, mul, type Tensor, tensor, vjp } from '@bp/core'
import { bind, defineComposite, defineOp, type Kernel } from '@bp/core/extend'
import type { KernelTable, PrimitiveName } from '@bp/ops/extend'

const x = tensor(1)

const pair = defineOp({ name: 'test/pair', arity: 2, fuse: 'map', infer: ([a]) => a.aval, diff: { kind: 'linear', transpose: [ct => ct, ct => ct] } })
bind(pair, [x, x], undefined)
// @ts-expect-error -- two operands, not one
bind(pair, [x], undefined)
// @ts-expect-error -- two operands, not three
bind(pair, [x, x, x], undefined)
// @ts-expect-error -- it has no parameters
bind(pair, [x, x], { axis: 0 })

const scale = defineComposite({ name: 'test/scale', arity: 1, decompose: ([a], p: { readonly by: number }) => mul(a, p.by) })
bind(scale, [x], { by: 2 })
// @ts-expect-error -- the parameters are missing
bind(scale, [x], undefined)
// @ts-expect-error -- by is a number
bind(scale, [x], { by: 'two' })

defineOp({
  name: 'test/fewer', arity: 2, fuse: 'map', infer: ([a]) => a.aval,
  // @ts-expect-error -- a derivative for each operand
  diff: { kind: 'map', d: [() => 1] },
})

defineOp({ name: 'test/saves-x', arity: 1, fuse: 'map', saves: 'x', infer: ([a]) => a.aval, diff: { kind: 'map', d: [a => mul(2, a)] } })
defineOp({ name: 'test/saves-y', arity: 1, fuse: 'map', saves: 'y', infer: ([a]) => a.aval, diff: { kind: 'map', d: [(_a, y) => y] } })
// @ts-expect-error -- the operand is not saved
defineOp({ name: 'test/unsaved', arity: 1, fuse: 'map', infer: ([a]) => a.aval, diff: { kind: 'map', d: [a => mul(2, a)] } })
// @ts-expect-error -- the operand is not saved, the result is
defineOp({ name: 'test/unsaved-x', arity: 1, fuse: 'map', saves: 'y', infer: ([a]) => a.aval, diff: { kind: 'map', d: [a => mul(2, a)] } })
// @ts-expect-error -- the result is not saved, the operand is
defineOp({ name: 'test/unsaved-y', arity: 1, fuse: 'map', saves: 'x', infer: ([a]) => a.aval, diff: { kind: 'map', d: [(_a, y) => mul(2, y)] } })
defineComposite({
  name: 'test/unsaved-vjp', arity: 1, decompose: ([a]) => mul(a, a),
  // @ts-expect-error -- the composite saves nothing
  vjp: ([ct], [a]) => [mul(ct!, a)],
})
// @ts-expect-error -- custom needs a sentence that says why
defineOp({ name: 'test/why', arity: 1, fuse: 'map', infer: ([a]) => a.aval, diff: { kind: 'custom', vjp: ([ct]) => [ct!] } })

declare const kernels: KernelTable<Float32Array>
const complete: KernelTable<Float32Array> = { ...kernels }
const { tanh: _tanh, ...incomplete } = kernels
// @ts-expect-error -- tanh is missing
const broken: KernelTable<Float32Array> = incomplete
const wrong: KernelTable<Float32Array> = {
  ...kernels,
  // @ts-expect-error -- sumTo has a shape, not axes
  sumTo: ([a], p: { readonly axes: readonly number[] }) => a!.storage.slice(p.axes.length),
}
export const tables: readonly Readonly<Record<PrimitiveName, Kernel<Float32Array>>>[] = [complete, broken, wrong]

/* Parameters of maps are what their author says, not what inference makes of a rule. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
export const saving = defineOp({ name: 'test/saving', arity: 1, fuse: 'map', saves: 'xy', infer: ([a]) => a.aval, diff: { kind: 'map', d: [(a, y) => add(a, y)] } })
export const parameters: Same<typeof saving['params'], void> = true

/* Transforms keep the types of the function they are given. */
const model = (p: { readonly w: Tensor; readonly b: readonly Tensor[] }, n: number): Tensor => mul(p.w, n)
export const gradient: { readonly w: Tensor; readonly b: readonly Tensor[] } = grad(model)({ w: x, b: [x] }, 2)
// @ts-expect-error -- the second argument is a number
grad(model)({ w: x, b: [x] }, x)
// @ts-expect-error -- the function must return a tensor
grad((a: Tensor) => a.rank)
const [value, pullback] = vjp((a: Tensor, b: { readonly c: Tensor }) => ({ y: add(a, b.c) }), [x, { c: x }])
export const result: Tensor = value.y
export const cotangents: [Tensor, { readonly c: Tensor }] = pullback({ y: x })
// @ts-expect-error -- the cotangent has the form of the result
pullback(x)
// @ts-expect-error -- a tangent for each primal
jvp((a: Tensor, b: Tensor) => add(a, b), [x, x], [x])
