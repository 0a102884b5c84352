// The places of the largest elements of sliding windows.

import { type Kernel, stridesOf } from '@bp/core/extend'
import type { PoolGeometry } from '@bp/ops/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { byElement } from './lanes.ts'
import { PoolSource } from './windowsScatter.ts'

const poolArgMax = (device: Device): Kernel<Value, PoolGeometry> => ([x], p, out) => {
  const value = device.empty(out)
  value.known = new PoolSource(p, x!.shape, out.shape)
  const rank = p.kernel.length
  const strides = stridesOf(x!.shape)
  const whole = x!.dtype === 'int32'
  // of each axis: places, kernel, stride, low, dilation, size, stride in memory
  const numbers = p.kernel.flatMap((kernel, i) => [out.shape[i + 2]!, kernel, p.stride[i]!, p.padding[i]![0], p.dilation[i]!, x!.shape[i + 2]!, strides[i + 2]!])
  const of = (axis: number, field: number): string => `p[${2 + 7 * axis + field}]`
  const axes = Array.from({ length: rank }, (_, i) => i)
  const first = axes.toReversed().map(i => `int o${i}; { int o = quotient(e, ${of(i, 0)}); o${i} = (e - o * ${of(i, 0)}) * ${of(i, 2)} - ${of(i, 3)}; e = o; }`)
  const loops = axes.map(i => `for (int k${i} = 0; k${i} < ${of(i, 1)}; k${i}++) { int c${i} = o${i} + k${i} * ${of(i, 4)}; if (c${i} < 0 || c${i} >= ${of(i, 5)}) continue;`)
  device.compute(`poolArgMax ${rank} ${x!.dtype}`, () => ({
    inputs: 1, outputs: 1, ints: 2 + 7 * rank, floats: 0,
    code: byElement(`float at(int e) {
  ${first.join(' ')}
  int base = e * p[1], y = -1;
  ${whole ? 'int best = 0;' : 'float best = 0.0;'}
  ${loops.join('\n')}
  int at = base${axes.map(i => ` + c${i} * ${of(i, 6)}`).join('')};
  ${whole ? 'int x = floatBitsToInt(elem0(at));' : 'float x = elem0(at);'}
  if (y < 0 || x > best${whole ? '' : ' || (isnan(x) && !isnan(best))'}) { best = x; y = at; }
  ${axes.map(() => '}').join(' ')}
  return intBitsToFloat(y);
}`),
  }), [value], [x!.storage], [strides[1]!, ...numbers])
  return value
}

/** The kernels of this file. */
export const windows = (device: Device) => ({ poolArgMax: poolArgMax(device) })
