// Contractions: tiled passes for floats, element by element what has none.

import type { Kernel } from '@bp/core/extend'
import type { DotParams } from '@bp/ops/extend'
import type { Device } from '../device/device.ts'
import { encodingOf, type Value } from '../device/storage.ts'
import { tiledDot } from './contract/dot.ts'
import { byElements } from './contract/element.ts'

/** The kernels of this file. */
export function contractions(device: Device) {
  const generic = byElements(device)
  const dot = tiledDot(device)
  return {
    ...generic,
    dot: ((xs, p, out) => {
      const multiplyAdds = xs[0]!.storage.length * out.shape.at(-1)!
      return encodingOf(out.dtype) !== 'float' || multiplyAdds < 1000 ? generic.dot(xs, p, out) : dot(xs, p, out)
    }) satisfies Kernel<Value, DotParams>,
  }
}
