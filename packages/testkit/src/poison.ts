// Poison: what a row says that it does not save is overwritten, so that a rule which reads it is found out.

import { Tensor } from '@bp/core'
import { allocate, isFloat } from '@bp/core/extend'

/** The tensors that backward from `ys` can read, wherever below they were saved. */
export function savedBy(ys: readonly Tensor[]): Set<Tensor> {
  const saved = new Set<Tensor>()
  const seen = new Set<object>()
  const pending = ys.map(y => y.node)
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node === null || seen.has(node)) continue
    seen.add(node)
    for (const value of [...node.xs ?? [], ...node.ys ?? []]) if (value instanceof Tensor) saved.add(value)
    pending.push(...node.edges)
  }
  return saved
}

/** Gives a tensor a storage of NaNs, or of the largest whole number where its dtype has no NaN. */
export function poison(x: Tensor): void {
  const data = allocate(x.dtype, x.size)
  if (isFloat(x.dtype)) (data as Float64Array).fill(NaN)
  else if (data instanceof BigInt64Array) data.fill(-1n)
  else data.fill(255)
  x.storage = x.backend.write(data, x.aval)
}
