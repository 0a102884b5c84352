// The largest of what is scattered to each place: a library primitive, shared by every scatter that takes an extreme.

import { add, mul, type Tensor } from '@bp/core'
import { allocate, bind, defineOp, describe, fail } from '@bp/core/extend'
import { div } from './arithmetic.ts'
import { cast, equal } from './compare.ts'
import { scatterAdd, take } from './indexing.ts'

/**
 * y[p] = max(x[p], the values whose place is p),   x̄ = ȳ and v̄ = ȳ at its place, shared evenly among all that attain y
 */
export const scatterMaxRow = /* @__PURE__ */ defineOp({
  name: 'scatterMax', arity: 3, fuse: 'index', saves: 'xy',
  infer: ([x, places, values]) => {
    if (x.shape.length !== 1 || values.shape.length !== 1 || places.shape.join() !== values.shape.join()) fail('shape', 'scatterMax', `needs vectors, as many places as values, got ${describe(x)}, ${describe(places)} and ${describe(values)}`)
    return x.aval
  },
  diff: {
    kind: 'custom', why: 'which elements attain the maximum depends on the values, and several may share',
    vjp: ([ct], [x, places, values], [y]) => {
      const { own, theirs } = shares(x, places, values, y as Tensor)
      return [mul(ct!, own), null, mul(take(ct!, places), theirs)]
    },
    jvp: ([s, , t], [x, places, values], [y]) => {
      const { own, theirs } = shares(x, places, values, y!)
      const parts = [...s ? [mul(s, own)] : [], ...t ? [scatterAdd(mul(t, theirs), places, x.size)] : []]
      return [parts.length > 0 ? parts.reduce((a, b) => add(a, b)) : mul(x, 0)]
    },
  },
  host: ([x, places, values], _p, [out]) => {
    const y = allocate(out!.dtype, x.data.length) as Float64Array
    y.set(x.data as Float64Array)
    for (let i = 0; i < places.data.length; i++) {
      const place = Number(places.data[i])
      const value = values.data[i] as number
      if (value > y[place]! || Number.isNaN(value)) y[place] = value
    }
    return y
  },
})

/** What part of a gradient goes to the element itself and to each value. */
function shares(x: Tensor, places: Tensor, values: Tensor, y: Tensor): { own: Tensor; theirs: Tensor } {
  const own = cast(equal(x, y), x.dtype)
  const theirs = cast(equal(values, take(y, places)), x.dtype)
  const count = add(own, scatterAdd(theirs, places, x.size))
  return { own: div(own, count), theirs: div(theirs, take(count, places)) }
}

/** The larger of each element and what is scattered to it. */
export const scatterMax = (x: Tensor, places: Tensor, values: Tensor): Tensor => bind(scatterMaxRow, [x, places, values], undefined)

/** y[p] = x[p] · Π of the values whose place is p, none of them 0,   x̄ = ȳ·y/x,   v̄ = ȳ·y/v at its place */
export const scatterMulRow = /* @__PURE__ */ defineOp({
  name: 'scatterMul', arity: 3, fuse: 'index', saves: 'xy',
  infer: ([x]) => x.aval,
  diff: {
    kind: 'custom', why: 'a product over places that the index names; callers keep zeros out of it',
    vjp: ([ct], [x, places, values], [y]) => [mul(ct!, div(y as Tensor, x)), null, div(take(mul(ct!, y as Tensor), places), values)],
  },
  host: ([x, places, values], _p, [out]) => {
    const y = allocate(out!.dtype, x.data.length) as Float64Array
    y.set(x.data as Float64Array)
    for (let i = 0; i < places.data.length; i++) y[Number(places.data[i])]! *= values.data[i] as number
    return y
  },
})

/** The product of each element and what is scattered to it; none of them may be 0. */
export const scatterMul = (x: Tensor, places: Tensor, values: Tensor): Tensor => bind(scatterMulRow, [x, places, values], undefined)

/** The rows of this file, by name. */
export const scatterLibrary = { scatterMax: scatterMaxRow, scatterMul: scatterMulRow }
