// The row: one typed value that holds everything the framework knows about an op.

import type { Abstract, Aval } from './aval.ts'
import type { Backend, HostOperand, Kernel } from './backend.ts'
import type { TypedArray } from './dtype.ts'
import { fail } from './errors.ts'
import type { Tensor } from './tensor.ts'

/** How many operands: a number, or `'n'` for a list of any length (concat). */
export type Arity = number | 'n'

/** N values of one type as a tuple; a list where the arity is `'n'` or not known. */
export type Tuple<N extends Arity, X, R extends X[] = []> =
  N extends 'n' ? X[] : number extends N ? X[] : R['length'] extends N ? R : Tuple<N, X, [...R, X]>

/** Which values a rule may read in the backward pass: operands, result, both, or only their shapes. */
export type Saves = 'none' | 'x' | 'y' | 'xy'

/** An operand as a rule sees it: a tensor where it was saved, else only its shape and dtype. */
export type SavedX<S extends Saves> = S extends 'x' | 'xy' ? Tensor : Abstract
/** The result as a rule sees it. */
export type SavedY<S extends Saves> = S extends 'y' | 'xy' ? Tensor : Abstract

/** A pullback: cotangents of the results to cotangents of the operands; `null` where there is none or none is wanted. */
export type Pullback<N extends Arity, P, S extends Saves> =
  (cts: Tensor[], xs: Tuple<N, SavedX<S>>, ys: SavedY<S>[], p: P, want: readonly boolean[]) => (Tensor | null)[]

/** A pushforward: tangents of the operands (`null` is zero) to tangents of the results. */
export type Pushforward<N extends Arity, P> =
  (ts: (Tensor | null)[], xs: Tuple<N, Tensor>, ys: Tensor[], p: P) => Tensor[]

/**
 * How an op differentiates, in one of five words. VJP and JVP follow from each; choose the weakest that is true.
 *
 * - `zero`: no derivative (sign, comparisons, random bits).
 * - `linear`: jointly linear in the operands whose `transpose` is not `null`; the others are fixed (an index, a mask)
 *   and are saved where the row says `saves: 'x'`.
 * - `multilinear`: linear in each operand by itself; the driver saves the operands that the other rules need.
 * - `map`: elementwise; `d[i]` is ∂y/∂xᵢ.
 * - `custom`: anything else; `why` says why no weaker word is true.
 */
export type Diff<N extends Arity, P, S extends Saves> =
  | { readonly kind: 'zero' }
  | { readonly kind: 'linear'; readonly transpose: Tuple<N extends 'n' ? 1 : N, ((ct: Tensor, xs: Tuple<N, SavedX<S>>, p: P, i: number) => Tensor) | null> }
  | { readonly kind: 'multilinear'; readonly transpose: Tuple<N, (ct: Tensor, xs: Tuple<N, Tensor>, p: P) => Tensor> }
  | { readonly kind: 'map'; readonly d: Tuple<N, (...a: [...Tuple<N, SavedX<S>>, SavedY<S>, NoInfer<P>]) => Tensor | number> }
  | { readonly kind: 'custom'; readonly why: string; readonly vjp: Pullback<N, P, S>; readonly jvp?: Pushforward<N, P> }

/** How `compile` may fuse an op: by the kind of its loop, never by its name. */
export type Fuse = 'map' | 'view' | 'reduce' | 'contract' | 'index' | 'source' | 'opaque'

/**
 * What `autocast` does with floating-point operands, float64 ones excepted: `low` takes them, and whole numbers that they meet, in
 * its dtype; `full` takes those of that dtype in float32; `any` computes in the type they have.
 */
export type Precision = 'low' | 'full' | 'any'

/** What an author writes for a primitive; see {@link defineOp}. */
export interface PrimitiveSpec<Name extends string, N extends Arity, P, S extends Saves> {
  /** The op's one name: function, table key, kernel, sample, docs. A plugin's begins with its domain, `acme/swirl`. */
  readonly name: Name
  readonly arity: N
  readonly fuse: Fuse
  /** The result's shape and dtype, or the error that names what is wrong with the operands. */
  readonly infer: (xs: Tuple<N, Abstract>, p: P) => Aval | Aval[]
  readonly diff: Diff<N, P, S>
  /** What `d`, `transpose` or `vjp` read; `'none'` unless given. */
  readonly saves?: S
  /** The op in terms of other ops, for backends that have no kernel for it. */
  readonly decompose?: (xs: Tuple<N, Tensor>, p: P) => Tensor | Tensor[]
  /** Kernels by backend name, for ops that a backend's author does not know of. */
  readonly kernels?: Readonly<Record<string, Kernel<never>>>
  /**
   * How `vmap` batches the op. Elementwise ops (`fuse: 'map'`) need none: they broadcast. Without one, `vmap` runs the op entry
   * by entry.
   */
  readonly batch?: BatchRule<N, P>
  /**
   * How many operations it takes, which `compile` weighs against memory. Unless given: one for each element that the op reads or
   * writes, whichever are more; of an opaque op times its longest axis.
   */
  readonly flops?: FlopCount<N, P>
  /**
   * The op on plain arrays, for every backend that has no kernel for it: operands are read from the backend, results
   * written to it. For ops that are too rare, or too sequential, for each backend to have its own.
   */
  readonly host?: HostKernel<N, P>
  /** Unless given: `low` of contractions, `full` of opaque ops, `any` of all others. */
  readonly precision?: Precision
}

