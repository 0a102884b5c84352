// PyTorch's OpInfo vectors: outputs, gradients, forward derivatives and double backward of each function, in float64.

import { decodeFloat16, jvp, type Tensor, vjp } from '@bp/core'
import { isFloat } from '@bp/core/extend'
import { cast } from '@bp/ops'
import { compareNumbers, Mismatch, single, type Tolerance, Unsupported } from '../compare.ts'
import { adapterOf } from './opinfo/adapters.ts'
import { type Adapter, Arguments } from './opinfo/arguments.ts'
import { nameOf, numbersOf, parseSingle, parseVector, type Raw, type RawTensor, tensorOf, tensorsIn, valueOf, type Vector } from './opinfo/vectors.ts'
import { type Suite, textOf } from './suite.ts'

const double: Tolerance = { rtol: 1e-6, atol: 1e-8 }

/** A case of one line of the file, `vector.json`. */
export const opinfo: Suite = (subject, setting) => {
  const line = textOf(subject, 'vector.json')
  const vector = setting.single ? parseSingle(line) : parseVector(line)
  const name = nameOf(vector)
  const adapter = adapterOf(vector.op, vector.variant)
  if (!adapter) throw new Unsupported(name)
  try {
    return { maxError: Math.max(...check(adapter, vector, setting.single ? single : double)) }
  } catch (error) {
    throw error instanceof Unsupported ? new Unsupported(`${name}: ${error.message}`) : error
  }
}

/** The function of the tensors that are differentiated by, and those tensors. */
function subjectOf(adapter: Adapter, vector: Vector): { f: (xs: readonly Tensor[]) => Tensor[]; xs: Tensor[] } {
  const raws = [vector.input, ...vector.args, ...Object.values(vector.kwargs)].flatMap(tensorsIn)
  const tensors = raws.map(tensorOf)
  const f = (xs: readonly Tensor[]): Tensor[] => {
    const given = tensors.map((x, i) => vector.wrt.includes(i) ? xs[vector.wrt.indexOf(i)]! : x)
    let at = 0
    const value = (raw: Raw): ReturnType<typeof valueOf> => valueOf(raw, () => given[at++]!)
    const places = [vector.input, ...vector.args].map(value)
    const call = new Arguments(places, Object.fromEntries(Object.entries(vector.kwargs).map(([key, raw]) => [key, value(raw)])))
    const ys = [adapter(call)].flat<(Tensor | readonly Tensor[])[]>()
    call.finish()
    return ys
  }
  return { f, xs: vector.wrt.map(i => tensors[i]!) }
}

/** The largest errors of outputs, gradients, tangents and second gradients. */
function check(adapter: Adapter, vector: Vector, tolerance: Tolerance): number[] {
  const compareRaw = (what: string, got: Tensor, want: RawTensor | null): number => compareWith(tolerance, what, got, want)
  const { f, xs } = subjectOf(adapter, vector)
  const ys = f(xs)
  if (ys.length !== vector.outputs.length) throw new Mismatch(`${ys.length} outputs, expected ${vector.outputs.length}`)
  const errors = [0, ...ys.map((y, i) => compareRaw(`output ${i}`, y, vector.outputs[i]!))]
  if (xs.length === 0 || vector.cotangents.length === 0) return errors
  const smooth = differentiable(f, xs, vector.cotangents.length)
  const given = vector.cotangents.map((ct, i) => ct ? tensorOf(ct) : tensorOf({ $t: { ...vector.outputs[smooth[i]!]!.$t, data: numbersOf(vector.outputs[smooth[i]!]!).map(() => 0) } }))
  // some results are float64 whatever they are of
  const cts = tolerance === single ? given.map((ct, i) => cast(ct, ys[smooth[i]!]!.dtype)) : given
  const g = (zs: readonly Tensor[]): Tensor[] => smooth.map(i => f(zs)[i]!)
  const [, pullback] = vjp((...zs: Tensor[]) => g(zs), xs)
  pullback(cts).forEach((dx, i) => errors.push(compareRaw(`gradient ${i}`, dx, vector.grads[i] ?? null)))
  if (vector.jvp) {
    const [, dys] = jvp((...zs: Tensor[]) => g(zs), xs, vector.tangents!.map(tensorOf))
    dys.forEach((dy, i) => errors.push(compareRaw(`tangent ${i}`, dy, vector.jvp![i] ?? null)))
  }
  if (vector.gradgrad) secondOrder(vector, g, xs, cts).forEach((dx, i) => errors.push(compareRaw(`second gradient ${i}`, dx, vector.gradgrad![i] ?? null)))
  return errors
}

/** Which outputs the cotangents belong to: all that are floating-point, or, where those are more, all that require grad. */
function differentiable(f: (xs: readonly Tensor[]) => Tensor[], xs: readonly Tensor[], count: number): number[] {
  for (const x of xs) x.requiresGrad = true
  const ys = f(xs)
  for (const x of xs) x.requiresGrad = false
  const floats = ys.flatMap((y, i) => isFloat(y.dtype) ? i : [])
  const recorded = ys.flatMap((y, i) => y.requiresGrad ? i : [])
  const found = floats.length === count ? floats : recorded
  if (found.length !== count) throw new Mismatch(`${recorded.length} outputs are differentiable, expected ${count}`)
  return found
}

/** The gradient of Σ⟨gradients, v⟩, the cotangents held fixed. */
function secondOrder(vector: Vector, g: (xs: readonly Tensor[]) => Tensor[], xs: readonly Tensor[], cts: readonly Tensor[]): Tensor[] {
  const chosen = vector.grads.flatMap((grad, i) => grad && vector.v?.[i] ? i : [])
  const first = (...zs: Tensor[]): Tensor[] => {
    const [, pullback] = vjp((...inner: Tensor[]) => g(inner), zs)
    const dxs = pullback([...cts])
    return chosen.map(i => dxs[i]!)
  }
  const [, pullback] = vjp(first, [...xs])
  return [...pullback(chosen.map(i => tensorOf(vector.v![i]!)))]
}

/** Compares with the file's numbers; nothing stands for zeros. Whole numbers may be of another width. */
function compareWith(tolerance: Tolerance, what: string, got: Tensor, want: RawTensor | null): number {
  const data = got.dataSync()
  const values = got.dtype === 'float16' ? decodeFloat16(data as Uint16Array) : data
  if (want === null) return compareNumbers(what, values, new Array<number>(values.length).fill(0), tolerance)
  if (got.shape.join() !== want.$t.shape.join()) throw new Mismatch(`${what} has shape [${got.shape.join(',')}], expected [${want.$t.shape.join(',')}]`)
  if (isFloat(got.dtype) !== want.$t.dtype.includes('float')) throw new Mismatch(`${what} is ${got.dtype}, expected ${want.$t.dtype}`)
  return compareNumbers(what, values, numbersOf(want), tolerance)
}
