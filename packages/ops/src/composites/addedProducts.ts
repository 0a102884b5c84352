// Sums of a tensor and a product of two others, each with a factor: addmm and its relatives.

import { add, mul, type Tensor } from '@bp/core'
import { besideProduct, broadcastsTo, describe, fail } from '@bp/core/extend'
import { sum } from '../rows/reduce.ts'
import { bmm, mm, mv, outer } from './products.ts'

/** Options of {@link addmm} and its relatives. */
export interface AddProductOptions {
  /** The factor of what the product is added to; 1 unless given. With 0 that is not read: NaN in it goes nowhere. */
  readonly beta?: number
  /** The factor of the product; 1 unless given. */
  readonly alpha?: number
}

/** β·c + α·product, where c broadcasts to the product's shape. */
function added(op: string, c: Tensor, product: Tensor, { beta = 1, alpha = 1 }: AddProductOptions): Tensor {
  if (!broadcastsTo(c.shape, product.shape)) fail('shape', op, `${describe(c)} does not broadcast to the product, ${describe(product)}. Reshape it, or use add, which broadcasts both`)
  const scaled = alpha === 1 ? product : mul(product, alpha)
  if (beta === 0) return scaled
  const addend = besideProduct(product, c)
  return add(beta === 1 ? addend : mul(addend, beta), scaled)
}

/**
 * β·c + α·a·b for matrices a and b; c broadcasts.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { addmm } from '@bp/ops'
 * addmm(tensor([100]), tensor([[1, 2]]), tensor([[3], [4]]), { alpha: 2 }) // => tensor([[122]], float32)
 * ```
 */
export const addmm = (c: Tensor, a: Tensor, b: Tensor, options: AddProductOptions = {}): Tensor => added('addmm', c, mm(a, b), options)

/**
 * β·c + α·a·b for a matrix a and a vector b; c broadcasts.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { addmv } from '@bp/ops'
 * addmv(tensor([1, 1]), tensor([[1, 2], [3, 4]]), tensor([1, 10])) // => tensor([22, 44], float32)
 * ```
 */
export const addmv = (c: Tensor, a: Tensor, b: Tensor, options: AddProductOptions = {}): Tensor => added('addmv', c, mv(a, b), options)

/**
 * β·c + α·Σₙ aₙ·bₙ for stacks of matrices a and b; c broadcasts.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { addbmm } from '@bp/ops'
 * addbmm(tensor(0), tensor([[[1, 2]], [[3, 4]]]), tensor([[[1], [1]], [[1], [1]]])) // => tensor([[10]], float32)
 * ```
 */
export const addbmm = (c: Tensor, a: Tensor, b: Tensor, options: AddProductOptions = {}): Tensor => added('addbmm', c, sum(bmm(a, b), 0), options)

/**
 * β·c + α·aₙ·bₙ for stacks of matrices a and b; c broadcasts.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { baddbmm } from '@bp/ops'
 * baddbmm(tensor(1), tensor([[[1, 2]], [[3, 4]]]), tensor([[[1], [1]], [[1], [1]]])) // => tensor([[[4]], [[8]]], float32)
 * ```
 */
export const baddbmm = (c: Tensor, a: Tensor, b: Tensor, options: AddProductOptions = {}): Tensor => added('baddbmm', c, bmm(a, b), options)

/**
 * β·c + α·aᵢ·bⱼ for vectors a and b; c broadcasts.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { addr } from '@bp/ops'
 * addr(tensor(1), tensor([1, 2]), tensor([3, 4]), { beta: 10 }) // => tensor([[13, 14], [16, 18]], float32)
 * ```
 */
export const addr = (c: Tensor, a: Tensor, b: Tensor, options: AddProductOptions = {}): Tensor => added('addr', c, outer(a, b), options)
