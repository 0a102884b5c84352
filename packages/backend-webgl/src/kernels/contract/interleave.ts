// Phases of places, which a convolution computed as channels, put back side by side.

import type { Aval } from '@bp/core/extend'
import type { Device } from '../../device/device.ts'
import type { Value } from '../../device/storage.ts'
import { byElement } from '../lanes.ts'
import type { Space } from './space.ts'

/** x[planes, …sizes] from y[planes, …phases, …places], where place j of phase f belongs at f + phases · j. */
export function interleave(device: Device, y: Value, { axes }: Space, out: Aval): Value {
  const rank = axes.length
  const of = (axis: number, field: number): string => `p[${1 + 3 * axis + field}]`
  const inward = Array.from({ length: rank }, (_, i) => rank - 1 - i)
  const value = device.empty(out)
  device.compute(`interleave ${rank}`, () => ({
    inputs: 1, outputs: 1, ints: 1 + 3 * rank, floats: 0,
    code: byElement(`float at(int e) {
  int place = 0, step = 1;
  ${inward.map(axis => `int f${axis}; { int rest = quotient(e, ${of(axis, 0)}), i = e - rest * ${of(axis, 0)}, j = quotient(i, ${of(axis, 1)}); f${axis} = i - j * ${of(axis, 1)}; place += j * step; step *= ${of(axis, 2)}; e = rest; }`).join('\n')}
  ${inward.map(axis => `place += f${axis} * step; step *= ${of(axis, 1)};`).join(' ')}
  return elem0(place + e * step);
}`),
  }), [value], [y], axes.flatMap(({ phases, out: places }, i) => [out.shape[i + 2]!, phases, places]))
  return value
}
