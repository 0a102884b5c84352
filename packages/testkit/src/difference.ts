// Central differences, the derivative that needs no rule.

import { tensor, type Tensor } from '@bp/core'
import { numbers, type Subject } from './subject.ts'

/** (f(x + h·t) − f(x − h·t)) / 2h for each result, with the arithmetic around f in double precision. */
export async function difference(s: Subject, ts: readonly Tensor[], step: number): Promise<Float64Array[]> {
  const shifted = async (h: number): Promise<Float64Array[]> => {
    const xs = await Promise.all(s.xs.map(async (x, i) => {
      const [values, t] = [await numbers(x), await numbers(ts[i]!)]
      return tensor(values.map((value, j) => value + h * t[j]!), { shape: x.shape, dtype: x.dtype, backend: x.backend })
    }))
    return Promise.all(s.f(xs).map(numbers))
  }
  const [above, below] = [await shifted(step), await shifted(-step)]
  return above.map((y, i) => y.map((value, j) => (value - below[i]![j]!) / (2 * step)))
}
