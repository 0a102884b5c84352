// Undoing max pooling: values put back at the places they were taken from.

import { add, mul, type Tensor } from '@bp/core'
import { allocate, Aval, bind, defineOp, describe, fail, sameShape } from '@bp/core/extend'
import { take } from './indexing.ts'
import { iota } from './source.ts'
import { reshape } from './view.ts'

/**
 * y = zeros; y[i, index[i, j]] = x[i, j] for x and index: [planes, n], the last of several that share a place,
 * x̄ = ȳ[i, index[i, j]]. Where places are shared the pullback is not the transpose but PyTorch's: overlapping windows that
 * found the same maximum hold the same value, and each gets its place's whole cotangent.
 */
export const unpoolRow = /* @__PURE__ */ defineOp({
  name: 'unpool', arity: 2, fuse: 'index', saves: 'x',
  infer: ([x, index], p: { readonly size: number }) => {
    if (index.dtype !== 'int32') fail('dtype', 'unpool', `indices must be int32, got ${describe(index)}. Convert them with cast(index, 'int32')`)
    if (x.shape.length !== 2 || !sameShape(x.shape, index.shape)) fail('shape', 'unpool', `needs values and indices of one shape [planes, n], got ${describe(x)} and ${describe(index)}`)
    return new Aval([x.shape[0]!, p.size], x.dtype)
  },
  diff: { kind: 'linear', transpose: [(ct, [, index]) => {
    const starts = reshape(mul(iota(ct.shape[0]!, 'int32', ct.backend), ct.shape[1]!), [ct.shape[0]!, 1])
    return take(reshape(ct, [ct.size]), add(index, starts))
  }, null] },
  host: ([x, index], p, [out]) => {
    const y = allocate(out!.dtype, x.shape[0]! * p.size)
    const n = x.shape[1]!
    for (let i = 0; i < index.data.length; i++) {
      const at = Number(index.data[i])
      if (!(at >= 0 && at < p.size)) fail('value', 'unpool', `index ${at} is outside a plane of ${p.size} places. Give the indices that max pooling returned, and the size of what it pooled`)
      y[Math.floor(i / n) * p.size + at] = x.data[i]!
    }
    return y
  },
})

/** Library primitives of this file. */
export const poolLibrary = { unpool: unpoolRow }

/** Zeros [planes, size] with each of the values [planes, n] put at its int32 index; where several share a place, the last. */
export const unpool = (values: Tensor, index: Tensor, size: number): Tensor => bind(unpoolRow, [values, index], { size })
