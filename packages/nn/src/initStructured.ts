// Initialisers with a structure: identities, orthogonal matrices, matrices that are mostly zero.

import { mul, type Shape, type Tensor, tensor } from '@bp/core'
import { fail, sizeOf } from '@bp/core/extend'
import { argSort, cast, diagonal, equal, iota, less, logicalAnd, qr, reshape, select, transpose } from '@bp/ops'
import { type InitOptions, normal } from './init.ts'
import { defaultGenerator } from './random.ts'

/**
 * Ones on the diagonal of a matrix, zeros elsewhere: a linear layer that gives back what it gets.
 *
 * @example
 * ```ts
 * import { eye } from '@bp/nn'
 * eye([2, 3]) // => tensor([[1, 0, 0], [0, 1, 0]], float32)
 * ```
 */
export function eye(shape: Shape, { dtype = 'float32' }: Pick<InitOptions, 'dtype'> = {}): Tensor {
  const [rows, columns] = matrix('eye', shape)
  return cast(equal(reshape(iota(rows), [rows, 1]), iota(columns)), dtype)
}

function matrix(op: string, shape: Shape): readonly [rows: number, columns: number] {
  return shape.length === 2 ? shape as [number, number] : fail('shape', op, `needs the shape of a matrix, got [${shape.join(',')}]`)
}

/**
 * A convolution that gives back its input: for each output channel, 1 at the centre of the kernel of the input channel of the same
 * number, in each of the groups; weight [out, in/groups, …kernel] (Zagoruyko & Komodakis 2017, "DiracNets", §3).
 *
 * @example
 * ```ts
 * import { dirac } from '@bp/nn'
 * dirac([2, 2, 3]) // => tensor([[[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 1, 0]]], float32)
 * ```
 */
export function dirac(shape: Shape, { groups = 1, dtype = 'float32' }: Pick<InitOptions, 'dtype'> & { readonly groups?: number } = {}): Tensor {
  const [out, perGroup, ...kernel] = shape as [number, number, ...number[]]
  if (shape.length < 3 || shape.length > 5) fail('shape', 'dirac', `needs the weight of a convolution over one to three axes, got [${shape.join(',')}]`)
  if (out % groups !== 0) fail('value', 'dirac', `${out} output channels do not divide into ${groups} groups`)
  const own = tensor(Int32Array.from({ length: out }, (_, i) => i % (out / groups)), { shape: [out, 1, ...kernel.map(() => 1)] })
  const along = (size: number, axis: number): Tensor => reshape(iota(size), shape.map((_, i) => i === axis ? size : 1))
  const central = kernel.map((size, i) => equal(along(size, i + 2), Math.floor(size / 2)))
  return cast(central.reduce(logicalAnd, equal(own, along(perGroup, 1))), dtype)
}

/**
 * Orthonormal rows or columns, whichever are fewer, times a gain; axes after the first count as one (Saxe et al. 2014, "Exact
 * solutions to the nonlinear dynamics of learning in deep linear neural networks"): the Q of a normal matrix, with the signs that
 * make it evenly distributed (Mezzadri 2007).
 *
 * @example
 * ```ts
 * import { Linear, orthogonal } from '@bp/nn'
 * const layer = new Linear(4, 4)
 * layer.weight.assign(orthogonal(layer.weight.shape, { gain: Math.SQRT2 }))
 * ```
 */
export function orthogonal(shape: Shape, { gain = 1, ...options }: InitOptions & { readonly gain?: number } = {}): Tensor {
  if (shape.length < 2) fail('shape', 'orthogonal', `needs a weight with at least two axes, got [${shape.join(',')}]`)
  const rows = shape[0]!
  const columns = sizeOf(shape.slice(1))
  const [q, r] = qr(normal([Math.max(rows, columns), Math.min(rows, columns)], 1, options))
  const even = mul(q, mul(select(less(diagonal(r), 0), -1, 1), gain))
  return reshape(rows < columns ? transpose(even) : even, shape)
}

/** Options of {@link sparse}. */
export interface SparseOptions extends InitOptions {
  /** The standard deviation of what is not zero; 0.01 unless given. */
  readonly std?: number
}

/** A normal matrix with a share of zeros in each column, at random rows (Martens 2010, "Deep learning via Hessian-free optimization", §5). */
export function sparse(shape: Shape, sparsity: number, { std = 0.01, generator = defaultGenerator(), dtype }: SparseOptions = {}): Tensor {
  const [rows] = matrix('sparse', shape)
  if (!(sparsity >= 0 && sparsity <= 1)) fail('value', 'sparse', `the share of zeros must be between 0 and 1, got ${sparsity}`)
  return select(less(argSort(generator.bits(shape), 0), Math.ceil(sparsity * rows)), 0, normal(shape, std, { generator, dtype }))
}
