// The way back of max pooling: each element asks the windows that cover it whether it was their largest.

import type { Shape } from '@bp/core'
import { type Aval, stridesOf } from '@bp/core/extend'
import type { PoolGeometry } from '@bp/ops/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { encode } from '../glsl/body.ts'
import { byElement, isWhole, lanesOf } from './lanes.ts'

/** What is known of the places that poolArgMax found: each lies in its own window. */
export class PoolSource {
  readonly geometry: PoolGeometry
  /** The shape of what was pooled, and of the places. */
  readonly shape: Shape
  readonly pooled: Shape

  constructor(geometry: PoolGeometry, shape: Shape, pooled: Shape) {
    this.geometry = geometry
    this.shape = shape
    this.pooled = pooled
  }
}

/** Of which pooling an index is the result; `null` where of none. */
export const poolSource = ({ known }: Value): PoolSource | null => known instanceof PoolSource ? known : null

/** Values added at the places of a pooling. */
export function scatterPooled(device: Device, x: Value, index: Value, { geometry: g, shape, pooled }: PoolSource, out: Aval): Value {
  const value = device.empty(out)
  const rank = g.kernel.length
  const steps = stridesOf(pooled)
  // of each axis: size, places, reach of a window, stride, low padding, stride among the places
  const numbers = g.kernel.flatMap((kernel, i) => [shape[i + 2]!, pooled[i + 2]!, (kernel - 1) * g.dilation[i]!, g.stride[i]!, g.padding[i]![0], steps[i + 2]!])
  const of = (axis: number, field: number): string => `p[${2 + 6 * axis + field}]`
  const axes = g.kernel.map((_, i) => i)
  // windows [first, last] of each axis reach over the element
  const ranges = axes.toReversed().map(i => `int f${i}, l${i}; { int o = quotient(e, ${of(i, 0)}), c = e - o * ${of(i, 0)} + ${of(i, 4)}; l${i} = min(quotient(c, ${of(i, 3)}), ${of(i, 1)} - 1); f${i} = c <= ${of(i, 2)} ? 0 : quotient(c - ${of(i, 2)} + ${of(i, 3)} - 1, ${of(i, 3)}); e = o; }`)
  const loops = axes.map(i => `for (int w${i} = f${i}; w${i} <= l${i}; w${i}++)`)
  const [one, zero] = isWhole(out.dtype) ? ['int', '0'] : ['float', '0.0']
  const read = out.dtype === 'int32' ? 'floatBitsToInt(elem0(at))' : `${one}(elem0(at))`
  device.compute(`scatterAdd pooled ${rank} ${out.dtype}`, () => ({
    inputs: 2, outputs: 1, ints: 2 + 6 * rank, floats: 0,
    code: byElement(`float at(int e) {
  int own = e;
  ${ranges.join('\n  ')}
  ${one} y = ${zero};
  ${loops.join(' ')} {
    int at = e * p[1]${axes.map(i => ` + w${i} * ${of(i, 5)}`).join('')};
    if (floatBitsToInt(elem1(at)) == own) y += ${read};
  }
  return ${encode(`${lanesOf(out.dtype)}(y)`, out.dtype)}.x;
}`),
  }), [value], [x, index], [steps[1]!, ...numbers])
  return value
}
