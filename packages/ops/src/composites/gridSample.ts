// Sampling at places that a grid names, and the grids of affine maps: spatial transformers.

import { add, mul, type Tensor, tensor } from '@bp/core'
import { bind, defineComposite, describe, fail, sameShape, stridesOf } from '@bp/core/extend'
import { div, floor, neg, round, sub } from '../rows/arithmetic.ts'
import { cast, greaterEqual, less, lessEqual, logicalAnd, select } from '../rows/compare.ts'
import { take } from '../rows/indexing.ts'
import { iota } from '../rows/source.ts'
import { concat, detach, narrow, padInterior, reshape, transpose } from '../rows/view.ts'
import { clamp } from './activations.ts'
import { matmulTransposed } from './matmul.ts'

/** Options of {@link gridSample}. */
export interface GridSampleOptions {
  /** `bilinear` unless given, which over three axes is trilinear. */
  readonly mode?: 'bilinear' | 'nearest' | 'bicubic'
  /** What lies outside: zeros (unless given), the nearest edge, or the mirror image. */
  readonly paddingMode?: 'zeros' | 'border' | 'reflection'
  /** Whether −1 and 1 are the centres of the corner elements, not their outer edges. */
  readonly alignCorners?: boolean
}

/** The parameters of `gridSample`. */
export type GridSampleParams = Required<GridSampleOptions>

/** y: x at the places of the grid */
export const gridSampleRow = /* @__PURE__ */ defineComposite({ name: 'gridSample', arity: 2, fuse: 'opaque', decompose: ([x, grid], p: GridSampleParams) => sampled(x, grid, p) })

/** A neighbour along one axis: its place as int32, its weight, and whether it lies inside where that matters. */
interface Neighbour {
  readonly place: Tensor
  readonly weight: Tensor | null
  readonly inside: Tensor | null
}

/**
 * x: [n, c, …] read at the places of a grid: [n, …, axes], whose last axis holds the place along the last spatial axis first,
 * −1 to 1 from end to end, as `torch.nn.functional.grid_sample` (Jaderberg et al. 2015, "Spatial Transformer Networks",
 * eq. 3). Differentiable in x and, but for `nearest`, in the grid.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { gridSample } from '@bp/ops'
 * const image = tensor([[[[1, 2], [3, 4]]]])
 * gridSample(image, tensor([[[[0, 0], [0.5, 0.5]]]])) // => tensor([[[[2.5, 4]]]], float32)
 * ```
 */
export function gridSample(x: Tensor, grid: Tensor, { mode = 'bilinear', paddingMode = 'zeros', alignCorners = false }: GridSampleOptions = {}): Tensor {
  const axes = x.rank - 2
  if (axes < 1 || grid.rank !== x.rank || grid.shape.at(-1) !== axes || grid.shape[0] !== x.shape[0]) {
    fail('shape', 'gridSample', `needs x: [n, c, …] and a grid [n, …, ${Math.max(1, axes)}] of one rank, got ${describe(x)} and ${describe(grid)}`)
  }
  if (x.shape.slice(2).includes(0)) fail('shape', 'gridSample', `the spatial axes of ${describe(x)} are empty`)
  return bind(gridSampleRow, [x, grid], { mode, paddingMode, alignCorners })
}

function sampled(x: Tensor, grid: Tensor, settings: GridSampleParams): Tensor {
  const axes = x.rank - 2
  const [n, c, ...sizes] = x.shape as [number, number, ...number[]]
  const out = grid.shape.slice(1, -1)
  const lines = sizes.map((size, i) => neighbours(reshape(narrow(grid, -1, axes - 1 - i, 1), [n, ...out]), size, settings))
  const rows = reshape(transpose(x, [0, ...sizes.map((_, i) => i + 2), 1]), [n * sizes.reduce((a, b) => a * b, 1), c])
  // one more row, of zeros, stands for all that lies outside
  const table = settings.paddingMode === 'zeros' ? padInterior(rows, [0, 0], [1, 0], [0, 0]) : rows
  const strides = stridesOf([n, ...sizes])
  const image = reshape(mul(iota(n, 'int32', x.backend), strides[0]!), [n, ...out.map(() => 1)])
  const corners = lines.reduce<Neighbour[]>((partial, line, i) => partial.flatMap(a => line.map(b => ({
    place: add(a.place, mul(b.place, strides[i + 1]!)),
    weight: a.weight && b.weight ? mul(a.weight, b.weight) : b.weight ?? a.weight,
    inside: a.inside && b.inside ? logicalAnd(a.inside, b.inside) : b.inside ?? a.inside,
  }))), [{ place: image, weight: null, inside: null }])
  const read = corners.map(({ place, weight, inside }) => {
    const value = take(table, inside ? select(inside, place, rows.shape[0]!) : place)
    return weight ? mul(value, reshape(weight, [n, ...out, 1])) : value
  })
  return transpose(read.reduce((a, b) => add(a, b)), [0, axes + 1, ...out.map((_, i) => i + 1)])
}

