// Tensors from nothing: fill, iota, and random bits by Philox.

import { type Aval, convert, type FillParams, type Kernel } from '@bp/core/extend'
import type { DType, Shape } from '@bp/core'
import type { Device } from '../device/device.ts'
import { toUniform } from '../device/encode.ts'
import type { Value } from '../device/storage.ts'
import { encode } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'

/** Elements up to which a constant stays on this side until a pass reads it. */
const fewest = 4

/** One number everywhere. */
export function filled(device: Device, out: Pick<Aval, 'shape' | 'dtype'>, number: number): Value {
  const data = convert([number], out.dtype)
  const value = device.empty(out)
  if (value.length <= fewest) {
    value.host = convert(Array.from({ length: value.length }, () => number), out.dtype)
    return value
  }
  // bits of whole numbers may be those of a NaN, which floats do not carry from here
  if (out.dtype === 'int32') device.compute('fill int', () => ({ inputs: 0, outputs: 1, ints: 2, floats: 0, code: 'vec4 compute() { return intBitsToFloat(ivec4(p[1])); }' }), [value], [], [data[0] as number])
  else device.compute('fill', () => ({ inputs: 0, outputs: 1, ints: 1, floats: 1, code: 'vec4 compute() { return vec4(q[0]); }' }), [value], [], [], [toUniform(data, out.dtype)])
  return value
}

const fill = (device: Device): Kernel<Value, FillParams> => (_xs, p, out) => filled(device, out, p.value)

const iota = (device: Device): Kernel<Value, { readonly length: number; readonly dtype: DType }> => (_xs, _p, out) => {
  const value = device.empty(out)
  const count = 'ivec4 i = texel() * 4 + ivec4(0, 1, 2, 3);'
  const numbers = out.dtype === 'bool' ? 'vec4(notEqual(i, ivec4(0)))' : out.dtype === 'int32' || out.dtype === 'uint8' ? 'i' : 'vec4(i)'
  device.compute(`iota ${out.dtype}`, () => ({ inputs: 0, outputs: 1, ints: 1, floats: 0, code: withHelpers(`vec4 compute() { ${count} return ${encode(numbers, out.dtype)}; }`) }), [value], [])
  return value
}

/* Philox 4×32 with ten rounds (Salmon, Moraes, Dror & Shaw 2011); products of 32 bits by halves, for GLSL ES 3.00 keeps their low words only. */
const philox = `
uvec2 product(uint a, uint b) {
  uint al = a & 0xffffu, ah = a >> 16u, bl = b & 0xffffu, bh = b >> 16u;
  uint low = al * bl, m = ah * bl + (low >> 16u), n = al * bh + (m & 0xffffu);
  return uvec2(ah * bh + (m >> 16u) + (n >> 16u), a * b);
}
uint bits(uint counter, uvec2 key) {
  uvec4 w = uvec4(counter, 0u, 0u, 0u);
  for (int round = 0; round < 10; round++) {
    uvec2 s = product(0xD2511F53u, w.x), t = product(0xCD9E8D57u, w.z);
    w = uvec4(t.x ^ w.y ^ key.x, t.y, s.x ^ w.w ^ key.y, s.y);
    key += uvec2(0x9E3779B9u, 0xBB67AE85u);
  }
  return w.x >> 8u;
}
vec4 compute() {
  uvec2 key = floatBitsToUint(fetch0(0).xy);
  uint i = uint(texel()) * 4u;
  return intBitsToFloat(ivec4(bits(i, key), bits(i + 1u, key), bits(i + 2u, key), bits(i + 3u, key)));
}`

const randomBits = (device: Device): Kernel<Value, { readonly shape: Shape }> => ([key], _p, out) => {
  const value = device.empty(out)
  device.compute('randomBits', () => ({ inputs: 1, outputs: 1, ints: 1, floats: 0, code: withHelpers(philox) }), [value], [key!.storage])
  return value
}

/** The kernels of this file. */
export const sources = (device: Device) => ({ fill: fill(device), iota: iota(device), randomBits: randomBits(device) })
