// Functions that arrange elements: shapes, stacks, splits, diagonals, windows, margins.

import { broadcastTo, sumTo } from '@bp/core'
import { asStrided, at, atLeast1d, atLeast2d, atLeast3d, blockDiag, broadcastTensors, cartesianProd, chunk, columnStack, combinations, concat, diag, diagEmbed, diagflat, diagonal, diagonalScatter, dsplit, dstack, expand, fftShift, flatten, flip, hsplit, hstack, ifftShift, matrixTranspose, meshgrid, moveAxis, narrow, pad, ravel, repeatInterleave, reshape, roll, rot90, selectScatter, slice, split, squeeze, stack, swapAxes, tensorSplit, tile, trace, transpose, tril, triu, unbind, unflatten, unfold, unsqueeze, vsplit, vstack } from '@bp/ops'
import type { Tensor } from '@bp/core'
import { Unsupported } from '../../compare.ts'
import type { Adapter, Arguments } from './arguments.ts'

const dims = (call: Arguments, place: number, keyword: string): readonly number[] | undefined => call.maybeNumbers(place, keyword)

/** A list of tensors: the input where it is one, else the input and all arguments. */
const several = (call: Arguments): readonly Tensor[] => Array.isArray(call.value(0, 'input')) ? call.tensors(0, 'input') : call.rest(0)

/** PyTorch pads from the last axis on, two numbers an axis. */
function widths(x: Tensor, flat: readonly number[]): [number, number][] {
  return x.shape.map((_, i) => {
    const from = 2 * (x.rank - 1 - i)
    return [flat[from] ?? 0, flat[from + 1] ?? 0]
  })
}

const padMode: Adapter = call => {
  const mode = call.text(2, 'mode', 'constant')
  if (mode !== 'constant' && mode !== 'reflect' && mode !== 'replicate' && mode !== 'circular') throw new Unsupported(`mode ${mode}`)
  return pad(call.input, widths(call.input, call.numbers(1, 'pad')), { mode, value: call.number(3, 'value', 0) })
}

const rolled: Adapter = call => {
  const axes = dims(call, 2, 'dims')
  return roll(call.input, call.numbers(1, 'shifts'), axes?.length === 0 ? undefined : axes)
}

const reversed = (call: Arguments): Tensor => call.input.rank < 2 ? call.input : transpose(call.input)

const matrices = (call: Arguments): Tensor => call.input.rank < 2 ? call.input : matrixTranspose(call.input)

const parts = (call: Arguments): number | readonly number[] => {
  const value = call.value(1, 'indices_or_sections')
  if (typeof value === 'object' && value !== null && 'dataSync' in value) {
    const list = Array.from(value.dataSync() as Int32Array, Number)
    return value.rank === 0 ? list[0]! : list
  }
  return typeof value === 'number' ? value : call.numbers(1, 'indices_or_sections')
}

const pieces: Adapter = call => split(call.input, typeof call.value(1, 'split_size_or_sections') === 'number' ? call.number(1, 'split_size_or_sections') : call.numbers(1, 'split_sizes'), call.number(2, 'dim', 0))

const offsets = (call: Arguments, place: number, axes: readonly [number, number]): { offset: number; axes: [number, number] } =>
  ({ offset: call.number(place, 'offset', 0), axes: [call.number(place + 1, 'dim1', axes[0]), call.number(place + 2, 'dim2', axes[1])] })

const shapeOf = (call: Arguments, place: number, keyword: string): readonly number[] => {
  const first = call.value(place, keyword)
  return Array.isArray(first) ? call.numbers(place, keyword) : Array.from({ length: call.count - place }, (_, i) => call.number(place + i, keyword))
}