/** The neighbours, along one axis of `size` entries, of the places that a grid's coordinates in [−1, 1] name. */
function neighbours(coordinate: Tensor, size: number, settings: GridSampleParams): Neighbour[] {
  const { mode, paddingMode, alignCorners } = settings
  const at = alignCorners ? mul(add(coordinate, 1), (size - 1) / 2) : div(sub(mul(add(coordinate, 1), size), 1), 2)
  const neighbour = (place: Tensor, weight: Tensor | null): Neighbour => ({
    place: cast(clamp(place, 0, size - 1), 'int32'),
    weight,
    inside: paddingMode === 'zeros' ? logicalAnd(greaterEqual(place, 0), lessEqual(place, size - 1)) : null,
  })
  if (mode === 'bicubic') {
    const first = floor(at)
    const t = sub(at, first)
    return [-1, 0, 1, 2].map(j => neighbour(brought(detach(add(first, j)), size, settings), cubicWeight(t, j)))
  }
  const place = brought(at, size, settings)
  if (mode === 'nearest') return [neighbour(detach(round(place)), null)]
  const first = floor(place)
  const t = sub(place, first)
  return [neighbour(detach(first), sub(1, t)), neighbour(detach(add(first, 1)), t)]
}

/** A place as `paddingMode` brings it inside; where it is moved, or at the very edge, its derivative is 0. */
function brought(place: Tensor, size: number, { paddingMode, alignCorners }: GridSampleParams): Tensor {
  if (paddingMode === 'zeros') return place
  const mirrored = paddingMode === 'border' ? place : alignCorners ? mirror(place, 0, size - 1) : mirror(place, -0.5, size)
  const inner = logicalAnd(less(0, mirrored), less(mirrored, size - 1))
  return select(inner, mirrored, detach(clamp(mirrored, 0, size - 1)))
}

/** A place mirrored at `low` and `low + span` until it lies between. */
function mirror(place: Tensor, low: number, span: number): Tensor {
  if (span === 0) return mul(place, 0)
  const from = sub(place, low)
  const distance = select(less(from, 0), neg(from), from)
  const flips = floor(div(distance, span))
  const rest = sub(distance, mul(flips, span))
  const odd = less(mul(floor(div(flips, 2)), 2), flips)
  return add(select(odd, sub(span, rest), rest), low)
}

/** Keys' cubic kernel with a = −3/4 at distance |t − j|, for t in [0, 1) and neighbours j = −1 … 2 (Keys 1981, eq. 4). */
function cubicWeight(t: Tensor, j: number): Tensor {
  const a = -0.75
  const r = j <= 0 ? sub(t, j) : sub(j, t)
  if (j === 0 || j === 1) return add(mul(mul(sub(mul(r, a + 2), a + 3), r), r), 1)
  return mul(sub(mul(add(mul(sub(r, 5), r), 8), r), 4), a)
}

/**
 * The grid on which {@link gridSample} transforms images of `size` [n, c, …] by the affine maps theta: [n, axes, axes + 1], as
 * `torch.nn.functional.affine_grid`: [n, …, axes].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { affineGrid } from '@bp/ops'
 * affineGrid(tensor([[[1, 0, 0], [0, 1, 0]]]), [1, 1, 1, 2]) // => tensor([[[[-0.5, 0], [0.5, 0]]]], float32)
 * ```
 */
export function affineGrid(theta: Tensor, size: readonly number[], alignCorners = false): Tensor {
  const [n, , ...sizes] = size as [number, number, ...number[]]
  const axes = sizes.length
  if (axes < 1 || !sameShape(theta.shape, [n, axes, axes + 1])) fail('shape', 'affineGrid', `needs theta: [n, axes, axes + 1] for the size [${size.join(',')}], got ${describe(theta)}`)
  const count = sizes.reduce((a, b) => a * b, 1)
  const columns = sizes.map((m, i) => {
    const line = Array.from({ length: m }, (_, j) => m === 1 ? 0 : (2 * j / (m - 1) - 1) * (alignCorners ? 1 : (m - 1) / m))
    const inner = sizes.slice(i + 1).reduce((a, b) => a * b, 1)
    return tensor(Array.from({ length: count }, (_, k) => line[Math.floor(k / inner) % m]!), { shape: [count, 1], dtype: theta.dtype, backend: theta.backend })
  })
  const ones = tensor(new Array<number>(count).fill(1), { shape: [count, 1], dtype: theta.dtype, backend: theta.backend })
  const base = concat([...columns.reverse(), ones], 1)
  const flat = matmulTransposed(reshape(base, [1, count, axes + 1]), theta)
  return reshape(flat, [n, ...sizes, axes])
}
