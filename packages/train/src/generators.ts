// The random generators inside a model, for checkpoints.

import type { AnyModule } from '@bp/nn'
import { Generator } from '@bp/ops'

/**
 * The generators that a model's modules hold in their fields, each once, by the path of the first field: what dropout with a
 * generator of its own draws from.
 *
 * @example
 * ```ts
 * import { Dropout, Sequential } from '@bp/nn'
 * import { Generator } from '@bp/ops'
 * import { generatorsOf } from '@bp/train'
 * Object.keys(generatorsOf(new Sequential(new Dropout(0.5, { generator: new Generator(1) })))) // => [0.generator]
 * ```
 */
export function generatorsOf(model: AnyModule): Readonly<Record<string, Generator>> {
  const found = new Map<Generator, string>()
  for (const [path, module] of model.namedModules()) {
    for (const [field, value] of Object.entries(module)) {
      if (value instanceof Generator && !found.has(value)) found.set(value, path === '' ? field : `${path}.${field}`)
    }
  }
  return Object.fromEntries([...found].map(([generator, name]) => [name, generator]))
}
