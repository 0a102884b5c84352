// Values that meet at one place, combined there: sorted by place, then scanned run by run.

import { full, type Tensor } from '@bp/core'
import { cast, less, logicalOr, notEqual, select } from '../rows/compare.ts'
import { scatterAdd, take } from '../rows/indexing.ts'
import { argSort } from '../rows/reduce.ts'
import { concat, narrow } from '../rows/view.ts'
import { associativeScan } from './scan.ts'

/**
 * For vectors of values and their places in [0, size): what `combine`, associative, makes of the values of each place in their
 * order (0 where there are none), and where there are any. It differentiates as `combine` does, so products are right at zeros
 * in every order (segmented scan: Blelloch 1990, "Prefix Sums and Their Applications", §1.5).
 */
export function combinedAt(places: Tensor, values: Tensor, size: number, combine: (earlier: Tensor, later: Tensor) => Tensor): { readonly value: Tensor; readonly hit: Tensor } {
  const n = places.size
  if (n === 0) return { value: full([size], 0, values.dtype, values.backend), hit: full([size], 0, 'bool', values.backend) }
  const order = argSort(places, 0)
  const sorted = take(places, order)
  const edge = full([1], 1, 'bool', values.backend)
  const changes = n > 1 ? [notEqual(narrow(sorted, 0, 1, n - 1), narrow(sorted, 0, 0, n - 1))] : []
  const runs = associativeScan(([s, a], [t, b]) => [logicalOr(s!, t!), select(t!, b!, combine(a!, b!))], [concat([edge, ...changes]), take(values, order)])[1]!
  const ends = concat([...changes, edge])
  return {
    value: scatterAdd(select(ends, runs, 0), sorted, size),
    hit: less(0, scatterAdd(cast(ends, 'int32'), sorted, size)),
  }
}
