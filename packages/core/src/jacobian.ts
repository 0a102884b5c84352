// Jacobians and Hessians: whole matrices of derivatives, by either mode on all basis vectors at once.

import { reshape, transpose } from './axes.ts'
import { tensor } from './create.ts'
import { fail } from './errors.ts'
import { grad, type GradOptions } from './grad.ts'
import { current } from './interpreter.ts'
import { jvp } from './jvp.ts'
import { now } from './node.ts'
import { pullbackOf, reachesBefore } from './pull.ts'
import { type Shape, sizeOf } from './shape.ts'
import { Tensor } from './tensor.ts'
import { flatten, type Tree, unflatten } from './tree.ts'
import { zerosLike } from './vector.ts'
import { vmap } from './vmap.ts'

/**
 * Which way round a Jacobian is laid out. `numerator`: [...y, ...x], so that J[i, j] = ∂yᵢ/∂xⱼ and the chain rule multiplies
 * to the left (Bishop 2006, "Pattern Recognition and Machine Learning", appendix C). `denominator`: [...x, ...y], its
 * transpose, so that the derivative of a scalar has the form of x (Goodfellow et al. 2016, "Deep Learning").
 */
export type Layout = 'numerator' | 'denominator'

/** Options of {@link jacobian}, {@link jacrev} and {@link jacfwd}. */
export interface JacobianOptions extends GradOptions {
  /** `numerator` unless given. */
  readonly layout?: Layout
}

type Rows = (f: (xs: Tensor[]) => Tensor, xs: Tensor[]) => { readonly y: Tensor; readonly jacobians: Tensor[] }

/** The unit vectors of a space: [n, ...shape] with n its size. */
function basis(like: Tensor): Tensor {
  const n = like.size
  const values = new Array<number>(n * n).fill(0)
  for (let i = 0; i < n; i++) values[i * n + i] = 1
  return tensor(values, { shape: [n, ...like.shape], dtype: like.dtype, backend: like.backend })
}

/** Pulls every unit vector of y back: one row of J each. */
const byRows: Rows = (f, xs) => {
  const { ys: [y], pullback } = pullbackOf(zs => [f(zs)], xs)
  return { y: y!, jacobians: pullRows(y!, pullback) }
}

const pullRows = (y: Tensor, pullback: (cts: readonly Tensor[]) => Tensor[]): Tensor[] => vmap((ct: Tensor) => pullback([ct]))(basis(y))

/** Pushes every unit vector of x forward: one column of J each. */
const byColumns: Rows = (f, xs) => {
  const zeros = xs.map(zerosLike)
  let y: Tensor | undefined
  const jacobians = xs.map((x, i) => {
    const columns = vmap((t: Tensor) => {
      const [value, tangent] = jvp((...zs: Tensor[]) => f(zs), xs, zeros.with(i, t))
      y = value
      return tangent
    }, { outAxes: -1 })(basis(x))
    return columns
  })
  return { y: y!, jacobians }
}

/** Rows where y is smaller than x, columns where it is not. */
const bySize: Rows = (f, xs) => {
  const { ys: [y], pullback } = pullbackOf(zs => [f(zs)], xs)
  const n = xs.reduce((sum, x) => sum + x.size, 0)
  return y!.size < n ? { y: y!, jacobians: pullRows(y!, pullback) } : byColumns(f, xs)
}

function jacobianBy<A extends readonly unknown[], K extends number>(rows: Rows, f: (...args: A) => Tensor, options: JacobianOptions & { readonly argnum?: K }): (...args: A) => A[K] {
  const { argnum = 0, layout = 'numerator' } = options
  return (...args) => {
    const by = args[argnum] as Tree
    const xs = flatten('jacobian', by)
    const since = now()
    const { y, jacobians } = rows(zs => f(...args.with(argnum, unflatten(by, zs)) as unknown as A), xs)
    const found = jacobians.map((j, i) => laidOut(j, y.shape, xs[i]!.shape, layout))
    // what the pass recorded of itself matters only where something outside is differentiated
    return unflatten(by, reachesBefore(found, since) ? found : found.map(j => j.node === null ? j : current.lift(j)))
  }
}

function laidOut(j: Tensor, y: Shape, x: Shape, layout: Layout): Tensor {
  const full = reshape(j, [...y, ...x])
  if (layout === 'numerator') return full
  return transpose(full, [...x.map((_, i) => y.length + i), ...y.map((_, i) => i)])
}

/**
 * The Jacobian of a tensor-valued function by its first argument (or `argnum`), by reverse mode: one backward pass for all
 * elements of the result. The cheaper way where the result is small. For an argument that is a tree, a tree of Jacobians.
 *
 * @example
 * ```ts
 * import { jacrev, mul, tensor } from '@bp/core'
 * jacrev(x => mul(x, x))(tensor([1, 2])) // => tensor([[2, 0], [0, 4]], float32)
 * ```
 */
export const jacrev = <A extends readonly unknown[], K extends number = 0>(f: (...args: A) => Tensor, options: JacobianOptions & { readonly argnum?: K } = {}): (...args: A) => A[K] => jacobianBy(byRows, f, options)

/** The Jacobian by forward mode: one pass for all elements of the argument. The cheaper way where the argument is small. See {@link jacrev}. */
export const jacfwd = <A extends readonly unknown[], K extends number = 0>(f: (...args: A) => Tensor, options: JacobianOptions & { readonly argnum?: K } = {}): (...args: A) => A[K] => jacobianBy(byColumns, f, options)

/**
 * The Jacobian by whichever mode takes fewer passes: reverse where the result has fewer elements than the argument, forward
 * otherwise. `layout` says which way round it is.
 *
 * @example
 * ```ts
 * import { jacobian, tensor } from '@bp/core'
 * import { matmul } from '@bp/ops'
 * const w = tensor([[1, 2, 3], [4, 5, 6]])
 * jacobian(x => matmul(w, x))(tensor([1, 1, 1])) // => tensor([[1, 2, 3], [4, 5, 6]], float32)
 * jacobian(x => matmul(w, x), { layout: 'denominator' })(tensor([1, 1, 1])).shape // => [3, 2]
 * ```
 */
export const jacobian = <A extends readonly unknown[], K extends number = 0>(f: (...args: A) => Tensor, options: JacobianOptions & { readonly argnum?: K } = {}): (...args: A) => A[K] => jacobianBy(bySize, f, options)

/**
 * The matrix of second derivatives of a scalar function by one tensor: [...x, ...x], forward over reverse.
 *
 * @example
 * ```ts
 * import { hessian, mul, tensor } from '@bp/core'
 * import { prod } from '@bp/ops'
 * hessian(x => prod(mul(x, x)))(tensor([1, 2])) // => tensor([[8, 8], [8, 2]], float32)
 * ```
 */
export function hessian<A extends readonly unknown[]>(f: (...args: A) => Tensor, { argnum = 0 }: GradOptions = {}): (...args: A) => Tensor {
  return (...args) => {
    const x = args[argnum]
    if (!(x instanceof Tensor)) return fail('value', 'hessian', 'needs a tensor to differentiate by. For a tree of parameters use hvp, or stack them in one tensor')
    if (sizeOf(x.shape) === 0) return fail('shape', 'hessian', 'the argument has no elements')
    return jacfwd((z: Tensor) => grad(f, { argnum })(...args.with(argnum, z) as unknown as A) as Tensor)(x)
  }
}
