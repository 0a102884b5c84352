// Automatic mixed precision: products in float16, what needs range in float32, by a field of each op's row.

import { cast, promote, promoteTypes } from './cast.ts'
import { type DType, isFloat } from './dtype.ts'
import { fail } from './errors.ts'
import { type Casting, casting, current, withCasting } from './interpreter.ts'
import { open } from './ownership.ts'
import type { AnyRow } from './row.ts'
import { synchronous } from './synchronous.ts'
import type { Tensor } from './tensor.ts'

const low = 'float16'

/** Options of {@link autocast}. */
export interface AutocastOptions {
  /** What products are computed in: float16, the one narrow type here. */
  readonly dtype?: 'float16'
  /** `false` turns it off for `f`, also inside of another `autocast`; true unless given. */
  readonly enabled?: boolean
}

/** A cast of a leaf, and what it was made of. */
interface Kept {
  readonly y: Tensor
  readonly version: number
  readonly recording: boolean
}

class Autocast implements Casting {
  private readonly leaves = new WeakMap<Tensor, Kept>()

  operands(row: AnyRow, xs: Tensor[]): Tensor[] {
    if (row.precision === 'any') return xs
    if (row.precision === 'full') return xs.some(x => x.dtype === low) ? xs.map(full) : xs
    const met = xs.reduce<DType>((all, x) => promoteTypes(all, x.dtype), xs[0]!.dtype)
    return isFloat(met) && met !== 'float64' ? xs.map(x => this.lower(x)) : promote(xs)
  }

  anew(): Casting {
    return new Autocast()
  }

  /** A leaf that is used several times is cast once, as long as it holds the same. */
  lower(x: Tensor): Tensor {
    // a traced program finds casts that it has already by itself
    if (x.node?.row !== null || current.outer !== null) return cast(x, low)
    const kept = this.leaves.get(x)
    if (kept?.version === x.version && kept.recording === current.recording && usable(kept, x)) return kept.y
    const y = cast(x, low)
    this.leaves.set(x, { y, version: x.version, recording: current.recording })
    if (x.backend.free) open?.atEnd(() => { this.leaves.delete(x) })
    return y
  }
}

/** Whether a backward pass through the cast still reaches the leaf: not where an earlier pass has freed it. */
const usable = ({ y: { node }, recording }: Kept, x: Tensor): boolean => !recording || (node?.xs && node.edges[0] === x.node) === true

const full = (x: Tensor): Tensor => x.dtype === low ? cast(x, 'float32') : x

/**
 * Runs `f` in mixed precision, as PyTorch's `autocast` of the same name on a GPU: products and convolutions take their operands in
 * float16 and give float16; exponentials, logarithms, powers, sums, softmax, norms and losses take float32; all else computes
 * in the type it is given, where types meet in the wider one. On the CPU float16 is how numbers are kept and rounded: a
 * product's own sums are in float32. Parameters stay float32 and get float32 gradients; derivatives are computed in the types of
 * the forward pass. Call `backward` outside or inside, as you like. Gradients below 6·10⁻⁸ are 0 in float16: train with a
 * `GradScaler`. `f` must not be async.
 *
 * @example
 * ```ts
 * import { autocast, tensor } from '@bp/core'
 * import { exp, matmul } from '@bp/ops'
 * const x = tensor([[1, 2]]), w = tensor([[0.1], [0.2]])
 * autocast(() => matmul(x, w)) // => tensor([[0.5]], float16)
 * autocast(() => exp(matmul(x, w))).dtype // => float32
 * autocast(() => autocast(() => matmul(x, w), { enabled: false })).dtype // => float32
 * ```
 */
export function autocast<R>(f: () => R, { dtype = low, enabled = true }: AutocastOptions = {}): R {
  const asked: string = dtype
  if (asked !== low) fail('dtype', 'autocast', `cannot compute products in ${asked}: there is no bfloat16 here, and wider types gain nothing. Use 'float16' with a GradScaler`)
  const by = enabled ? casting ?? new Autocast() : null
  return withCasting(by, () => synchronous('autocast', f()))
}

/**
 * What is added to the product y (a bias) in y's own type where `autocast` made that float16, else as it is: so that a layer of a
 * product and a bias is one function with a float16 result.
 */
export const besideProduct = (y: Tensor, bias: Tensor): Tensor => casting !== null && y.dtype === low && isFloat(bias.dtype) ? cast(bias, low) : bias

/** x in float32 where `autocast` is on and x float16, else as it is: for functions that need range and are made of ops that do not. */
export const fullPrecision = (x: Tensor): Tensor => casting === null ? x : full(x)

/** Whether `autocast` will bring operands of a product to one type, so that they need not meet before. */
export const meetsInProduct = (): boolean => casting !== null
