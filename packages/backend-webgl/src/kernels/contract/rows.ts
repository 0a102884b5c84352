// Rows padded with zeros to whole texels, so that passes read four neighbours at once.

import type { Device } from '../../device/device.ts'
import type { Value } from '../../device/storage.ts'
import type { Texture } from '../../device/texture.ts'
import { withHelpers } from '../../glsl/helpers.ts'

/** A texture that a pass reads, and whether it is a passing one that is to be given back. */
export interface Source {
  readonly texture: Texture
  readonly passing: boolean
}

/** Gives passing textures back once the passes that read them were launched. */
export function letGo(device: Device, sources: readonly Source[]): void {
  for (const { texture, passing } of sources) if (passing) device.giveBack(texture)
}

/** A value as it lies. */
export const asItLies = (device: Device, x: Value): Source => ({ texture: device.textureOf(x), passing: false })

/** Rows of `length` elements in ⌈length / 4⌉ texels each: the value itself where they lie so already. */
export function alignedRows(device: Device, x: Value, length: number): Source {
  if (length % 4 === 0) return asItLies(device, x)
  const texels = Math.ceil(length / 4)
  const from = device.textureOf(x)
  const texture = device.scratch(x.length / length * texels)
  const pass = device.pass('aligned rows', () => ({
    inputs: 1, outputs: 1, ints: 3, floats: 0,
    code: withHelpers(`vec4 compute() {
  int t = texel(), row = quotient(t, p[2]), i = (t - row * p[2]) * 4, e = row * p[1] + i;
  vec4 y = vec4(elem0(e), elem0(e + 1), elem0(e + 2), elem0(e + 3));
  return mix(vec4(0.0), y, lessThan(i + ivec4(0, 1, 2, 3), ivec4(p[1])));
}`),
  }))
  device.launch(pass, [texture], [from], [length, texels])
  return { texture, passing: true }
}
