// How each op works on a batch: by its row's rule, by broadcasting, or, last, entry by entry.

import { Aval } from './aval.ts'
import { reshape } from './axes.ts'
import { allocate, type TypedArray } from './dtype.ts'
import { fail } from './errors.ts'
import { bind, bindMany } from './interpreter.ts'
import { type AnyRow, type BatchRule, defineOp, type Row } from './row.ts'
import { type Shape, sizeOf } from './shape.ts'
import type { Tensor } from './tensor.ts'
import { broadcastTo, broadcastToRow, sumTo, sumToRow, zerosLike } from './vector.ts'

type Rule = BatchRule<'n', unknown>

/** Applies an op to operands of which some have the batch as first axis; the results have it. */
export function applyToBatch(row: AnyRow, values: Tensor[], batched: readonly boolean[], size: number, params: unknown): Tensor | Tensor[] {
  const rule = batchRule(row)
  return rule !== null ? rule(values, batched, size, params) : each(row, values, batched, size, params)
}

/** The rule that batches a row; `null` where only running it entry by entry can. */
export function batchRule(row: AnyRow): Rule | null {
  if (row.batch !== null) return row.batch
  if (row.fuse === 'map') return (values, batched, _size, params) => mapped(row, values, batched, params)
  return vectorRules.get(row) ?? null
}

/** The shape with axes of size 1 in front, up to the rank given. */
const aligned = (shape: Shape, rank: number): Shape => [...new Array<number>(rank - shape.length).fill(1), ...shape]

/* Every app has core's own rows, few have vmap: so their rules are here, not in the rows. */
const vectorRules: ReadonlyMap<AnyRow, Rule> = /* @__PURE__ */ new Map<AnyRow, Rule>([
  [broadcastToRow, ([x], _batched, size, p) => {
    const { shape } = p as { readonly shape: Shape }
    return broadcastTo(reshape(x!, [size, ...aligned(x!.shape.slice(1), shape.length)]), [size, ...shape])
  }],
  [sumToRow, ([x], _batched, size, p) => {
    const { shape } = p as { readonly shape: Shape }
    return reshape(sumTo(x!, [size, ...aligned(shape, x!.rank - 1)]), [size, ...shape])
  }],
])

/** An elementwise op broadcasts: batched operands get axes of size 1 after the first, up to the rank of the others. */
function mapped(row: AnyRow, values: readonly Tensor[], batched: readonly boolean[], params: unknown): Tensor {
  const rank = Math.max(...values.map((x, i) => batched[i] ? x.rank - 1 : x.rank))
  return bind(row as Row, values.map((x, i) => batched[i] ? reshape(x, [x.shape[0]!, ...aligned(x.shape.slice(1), rank)]) : x), params)
}

/** Any other op, entry by entry. */
function each(row: AnyRow, values: readonly Tensor[], batched: readonly boolean[], size: number, params: unknown): Tensor | Tensor[] {
  if (size === 0) fail('value', 'vmap', `${row.name} has no batching rule, and an empty batch no entry to run it on. Give the row a batch rule`)
  const entries = values.map((x, i) => batched[i] ? unstack(x) : null)
  const results = Array.from({ length: size }, (_, k) => bindMany(row as Row, values.map((x, i) => entries[i]?.[k] ?? x), params) as Tensor | Tensor[])
  const first = results[0]!
  if (!Array.isArray(first)) return stack(results as Tensor[])
  return first.map((_, j) => stack(results.map(ys => (ys as Tensor[])[j]!)))
}

const unstack = (x: Tensor): Tensor[] => bindMany(unstackRow, [x], undefined)

const stack = (xs: Tensor[]): Tensor => bind(stackRow, xs, undefined)

/** y₁, y₂, … = the entries of x along its first axis,   x̄ = ȳ₁, ȳ₂, … along that axis */
const unstackRow = /* @__PURE__ */ defineOp({
  name: 'unstack', arity: 1, fuse: 'view',
  infer: ([x]) => Array.from({ length: x.shape[0]! }, () => new Aval(x.shape.slice(1), x.dtype)),
  diff: {
    kind: 'custom', why: 'it is linear, but has several results',
    vjp: cts => [stack(cts)],
    jvp: ([t]) => unstack(t!),
  },
  host: ([x], _p, out) => {
    const size = sizeOf(x.shape.slice(1))
    return out.map((_, k) => x.data.subarray(k * size, (k + 1) * size))
  },
})

/** y = x₁, x₂, … along a new first axis,   x̄ₖ = the k-th entry of ȳ */
const stackRow = /* @__PURE__ */ defineOp({
  name: 'stack', arity: 'n', fuse: 'view',
  infer: xs => new Aval([xs.length, ...xs[0]!.shape], xs[0]!.dtype),
  diff: {
    kind: 'custom', why: 'it is linear, but its transposes for all operands are one op',
    vjp: ([ct]) => unstack(ct!),
    jvp: (ts, xs) => [stack(ts.map((t, i) => t ?? zerosLike(xs[i]!)))],
  },
  host: (xs, _p, [out]) => {
    const size = sizeOf(out!.shape.slice(1))
    const values: TypedArray = allocate(out!.dtype, sizeOf(out!.shape))
    xs.forEach(({ data }, k) => { values.set(data as never, k * size) })
    return values
  },
})
