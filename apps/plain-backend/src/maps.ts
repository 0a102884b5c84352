// Elementwise kernels: the scalar table walked along operands that broadcast by steps of 0.

import type { Kernel } from '@bp/core/extend'
import type { MapName } from '@bp/ops/extend'
import { type Scalar, scalarOf, scalars } from './scalar.ts'
import { broadcast, eachRow, lastStep, rounded, type View, zeros } from './view.ts'

/** The kernel of one line of the table. */
const map = (name: MapName): Kernel<View, unknown> => (xs, _p, out) => {
  const f: Scalar = scalarOf(name, xs[0]!.dtype)
  const views = xs.map(x => broadcast(x.storage, x.shape, out.shape))
  const data = zeros(out.shape)
  const [a, b = a, c = a] = views as [View, View?, View?]
  const [p, q, r] = [lastStep(a), lastStep(b), lastStep(c)]
  let next = 0
  eachRow(out.shape, [a, b, c], ([i, j, k], n) => {
    for (let m = 0; m < n; m++) data[next++] = Number(f(a.data[i! + m * p]!, b.data[j! + m * q]!, c.data[k! + m * r]!))
  })
  return rounded(data, out)
}

/** Every elementwise kernel. */
export const maps = Object.fromEntries((Object.keys(scalars) as MapName[]).map(name => [name, map(name)])) as Readonly<Record<MapName, Kernel<View, unknown>>>
