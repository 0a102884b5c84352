// The reference backend's contractions: sums of products exactly as their definitions read.

import type { Shape, TypedArray } from '@bp/core'
import { convert, type Kernel, type Operand } from '@bp/core/extend'
import type { ConvGeometry, ConvInputParams, ConvWeightParams, DotParams } from '@bp/ops/extend'
import { eachIndex, flatAt } from './indices.ts'

/** C[…, i, j] = Σₖ A[…, i, k] · B[…, k, j], either operand read transposed. */
export const dot: Kernel<TypedArray, DotParams> = (xs, { ta, tb }, out) => {
  const [a, b] = xs as [typeof xs[0] & object, typeof xs[0] & object]
  const inner = a.shape.at(ta ? -2 : -1)!
  if (out.dtype === 'int64') return exactDot(a, b, ta, tb, out.shape)
  const values: number[] = []
  eachIndex(out.shape, index => {
    const [i, j] = index.slice(-2) as [number, number]
    const lead = index.slice(0, -2)
    let sum = 0
    for (let k = 0; k < inner; k++) {
      sum += Number(a.storage[flatAt(a.shape, [...lead, ...ta ? [k, i] : [i, k]])]) * Number(b.storage[flatAt(b.shape, [...lead, ...tb ? [j, k] : [k, j]])])
    }
    values.push(sum)
  })
  return convert(values, out.dtype)
}

/** The same on int64. */
function exactDot(a: Operand<TypedArray>, b: Operand<TypedArray>, ta: boolean, tb: boolean, out: Shape): TypedArray {
  const values: bigint[] = []
  eachIndex(out, index => {
    const [i, j] = index.slice(-2) as [number, number]
    const lead = index.slice(0, -2)
    let sum = 0n
    for (let k = 0; k < a.shape.at(ta ? -2 : -1)!; k++) {
      sum += (a.storage[flatAt(a.shape, [...lead, ...ta ? [k, i] : [i, k]])] as bigint) * (b.storage[flatAt(b.shape, [...lead, ...tb ? [j, k] : [k, j]])] as bigint)
    }
    values.push(sum)
  })
  return convert(values, 'int64')
}

/** Calls `visit` with the flat places of every product x·w that one element of y = x ∗ w sums. */
function eachProduct(x: Shape, w: Shape, y: Shape, p: ConvGeometry, visit: (x: number, w: number, y: number) => void): void {
  const perGroup = w[0]! / p.groups
  eachIndex(y, (at, flatY) => {
    const group = Math.floor(at[1]! / perGroup)
    eachIndex(w.slice(1), inner => {
      const place = inner.slice(1).map((k, i) => at[i + 2]! * p.stride[i]! + k * p.dilation[i]! - p.padding[i]![0])
      if (place.some((n, i) => n < 0 || n >= x[i + 2]!)) return
      visit(flatAt(x, [at[0]!, group * w[1]! + inner[0]!, ...place]), flatAt(w, [at[1]!, ...inner]), flatY)
    })
  })
}

/** y = x ∗ w. */
export const conv: Kernel<TypedArray, ConvGeometry> = (xs, p, out) => {
  const [x, w] = xs as [typeof xs[0] & object, typeof xs[0] & object]
  const values = new Float64Array(out.shape.reduce((a, b) => a * b, 1))
  eachProduct(x.shape, w.shape, out.shape, p, (i, j, k) => { values[k]! += Number(x.storage[i]) * Number(w.storage[j]) })
  return convert(values, out.dtype)
}

/** x̄ from ȳ and w. */
export const convInput: Kernel<TypedArray, ConvInputParams> = (xs, p, out) => {
  const [y, w] = xs as [typeof xs[0] & object, typeof xs[0] & object]
  const values = new Float64Array(out.shape.reduce((a, b) => a * b, 1))
  eachProduct(out.shape, w.shape, y.shape, p, (i, j, k) => { values[i]! += Number(y.storage[k]) * Number(w.storage[j]) })
  return convert(values, out.dtype)
}

/** w̄ from x and ȳ. */
export const convWeight: Kernel<TypedArray, ConvWeightParams> = (xs, p, out) => {
  const [x, y] = xs as [typeof xs[0] & object, typeof xs[0] & object]
  const values = new Float64Array(out.shape.reduce((a, b) => a * b, 1))
  eachProduct(x.shape, out.shape, y.shape, p, (i, j, k) => { values[j]! += Number(x.storage[i]) * Number(y.storage[k]) })
  return convert(values, out.dtype)
}