/**
 * The op on a batch: operands with the batch as a new first axis where `batched` says so, and as they are where not. Returns
 * results with the batch as first axis. Written in ops, so that it differentiates.
 */
export type BatchRule<N extends Arity, P> = (xs: Tuple<N, Tensor>, batched: readonly boolean[], size: number, p: P) => Tensor | Tensor[]

/** Operations, a multiplication and an addition counting as two, by shapes of the operands and the results. */
export type FlopCount<N extends Arity, P> = (xs: Tuple<N, Abstract>, ys: readonly Abstract[], p: P) => number

/** Computes one op on plain arrays: one for each result, of the dtype and size that `infer` promised. */
export type HostKernel<N extends Arity, P> = (xs: Tuple<N, HostOperand>, p: P, out: readonly Aval[]) => TypedArray | TypedArray[]

/** What an author writes for a composite; see {@link defineComposite}. */
export interface CompositeSpec<Name extends string, N extends Arity, P, S extends Saves> {
  readonly name: Name
  readonly arity: N
  /** The op in terms of other ops: its meaning, and its derivative where no `vjp` is given. */
  readonly decompose: (xs: Tuple<N, Tensor>, p: P) => Tensor | Tensor[]
  /** The result's shape and dtype; worth giving where a backend has a kernel, else the decomposition is run on shapes. */
  readonly infer?: (xs: Tuple<N, Abstract>, p: P) => Aval | Aval[]
  /** A better pullback than the decomposition's; give one only for stability or memory, with its source. */
  readonly vjp?: Pullback<N, P, S>
  /** What `vjp` reads; `'none'` unless given. */
  readonly saves?: S
  /** Kernels by backend name that override the decomposition. */
  readonly kernels?: Readonly<Record<string, Kernel<never>>>
  /** `any` unless given. It holds for the op as a whole: what it is made of is computed in the dtypes that come. */
  readonly precision?: Precision
  /** `'opaque'` where eager mode is to run the ops one by one, never as one program: for what is long, and as long as its operands. */
  readonly fuse?: 'opaque'
}

/* A row erased of its type parameters, as interpreters and rules handle it. */
type AnyDiff =
  | { readonly kind: 'zero' }
  | { readonly kind: 'linear'; readonly transpose: readonly (((ct: Tensor, xs: Abstract[], p: unknown, i: number) => Tensor) | null)[] }
  | { readonly kind: 'multilinear'; readonly transpose: readonly ((ct: Tensor, xs: Abstract[], p: unknown) => Tensor)[] }
  | { readonly kind: 'map'; readonly d: readonly ((...a: unknown[]) => Tensor | number)[] }
  | { readonly kind: 'custom'; readonly why: string; readonly vjp: AnyPullback; readonly jvp?: AnyPushforward }
  | { readonly kind: 'composite' }
type AnyPullback = (cts: Tensor[], xs: Abstract[], ys: Abstract[], p: unknown, want: readonly boolean[]) => (Tensor | null)[]
type AnyPushforward = (ts: (Tensor | null)[], xs: Tensor[], ys: Tensor[], p: unknown) => Tensor[]
type AnyDecompose = (xs: Tensor[], p: unknown) => Tensor | Tensor[]
type AnyBatch = (xs: Tensor[], batched: readonly boolean[], size: number, p: unknown) => Tensor | Tensor[]
type AnyFlops = (xs: readonly Abstract[], ys: readonly Abstract[], p: unknown) => number
type AnyHost = (xs: HostOperand[], p: unknown, out: readonly Aval[]) => TypedArray | TypedArray[]
type AnyInfer = (xs: readonly Abstract[], p: unknown) => Aval | Aval[]

