// The largest or smallest of what is scattered to each place: a library primitive.

import { add, mul, type Tensor, zerosLike } from '@bp/core'
import { allocate, bind, defineOp, describe, fail, sameShape } from '@bp/core/extend'
import { combinedAt } from '../composites/runs.ts'
import { attains } from '../composites/ties.ts'
import { div, maximum, minimum } from './arithmetic.ts'
import { cast, equal, logicalAnd, select } from './compare.ts'
import { scatterAdd, take } from './indexing.ts'

/** Which extreme, and whether what stood at a place takes part where values come to it. */
export interface ScatterExtremeParams {
  readonly extreme: 'amax' | 'amin'
  readonly includeSelf: boolean
}

/**
 * y[p] = the extreme of x[p] and the values whose place is p,   x̄ = ȳ and v̄ = ȳ at its place, shared evenly among all that
 * attain y. Vectors; the places are i32 and in range.
 */
export const scatterExtremeRow = /* @__PURE__ */ defineOp({
  name: 'scatterExtreme', arity: 3, fuse: 'index', saves: 'xy',
  infer: ([x, places, values], _p: ScatterExtremeParams) => {
    if (x.shape.length !== 1 || values.shape.length !== 1 || !sameShape(places.shape, values.shape)) fail('shape', 'scatterExtreme', `needs vectors, as many places as values, got ${describe(x)}, ${describe(places)} and ${describe(values)}. Reshape them to one axis`)
    if (x.dtype !== values.dtype || places.dtype !== 'int32') fail('dtype', 'scatterExtreme', `needs values of the tensor's dtype and int32 places, got ${describe(x)}, ${describe(places)} and ${describe(values)}. Convert them with cast`)
    return x.aval
  },
  diff: {
    kind: 'custom', why: 'which elements attain the extreme depends on their values, and several may share it',
    vjp: ([ct], [x, places, values], [y], p, want) => {
      const { own, theirs } = shares(x, places, values, y!, p)
      return [want[0] ? mul(ct!, own) : null, null, want[2] ? mul(take(ct!, places), theirs) : null]
    },
    jvp: ([s, , t], [x, places, values], [y], p) => {
      const { own, theirs } = shares(x, places, values, y!, p)
      return [add(s ? mul(s, own) : zerosLike(x), t ? scatterAdd(mul(t, theirs), places, x.size) : zerosLike(x))]
    },
  },
  decompose: ([x, places, values], { extreme, includeSelf }) => {
    const further = extreme === 'amax' ? maximum : minimum
    const { value, hit } = combinedAt(places, values, x.size, further)
    return select(hit, includeSelf ? further(x, value) : value, x)
  },
  host: ([x, places, values], { extreme, includeSelf }, [out]) => {
    const y = allocate(out!.dtype, x.data.length) as Float64Array
    y.set(x.data as Float64Array)
    const kept = new Uint8Array(y.length).fill(Number(includeSelf))
    for (let i = 0; i < places.data.length; i++) {
      const place = Number(places.data[i])
      if (!(place >= 0 && place < y.length)) fail('value', 'scatterExtreme', `place ${place} is outside a vector of ${y.length}`)
      const value = values.data[i] as number
      const wins = extreme === 'amax' ? value > y[place]! : value < y[place]!
      if (wins || kept[place] === 0 || Number.isNaN(value)) y[place] = value
      kept[place] = 1
    }
    return y
  },
})

/** What part of a gradient goes to the element that stood at each place and to each value. */
function shares(x: Tensor, places: Tensor, values: Tensor, y: Tensor, { includeSelf }: ScatterExtremeParams): { own: Tensor; theirs: Tensor } {
  const attained = attains(x, y)
  const untouched = equal(scatterAdd(cast(equal(places, places), 'int32'), places, x.size), 0)
  const own = cast(includeSelf ? attained : logicalAnd(attained, untouched), x.dtype)
  const theirs = cast(attains(values, take(y, places)), x.dtype)
  const count = add(own, scatterAdd(theirs, places, x.size))
  return { own: div(own, count), theirs: div(theirs, take(count, places)) }
}

/** The largest or smallest of each element of a vector and the values that are scattered to it. */
export const scatterExtreme = (x: Tensor, places: Tensor, values: Tensor, extreme: 'amax' | 'amin', includeSelf = true): Tensor =>
  bind(scatterExtremeRow, [x, places, values], { extreme, includeSelf })

/** The library primitives of this file, by name. */
export const scatterLibrary = { scatterExtreme: scatterExtremeRow }
