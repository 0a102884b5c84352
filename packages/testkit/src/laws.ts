// The laws: what must hold of every row, on every backend, in every floating-point dtype.

import { compile, type DType, gradients, jvp, tensor, type Tensor, type TypedArray, vjp, vmap } from '@bp/core'
import { type AnyRow, describe, isFloat, runGraph, sizeOf, trace } from '@bp/core/extend'
import { difference } from './difference.ts'
import { compare, LawError } from './error.ts'
import { poison, savedBy } from './poison.ts'
import { reference } from './reference.ts'
import { type AnySample, realise } from './sample.ts'
import { type Application, application, applyRow, cotangents, gradientOf, numbers, type Subject, subjectOf, tangents } from './subject.ts'
import { type Tolerance, tolerances } from './tolerance.ts'

/** A law: throws, or rejects with, a {@link LawError} that names the element that breaks it. */
export type Law = (row: AnyRow, sample: AnySample, dtype: DType, allowed?: Tolerance) => Promise<void>

const start = (row: AnyRow, sample: AnySample, dtype: DType): Application => application(row.name, row, sample, dtype)

const subject = (row: AnyRow, sample: AnySample, dtype: DType): Subject => subjectOf(start(row, sample, dtype))

/** Whether there is anything to differentiate. */
const smooth = ({ f, xs }: Subject): boolean => xs.length > 0 && f([...xs]).length > 0

/** The shapes and dtypes that `infer` promises are those of the kernel's results, and of the decomposition's. */
const shapes: Law = async (row, sample, dtype) => {
  const { operands, apply } = start(row, sample, dtype)
  const ys = apply(operands)
  const check = (whose: string, got: readonly { readonly shape: readonly number[]; readonly dtype: DType }[]): void => {
    if (got.map(describe).join() !== ys.map(describe).join()) throw new LawError(`${whose} gives ${got.map(describe).join(', ')}, the row ${ys.map(describe).join(', ')}`)
  }
  if (row.infer) check('infer', [row.infer([...operands], sample.params)].flat())
  if (row.decompose) check('the decomposition', [row.decompose([...operands], sample.params)].flat())
  for (const y of ys) {
    const data = await y.data()
    if (data.length !== sizeOf(y.shape)) throw new LawError(`infer promises ${describe(y)}, the kernel made ${data.length} elements`)
    const constructor = arrays[y.dtype]
    if (!(data instanceof constructor)) throw new LawError(`infer promises ${describe(y)}, the kernel made a ${data.constructor.name}`)
  }
}

const arrays = { float64: Float64Array, float32: Float32Array, float16: Uint16Array, int64: BigInt64Array, int32: Int32Array, uint8: Uint8Array, bool: Uint8Array } as const

/** The kernel's values are those of the reference backend, where that knows the op. */
const values: Law = async (row, sample, dtype, allowed = tolerances[dtype]) => {
  const plain = reference()
  if (!row.decompose && !(row.name in plain.kernels)) return
  const ys = start(row, sample, dtype)
  const expected = application(row.name, row, sample, dtype, plain)
  const got = ys.apply(ys.operands)
  const want = expected.apply(expected.operands)
  for (const [i, y] of got.entries()) compare(`result ${i}`, y.shape, await numbers(y), await numbers(want[i]!), allowed.value)
}

/** ⟨ct, J·t⟩ = ⟨Jᵀ·ct, t⟩ to rounding. */
async function adjoint(s: Subject, tolerance: Tolerance): Promise<void> {
  if (!smooth(s)) return
  const ts = tangents(s)
  const [ys, dys] = jvp((...xs: Tensor[]) => s.f(xs), s.xs, ts)
  const cts = cotangents(`${s.name} outer`, ys)
  const [, pullback] = vjp((...xs: Tensor[]) => s.f(xs), s.xs)
  const dxs = pullback(cts)
  dxs.forEach((dx, i) => {
    if (describe(dx) !== describe(s.xs[i]!)) throw new LawError(`the cotangent of operand ${i} is ${describe(dx)}, the operand ${describe(s.xs[i]!)}`)
  })
  dys.forEach((dy, i) => {
    if (describe(dy) !== describe(ys[i]!)) throw new LawError(`the tangent of result ${i} is ${describe(dy)}, the result ${describe(ys[i]!)}`)
  })
  const left = await dot(cts, dys)
  const right = await dot(dxs, ts)
  const error = Math.abs(left.sum - right.sum)
  const allowed = tolerance.adjoint * (1 + left.size + right.size)
  if (!(error <= allowed)) throw new LawError(`⟨ct, jvp(t)⟩ = ${left.sum}, ⟨vjp(ct), t⟩ = ${right.sum} (off by ${error.toExponential(1)}, allowed ${allowed.toExponential(1)})`)
}

