// A module as a function of its parameters.

import type { Tensor, Variable } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { type AnyModule, type Module, type Put, visitPlaces } from './module.ts'

/**
 * Runs a module's forward pass with other tensors in place of the parameters and buffers of the given names, the rest as they
 * are; the module itself is unchanged afterwards. So a model can be differentiated by `grad`, `jvp` or `hvp`, updated
 * in an inner loop that is differentiated itself, or run under `vmap` with many sets of weights. Tied weights are replaced
 * together. As `torch.func.functional_call`. Throws where a name is unknown or a shape differs.
 *
 * @example
 * ```ts
 * import { grad, tensor, type Tensor } from '@bp/core'
 * import { sum } from '@bp/ops'
 * import { functionalCall, Linear } from '@bp/nn'
 * const layer = new Linear(2, 1)
 * const loss = (weight: Tensor) => sum(functionalCall(layer, { weight }, tensor([[3, 4]])))
 * grad(loss)(tensor([[0, 0]])) // => tensor([[3, 4]], float32)
 * ```
 */
export function functionalCall<Args extends readonly unknown[], Result>(module: Module<Args, Result>, values: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>, ...args: Args): Result {
  const given: ReadonlyMap<string, Tensor> = values instanceof Map ? values as ReadonlyMap<string, Tensor> : new Map(Object.entries(values as Readonly<Record<string, Tensor>>))
  const places = placesOf(module)
  const replaced = [...given].map(([name, value]) => {
    const variable = places.names.get(name)
    if (!variable) return fail('value', 'functionalCall', `the module has no parameter or buffer named ${name}; it has ${[...places.names.keys()].join(', ') || 'none'}. Use the names of namedParameters()`)
    if (value.shape.join() !== variable.shape.join()) fail('shape', 'functionalCall', `${name} is ${describe(variable)}, its replacement ${describe(value)}. Give a tensor of the same shape`)
    return { variable, value }
  })
  try {
    for (const { variable, value } of replaced) for (const put of places.puts.get(variable)!) put(value)
    return module.forward(...args)
  } finally {
    for (const { variable } of replaced) for (const put of places.puts.get(variable)!) put(variable)
  }
}

interface Places {
  readonly names: ReadonlyMap<string, Variable>
  readonly puts: ReadonlyMap<Variable, readonly Put[]>
}

/** Every name of every variable, and how to put something else in each of its places. */
function placesOf(module: AnyModule): Places {
  const names = new Map<string, Variable>()
  const puts = new Map<Variable, Put[]>()
  visitPlaces(module, {
    variable: (name, variable, put) => {
      names.set(name, variable)
      puts.set(variable, [...puts.get(variable) ?? [], put])
    },
  })
  return { names, puts }
}