/** The adapters of this family. */
export const arrange: Readonly<Record<string, Adapter>> = {
  H: reversed, T: reversed, t: reversed,
  mT: matrices, mH: matrices,
  as_strided: call => asStrided(call.input, call.numbers(1, 'size'), call.numbers(2, 'stride'), call.number(3, 'storage_offset', 0)),
  as_strided_scatter: () => { throw new Unsupported('vectors whose gradients hold uninitialised memory') },
  atleast_1d: call => several(call).map(atLeast1d),
  atleast_2d: call => several(call).map(atLeast2d),
  atleast_3d: call => several(call).map(atLeast3d),
  block_diag: call => blockDiag(...several(call)),
  broadcast_tensors: call => broadcastTensors(...several(call)),
  broadcast_to: call => broadcastTo(call.input, shapeOf(call, 1, 'shape')),
  cartesian_prod: call => cartesianProd(...several(call)),
  cat: call => {
    // PyTorch lets an empty vector stand among tensors of any rank
    const xs = call.tensors(0, 'tensors')
    const full = xs.filter(x => x.rank !== 1 || x.size > 0)
    return concat(full.length > 0 ? full : xs, call.number(1, 'dim', 0))
  },
  chunk: call => chunk(call.input, call.number(1, 'chunks'), call.number(2, 'dim', 0)),
  column_stack: call => columnStack(call.tensors(0, 'tensors')),
  combinations: call => combinations(call.input, call.number(1, 'r', 2), call.flag(2, 'with_replacement')),
  constant_pad_nd: call => pad(call.input, widths(call.input, call.numbers(1, 'pad')), { value: call.number(2, 'value', 0) }),
  diag: call => diag(call.input, call.number(1, 'diagonal', 0)),
  diag_embed: call => diagEmbed(call.input, offsets(call, 1, [-2, -1])),
  diagflat: call => diagflat(call.input, call.number(1, 'offset', 0)),
  diagonal: call => diagonal(call.input, offsets(call, 1, [0, 1])),
  diagonal_scatter: call => diagonalScatter(call.input, call.tensor(1, 'src'), offsets(call, 2, [0, 1])),
  dsplit: call => dsplit(call.input, parts(call)), hsplit: call => hsplit(call.input, parts(call)), vsplit: call => vsplit(call.input, parts(call)),
  dstack: call => dstack(call.tensors(0, 'tensors')), hstack: call => hstack(call.tensors(0, 'tensors')), vstack: call => vstack(call.tensors(0, 'tensors')),
  expand: call => expand(call.input, shapeOf(call, 1, 'sizes')),
  expand_as: call => expand(call.input, call.tensor(1, 'other').shape),
  'fft.fftshift': call => fftShift(call.input, dims(call, 1, 'dim')), 'fft.ifftshift': call => ifftShift(call.input, dims(call, 1, 'dim')),
  flatten: call => flatten(call.input, call.number(1, 'start_dim', 0), call.number(2, 'end_dim', -1)),
  flip: call => flip(call.input, call.numbers(1, 'dims')),
  fliplr: call => flip(call.input, 1), flipud: call => flip(call.input, 0),
  meshgrid: call => {
    const indexing = call.text(Infinity, 'indexing', 'ij')
    return meshgrid(several(call), indexing === 'xy' ? 'xy' : 'ij')
  },
  movedim: call => moveAxis(call.input, call.numbers(1, 'source'), call.numbers(2, 'destination')),
  narrow: call => {
    const start = call.value(2, 'start')
    const first = typeof start === 'object' && start !== null && 'item' in start ? start.item() : call.number(2, 'start')
    const axis = call.number(1, 'dim')
    return narrow(call.input, axis, first < 0 ? first + call.input.shape.at(axis)! : first, call.number(3, 'length'))
  },
  'nn.functional.pad': padMode,
  permute: call => transpose(call.input, shapeOf(call, 1, 'dims')),
  ravel: call => ravel(call.input),
  repeat: call => tile(call.input, shapeOf(call, 1, 'repeats')),
  repeat_interleave: call => {
    const repeats = call.value(1, 'repeats')
    const counts = typeof repeats === 'object' && repeats !== null && 'dataSync' in repeats ? repeats : call.number(1, 'repeats')
    return repeatInterleave(call.input, counts, call.maybeNumber(2, 'dim'))
  },
  reshape: call => reshape(call.input, shapeOf(call, 1, 'shape')), view: call => reshape(call.input, shapeOf(call, 1, 'shape')),
  reshape_as: call => reshape(call.input, call.tensor(1, 'other').shape), view_as: call => reshape(call.input, call.tensor(1, 'other').shape),
  roll: rolled,
  rot90: call => rot90(call.input, call.number(1, 'k', 1), call.numbers(2, 'dims', [0, 1]) as [number, number]),
  select: call => at(call.input, call.number(2, 'index'), call.number(1, 'dim')),
  select_scatter: call => selectScatter(call.input, call.tensor(1, 'src'), call.number(2, 'dim'), call.number(3, 'index')),
  slice: call => {
    const axis = call.number(1, 'dim', 0)
    const place = (axis < 0 ? axis + call.input.rank : axis)
    const only = (value: number, other: number): number[] => call.input.shape.map((_, i) => i === place ? value : other)
    return slice(call.input, only(call.number(2, 'start', 0), 0), call.input.shape.map((size, i) => i === place ? call.number(3, 'end', size) : size), only(call.number(4, 'step', 1), 1))
  },
  split: pieces, 'split/list_args': pieces, split_with_sizes: pieces,
  squeeze: call => {
    const axes = dims(call, 1, 'dim')
    return axes === undefined ? squeeze(call.input) : squeeze(call.input, axes.filter(axis => call.input.shape.at(axis) === 1))
  },
  stack: call => stack(call.tensors(0, 'tensors'), call.number(1, 'dim', 0)),
  sum_to_size: call => sumTo(call.input, shapeOf(call, 1, 'size')),
  tensor_split: call => tensorSplit(call.input, parts(call), call.number(2, 'dim', 0)),
  tile: call => tile(call.input, shapeOf(call, 1, 'dims')),
  trace: call => trace(call.input),
  transpose: call => {
    const [a, b] = [call.number(1, 'dim0'), call.number(2, 'dim1')]
    return call.input.rank === 0 ? call.input : swapAxes(call.input, a, b)
  },
  tril: call => tril(call.input, call.number(1, 'diagonal', 0)), triu: call => triu(call.input, call.number(1, 'diagonal', 0)),
  unbind: call => unbind(call.input, call.number(1, 'dim', 0)),
  unflatten: call => unflatten(call.input, call.number(1, 'dim'), call.numbers(2, 'sizes')),
  unfold: call => unfold(call.input, call.number(1, 'dimension'), call.number(2, 'size'), call.number(3, 'step')),
  unsqueeze: call => unsqueeze(call.input, call.number(1, 'dim')),
}
