// Saved-tensor hooks: something else than the graph keeps what the backward pass will read.

import type { Abstract, Aval } from './aval.ts'
import type { DType } from './dtype.ts'
import { fail } from './errors.ts'
import { type Packed, type Saver, saver, withSaver } from './node.ts'
import { handingOut } from './ownership.ts'
import { describe, type Shape } from './shape.ts'
import { synchronous } from './synchronous.ts'
import type { Tensor } from './tensor.ts'
import { tensorsIn } from './tree.ts'

/** A saved tensor in the form that `pack` gave it. */
class Held<P> implements Packed {
  readonly aval: Aval
  private readonly value: P
  private readonly open: (value: P) => Tensor

  constructor(aval: Aval, value: P, open: (value: P) => Tensor) {
    this.aval = aval
    this.value = value
    this.open = open
  }

  get shape(): Shape {
    return this.aval.shape
  }

  get dtype(): DType {
    return this.aval.dtype
  }

  get held(): readonly Abstract[] {
    return tensorsIn(this.value)
  }

  unpack(): Tensor {
    const x = handingOut([], () => this.open(this.value))
    if (describe(x) !== describe(this.aval)) fail('shape', 'savedTensorsHooks', `unpack returned ${describe(x)} for a tensor saved as ${describe(this.aval)}. Return a tensor alike`)
    return x
  }
}

/**
 * Runs `f`; each tensor that an op in it saves for the backward pass is given to `pack`, and what that returns is kept in
 * its place until `unpack` turns it back into a tensor: to keep activations elsewhere or smaller. Variables are not packed.
 * What `unpack` returns is connected to the graph only as far as it says itself: return the tensor given to `pack`, or one
 * computed from it, where derivatives of a higher order are wanted. PyTorch's `saved_tensors_hooks`.
 *
 * @example
 * ```ts
 * import { tensor, mul, savedTensorsHooks } from '@bp/core'
 * const x = tensor(3, { requiresGrad: true })
 * const shapes = []
 * const y = savedTensorsHooks(x => { shapes.push(x.toArray()); return x }, x => x, () => mul(x, x))
 * y.backward()
 * shapes // => [3, 3]
 * x.grad // => tensor(6, float32)
 * ```
 */
export function savedTensorsHooks<P, R>(pack: (x: Tensor) => P, unpack: (packed: P) => Tensor, f: () => R): R {
  const outer = saver
  const inner: Saver = {
    // what the hooks themselves compute is not packed
    save: (x): Abstract => new Held(x.aval, withSaver(null, () => pack(x)), unpack),
    assigning: variable => { outer?.assigning(variable) },
  }
  return withSaver(inner, () => synchronous('savedTensorsHooks', f()))
}
