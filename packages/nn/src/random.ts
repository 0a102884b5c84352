// The generator that layers draw from unless they are given one.

import { Generator } from '@bp/ops'

let shared: Generator | undefined

/** The generator in use by layers that were not given their own. */
export const defaultGenerator = (): Generator => shared ??= new Generator(0)

/**
 * Starts the default generator anew: the same seed gives the same layers and the same dropout.
 *
 * @example
 * ```ts
 * import { Linear, manualSeed } from '@bp/nn'
 * manualSeed(1)
 * const a = new Linear(2, 2)
 * manualSeed(1)
 * String(new Linear(2, 2).weight) === String(a.weight) // => true
 * ```
 */
export function manualSeed(seed: number): void {
  shared = new Generator(seed)
}