/** One op. Made by {@link defineOp} or {@link defineComposite}; the type parameters keep the author's types. */
export class Row<Name extends string = string, N extends Arity = Arity, P = unknown> {
  readonly name: Name
  readonly arity: N
  readonly fuse: Fuse | 'composite'
  readonly saves: Saves
  /** `null` in most composites: their shape is found by running the decomposition on shapes. */
  readonly infer: AnyInfer | null
  readonly diff: AnyDiff
  readonly decompose: AnyDecompose | null
  readonly vjp: AnyPullback | null
  readonly kernels: Readonly<Record<string, Kernel<never>>> | null
  readonly host: AnyHost | null
  readonly batch: AnyBatch | null
  readonly flops: AnyFlops | null
  readonly precision: Precision
  /** The kernel last looked up and the backend it belongs to: eager mode's inline cache. */
  backend: Backend | null = null
  kernel: Kernel | null = null
  /** Keeps the parameter type; never set. */
  declare readonly params: P

  constructor(name: Name, arity: N, fuse: Fuse | 'composite', saves: Saves, infer: AnyInfer | null, diff: AnyDiff, decompose: AnyDecompose | null, vjp: AnyPullback | null, kernels: Readonly<Record<string, Kernel<never>>> | null, host: AnyHost | null, batch: AnyBatch | null, flops: AnyFlops | null, precision: Precision) {
    this.name = name
    this.arity = arity
    this.fuse = fuse
    this.saves = saves
    this.infer = infer
    this.diff = diff
    this.decompose = decompose
    this.vjp = vjp
    this.kernels = kernels
    this.host = host
    this.batch = batch
    this.flops = flops
    this.precision = precision
  }
}

/** A primitive's row, with its kind of loop in the type so that backends can list their map ops. */
export type Primitive<Name extends string, N extends Arity, P, F extends Fuse> = Row<Name, N, P> & { readonly fuse: F }

/** A row of any name, arity and parameters. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- P is invariant; erasing it needs `any`
export type AnyRow = Row<string, any, any>

/**
 * Defines a primitive: shapes, derivative and fusion in one value, from which VJP, JVP and every higher order follow.
 *
 * @example
 * ```ts
 * import { tensor, mul, grad } from '@bp/core'
 * import { bind, defineOp } from '@bp/core/extend'
 * // y = x³,   dy/dx = 3x²
 * const cube = defineOp({
 *   name: 'acme/cube', arity: 1, fuse: 'map', saves: 'x',
 *   infer: ([x]) => x.aval,
 *   diff: { kind: 'map', d: [x => mul(3, mul(x, x))] },
 *   decompose: ([x]) => mul(x, mul(x, x)),
 * })
 * grad(x => bind(cube, [x], undefined))(tensor(2)) // => tensor(12, float32)
 * ```
 */
export function defineOp<const Name extends string, N extends Arity, F extends Fuse, P = void, S extends Saves = 'none'>(
  spec: PrimitiveSpec<Name, N, P, S> & { readonly arity: N; readonly fuse: F; readonly saves?: S },
): Primitive<Name, N, P, F> {
  const { name, arity, fuse, saves = 'none', infer, diff, decompose = null, kernels = null, host = null, batch = null, flops = null, precision = fuse === 'contract' ? 'low' : fuse === 'opaque' ? 'full' : 'any' } = spec
  if (diff.kind === 'custom' && diff.why === '') fail('value', name, 'a custom derivative needs a sentence in `why` that says why no weaker word is true')
  return new Row<Name, N, P>(name, arity, fuse, saves, infer as AnyInfer, diff as unknown as AnyDiff, decompose as AnyDecompose | null, null, kernels, host as AnyHost | null, batch as AnyBatch | null, flops as AnyFlops | null, precision) as Primitive<Name, N, P, F>
}

/**
 * Defines a composite: an op written in other ops, which a backend may override with a fused kernel.
 *
 * @example
 * ```ts
 * import { tensor, mul, add, grad } from '@bp/core'
 * import { bind, defineComposite } from '@bp/core/extend'
 * // y = x² + x
 * const bump = defineComposite({ name: 'acme/bump', arity: 1, decompose: ([x]) => add(mul(x, x), x) })
 * grad(x => bind(bump, [x], undefined))(tensor(3)) // => tensor(7, float32)
 * ```
 */
export function defineComposite<const Name extends string, N extends Arity, P = void, S extends Saves = 'none'>(
  spec: CompositeSpec<Name, N, P, S>,
): Row<Name, N, P> {
  const { name, arity, saves = 'none', infer = null, decompose, vjp = null, kernels = null, fuse = 'composite', precision = 'any' } = spec
  return new Row<Name, N, P>(name, arity, fuse, vjp ? saves : 'x', infer as AnyInfer | null, { kind: 'composite' }, decompose as AnyDecompose, vjp as AnyPullback | null, kernels, null, null, null, precision)
}