/** The inner product of two lists of tensors, and the sum of its terms' magnitudes. */
async function dot(as: readonly Tensor[], bs: readonly Tensor[]): Promise<{ sum: number; size: number }> {
  let [sum, size] = [0, 0]
  for (const [i, a] of as.entries()) {
    const [p, q] = [await numbers(a), await numbers(bs[i]!)]
    p.forEach((value, j) => {
      sum += value * q[j]!
      size += Math.abs(value * q[j]!)
    })
  }
  return { sum, size }
}

/** jvp ≈ (f(x + h·t) − f(x − h·t)) / 2h. */
async function finite(s: Subject, dtype: DType, allowed: Tolerance): Promise<void> {
  if (!smooth(s)) return
  const ts = tangents(s)
  const [ys, dys] = jvp((...xs: Tensor[]) => s.f(xs), s.xs, ts)
  // a result or operand of another precision would hide the step
  if ([...s.xs, ...ys].some(x => x.dtype !== dtype)) return
  const expected = await difference(s, ts, allowed.step)
  for (const [i, dy] of dys.entries()) compare(`the tangent of result ${i} (against a central difference)`, dy.shape, await numbers(dy), expected[i]!, allowed.difference)
}

/** The pullback gives the same with every value that the row does not save replaced by NaN. */
const saves: Law = async (row, sample, dtype) => {
  const run = async (spoil: boolean): Promise<{ shape: readonly number[]; values: Float64Array }[]> => {
    const { name, operands, apply } = start(row, sample, dtype)
    const leaves = operands.filter(x => isFloat(x.dtype))
    for (const x of leaves) x.requiresGrad = true
    const ys = apply(operands).filter(y => y.requiresGrad)
    if (ys.length === 0) return []
    const cts = cotangents(name, ys)
    const saved = savedBy(ys)
    if (spoil) for (const x of [...operands, ...ys]) if (!saved.has(x)) poison(x)
    const found = gradients(ys, leaves, { gradOutputs: cts })
    return Promise.all(found.map(async dx => dx ? { shape: dx.shape, values: await numbers(dx) } : { shape: [], values: new Float64Array() }))
  }
  const clean = await run(false)
  const spoilt = await run(true)
  clean.forEach(({ shape, values }, i) => { compare(`the gradient of operand ${i} with unsaved values poisoned`, shape, spoilt[i]!.values, values, 0) })
}

/** A fused kernel, or a pullback of its own, gives what the decomposition gives, forward and gradient. */
const decomposition: Law = async (row, sample, dtype, allowed = tolerances[dtype]) => {
  if (!row.decompose) return
  const fused = start(row, sample, dtype)
  const plain: Application = { ...fused, apply: xs => [row.decompose!([...xs], sample.params)].flat() }
  const [ys, zs] = [fused.apply(fused.operands), plain.apply(plain.operands)]
  for (const [i, y] of ys.entries()) compare(`result ${i} (against the decomposition)`, y.shape, await numbers(y), await numbers(zs[i]!), allowed.value)
  const [f, g] = [subjectOf(fused), subjectOf(plain)]
  if (!smooth(f)) return
  const [df, dg] = [gradientOf(f), gradientOf(g)]
  const [dx, dz] = [df.f([...df.xs]), dg.f([...dg.xs])]
  for (const [i, d] of dx.entries()) compare(`the gradient of operand ${i} (against the decomposition)`, d.shape, await numbers(d), await numbers(dz[i]!), allowed.fused)
}

/** Tracing a function and running the graph gives what the function gives, forward and gradient. */
const tracing: Law = async (row, sample, dtype, allowed = tolerances[dtype]) => {
  const operands = realise(row.name, sample, dtype)
  const specs = operands.map(({ shape, dtype }) => ({ shape, dtype }))
  const ys = applyRow(row, operands, sample.params)
  const again = runGraph(trace((...xs) => applyRow(row, xs, sample.params), specs), operands)
  for (const [i, y] of ys.entries()) compare(`result ${i} of the traced graph`, y.shape, await numbers(again[i]!), await numbers(y), allowed.value)
  const s = subject(row, sample, dtype)
  if (!smooth(s)) return
  const { xs, f } = gradientOf(s)
  const eager = f([...xs])
  const graph = trace((...both) => f(both), xs.map(({ shape, dtype }) => ({ shape, dtype })))
  const traced = runGraph(graph, xs)
  for (const [i, d] of eager.entries()) compare(`the gradient of operand ${i} in the traced graph`, d.shape, await numbers(traced[i]!), await numbers(d), allowed.fused)
}

