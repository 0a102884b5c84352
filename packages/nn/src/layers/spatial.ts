// What layers over spatial axes ask of their input.

import type { Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'

/** Throws where x is neither [n, channels, …] nor [channels, …] with so many spatial axes. */
export function checkSpatial(layer: string, x: Tensor, axes: number, channels: number): void {
  if (x.rank < axes + 1 || x.rank > axes + 2 || x.shape[x.rank - axes - 1] !== channels) {
    fail('shape', layer, `needs [n, ${channels}, …] with ${axes} spatial ${axes === 1 ? 'axis' : 'axes'}, or [${channels}, …] without a batch, got ${describe(x)}. Move or add the axis of channels with transpose or unsqueeze`)
  }
}
