// Indexing as in NumPy and PyTorch: what `index` reads, and writing to it.

import { add, full, mul, type Shape, type Tensor, type TensorLike } from '@bp/core'
import { broadcastShapes, sizeOf, stridesOf } from '@bp/core/extend'
import { asIndex, take } from '../rows/indexing.ts'
import { iota } from '../rows/source.ts'
import { reshape, transpose } from '../rows/view.ts'
import { type Advanced, type IndexItem, viewed } from './indexItems.ts'
import { placesOf, putAt } from './places.ts'

/**
 * `x` indexed as `x[items…]` in PyTorch: entries and ranges first; then index tensors and lists are broadcast with each other and
 * choose elements, and their axes come where they stood, or first where they stood apart. The values of masks are read.
 *
 * Throws where an entry is out of range, a mask does not fit its axes, or more axes are indexed than there are.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { index } from '@bp/ops'
 * const x = tensor([[1, 2, 3], [4, 5, 6]])
 * index(x, [1]) // => tensor([4, 5, 6], float32)
 * index(x, ['...', { step: -1 }]) // => tensor([[3, 2, 1], [6, 5, 4]], float32)
 * index(x, [[0, 1], [2, 0]]) // => tensor([3, 4], float32)
 * index(x, [{}, [true, false, true]]) // => tensor([[1, 3], [4, 6]], float32)
 * ```
 */
export function index(x: Tensor, items: readonly IndexItem[]): Tensor {
  const { view, advanced } = viewed(x, items)
  return advanced.length === 0 ? view : chosen(view, advanced)
}

/**
 * `x` with `values`, which broadcast, in place of what `index(x, items)` reads, the last of several for one element; or added to
 * it: PyTorch's `index_put`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { indexPut } from '@bp/ops'
 * indexPut(tensor([1, 2, 3]), [{ start: 1 }], tensor([10, 20])) // => tensor([1, 10, 20], float32)
 * indexPut(tensor([1, 2, 3]), [[0, 0]], 5, { accumulate: true }) // => tensor([11, 2, 3], float32)
 * ```
 */
export function indexPut(x: Tensor, items: readonly IndexItem[], values: TensorLike, { accumulate = false }: { readonly accumulate?: boolean } = {}): Tensor {
  return putAt('indexPut', x, index(placesOf(x), items), typeof values === 'number' ? full([], values, x.dtype, x.backend) : values, accumulate)
}

/** The elements that index tensors name together: the axes they index become one, and so do the tensors. */
function chosen(x: Tensor, advanced: readonly Advanced[]): Tensor {
  const axes = advanced.map(({ axis }) => axis)
  const first = axes[0]!
  if (axes.length === 1) return take(x, advanced[0]!.index, first)
  const apart = axes.some((axis, i) => axis !== first + i)
  const rest = x.shape.map((_, i) => i).filter(axis => !axes.includes(axis))
  const y = apart ? transpose(x, [...axes, ...rest]) : x
  const at = apart ? 0 : first
  const sizes = axes.map(axis => x.shape[axis]!)
  const strides = stridesOf(sizes)
  advanced.reduce<Shape>((shape, { index: one }) => broadcastShapes('index', shape, one.shape), [])
  const flat = advanced
    .map(({ index: one }, i) => take(mul(iota(sizes[i]!, 'int32', x.backend), strides[i]!), asIndex('index', one)))
    .reduce((a, b) => add(a, b))
  return take(reshape(y, y.shape.toSpliced(at, sizes.length, sizeOf(sizes))), flat, at)
}