/** The compiled function gives what the function gives, forward and gradient, the second run what the first gives. */
const compiling: Law = async (row, sample, dtype, allowed = tolerances[dtype]) => {
  const operands = realise(row.name, sample, dtype)
  const ys = applyRow(row, operands, sample.params)
  const forward = compile((...xs: Tensor[]) => applyRow(row, xs, sample.params))
  for (const run of ['first', 'second']) {
    const got = forward(...operands)
    for (const [i, y] of ys.entries()) {
      if (describe(got[i]!) !== describe(y)) throw new LawError(`the ${run} compiled run gives ${describe(got[i]!)} for result ${i}, the function ${describe(y)}`)
      compare(`result ${i} of the ${run} compiled run`, y.shape, await numbers(got[i]!), await numbers(y), allowed.value)
    }
  }
  const s = subject(row, sample, dtype)
  if (!smooth(s)) return
  const { xs, f } = gradientOf(s)
  const eager = f([...xs])
  const compiled = compile((...both: Tensor[]) => f(both))(...xs)
  for (const [i, d] of eager.entries()) compare(`the compiled gradient of operand ${i}`, d.shape, await numbers(compiled[i]!), await numbers(d), allowed.fused)
}

/** Which operands a batch is made of, in turn: all, those that are floating-point, and the first alone. */
const batches = (operands: readonly Tensor[]): boolean[][] => {
  const floats = operands.map(x => isFloat(x.dtype))
  return [operands.map(() => true), floats, operands.map((_, i) => i === 0)].filter((chosen, i, all) => chosen.includes(true) && all.findIndex(other => other.join() === chosen.join()) === i)
}

/** vmap on a batch of two gives what the function gives on each entry. */
const batching: Law = async (row, sample, dtype, allowed = tolerances[dtype]) => {
  const entries = [realise(row.name, sample, dtype), realise(`${row.name} again`, sample, dtype)] as const
  const both = await Promise.all(entries[0].map((x, i) => together(x, entries[1][i]!)))
  for (const chosen of batches(entries[0])) {
    const entry = (k: 0 | 1): Tensor[] => entries[0].map((x, i) => chosen[i] ? entries[k][i]! : x)
    const want = ([0, 1] as const).map(k => applyRow(row, entry(k), sample.params))
    const got = vmap((...xs: Tensor[]) => applyRow(row, xs, sample.params), { inAxes: chosen.map(on => on ? 0 : null) })(...entries[0].map((x, i) => chosen[i] ? both[i]! : x))
    for (const [j, y] of got.entries()) {
      const expected = await together(want[0]![j]!, want[1]![j]!)
      if (describe(y) !== describe(expected)) throw new LawError(`vmap over operands ${chosen.flatMap((on, i) => on ? i : []).join(', ')} gives ${describe(y)} for result ${j}, the entries ${describe(expected)}`)
      compare(`result ${j} of vmap over operands ${chosen.flatMap((on, i) => on ? i : []).join(', ')}`, y.shape, await numbers(y), await numbers(expected), allowed.fused)
    }
  }
}

/** Two tensors alike as a batch of two. */
async function together(a: Tensor, b: Tensor): Promise<Tensor> {
  const [p, q] = [await a.data(), await b.data()]
  const values = p.length === q.length ? new (p.constructor as new (length: number) => TypedArray)(p.length * 2) : p
  values.set(p as never)
  values.set(q as never, p.length)
  return tensor(values, { shape: [2, ...a.shape], dtype: a.dtype, backend: a.backend })
}

/** Every law by name. */
export const lawsByName = {
  shapes,
  values,
  adjoint: (row, sample, dtype, allowed = tolerances[dtype]) => adjoint(subject(row, sample, dtype), allowed),
  difference: (row, sample, dtype, allowed = tolerances[dtype]) => finite(subject(row, sample, dtype), dtype, allowed),
  'second-order adjoint': async (row, sample, dtype, allowed = tolerances[dtype]) => {
    const s = subject(row, sample, dtype)
    if (smooth(s)) await adjoint(gradientOf(s), allowed)
  },
  'second-order difference': async (row, sample, dtype, allowed = tolerances[dtype]) => {
    const s = subject(row, sample, dtype)
    if (smooth(s)) await finite(gradientOf(s), dtype, allowed)
  },
  saves,
  decomposition,
  tracing,
  compiling,
  batching,
} as const satisfies Readonly<Record<string, Law>>

/** The name of a law. */
export type LawName = keyof typeof lawsByName
