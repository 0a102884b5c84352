// Emitters of pooling, also over windows that are as large as an image of open size, or that reach over its end.

import { type AvgPoolParams, convSize, type PoolGeometry } from '@bp/ops/extend'
import { type Emission, type Emitter, everyParams, fixedParams } from './emit.ts'
import { poolAttributes } from './maps.ts'

/** Whether the one window is the whole image. */
const isGlobal = (e: Emission, all: readonly PoolGeometry[]): boolean => all.every((p, k) =>
  p.kernel.every((n, i) => n === e.xs[0]!.sizes[i + 2]![k] && p.padding[i]!.every(m => m === 0) && p.dilation[i] === 1 && e.ys[0]!.sizes[i + 2]![k] === 1))

/** The sizes that come of windows whose last one may reach over the end, if it starts before it (PyTorch's rule). */
function ceilSize(size: number, kernel: number, stride: number, [low, high]: readonly [number, number], dilation: number): number {
  const floor = convSize(size, kernel, 1, [low, high], dilation)
  const count = Math.ceil((floor - 1) / stride) + 1
  return (count - 1) * stride >= size + low ? count - 1 : count
}

/** Parameters without what the last windows reach over, where that differs from size to size; `null` where they differ otherwise. */
function ceiled<P extends PoolGeometry>(e: Emission, all: readonly P[], base: readonly (readonly [number, number])[]): { readonly p: P; readonly ceil: boolean } | null {
  const texts = new Set(all.map(p => JSON.stringify(p)))
  if (texts.size === 1) return { p: all[0]!, ceil: false }
  const p: P = { ...all[0]!, padding: base }
  const others = new Set(all.map(q => JSON.stringify({ ...q, padding: base })))
  const fits = all.every((q, k) => q.kernel.every((n, i) => q.padding[i]![0] === base[i]![0] && ceilSize(e.xs[0]!.sizes[i + 2]![k]!, n, q.stride[i]!, base[i]!, q.dilation[i]!) === e.ys[0]!.sizes[i + 2]![k]))
  return others.size === 1 && fits ? { p, ceil: true } : null
}

/** The largest of each window. */
export const maxPool: Emitter = (b, e) => {
  const all = everyParams<PoolGeometry>(e)
  if (isGlobal(e, all)) return b.add('GlobalMaxPool', e.inputs)
  const found = ceiled(e, all, all[0]!.padding.map(([low]) => [low, low] as const))
  const p = found?.p ?? fixedParams<PoolGeometry>(e)
  return b.add('MaxPool', e.inputs, { ...poolAttributes(p), ...found?.ceil && { ceil_mode: 1 } })
}

/** The mean of each window. */
export const avgPool: Emitter = (b, e) => {
  const every = everyParams<AvgPoolParams>(e)
  if (isGlobal(e, every)) return b.add('GlobalAveragePool', e.inputs)
  const { counted } = every[0]!
  const none = counted.every(([low, high]) => low === 0 && high === 0)
  const found = ceiled(e, every, none ? every[0]!.padding.map(([low]) => [low, low] as const) : counted)
  const p = found?.p ?? fixedParams<AvgPoolParams>(e)
  const all = p.counted.every(([low, high], i) => low === p.padding[i]![0] && high === p.padding[i]![1])
  if ((!all && !none) || p.dilation.some(n => n !== 1)) return null
  return b.add('AveragePool', e.inputs, { ...poolAttributes(p), count_include_pad: Number(all), ...found?.ceil && { ceil_mode: 1 } })
}
