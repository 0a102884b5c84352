// Convolution's three faces as tasks. No columns are unfolded: products run over padded copies at constant offsets.

import type { Emit } from '../../program/emit.ts'
import type { Region } from '../../program/region.ts'
import { type Epilogue, fewUnits, type Task } from '../../program/task.ts'
import { i32, type I32, type Int, memory } from '../instructions.ts'
import type { Func } from '../module.ts'
import { depthwise, isDepthwise } from './depthwise.ts'
import { type ConvJob, type Padded, padded, planeOf, tapOffsets, type Triple, volume } from './geometry.ts'
import { isPointwise, pointwise, pointwiseInput } from './pointwise.ts'
import { evenTiles, tilesOf } from './rows.ts'

/** Where a convolution's operands and result lie, dense and row-major. */
export interface ConvAt {
  readonly name: string
  readonly bits: 32 | 64
  /** Where the weights are an operand that is the same in every run, its name. */
  readonly steady: string | null
  readonly job: ConvJob
  readonly x: number
  readonly w: number
  readonly y: number
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
  /** What happens to each finished run of planes. */
  readonly epilogue?: Epilogue | undefined
}

/** Multiplications that make a unit of work. */
const unitWork = 1 << 20
/** Multiplications below which a unit is not cut in more: some microseconds. */
const leastWork = 1 << 16

const up = (n: number, to: number): number => Math.ceil(n / to) * to

/** A run of products: planes of `from` padded, against weights packed by channels, to planes of `to`. */
interface Sliding {
  readonly name: string
  readonly bits: 32 | 64
  readonly steady: string | null
  readonly images: number
  readonly groups: number
  /** Channels of a group that are summed over, and that are made. */
  readonly summed: number
  readonly made: number
  readonly from: number
  readonly fromSize: Triple
  readonly to: number
  readonly places: Triple
  readonly copy: Padded
  readonly kernel: Triple
  readonly offsets: readonly number[]
  /** Emits the packing of some of one group's channels, from `channel` on, to an address. */
  pack(func: Func, group: I32, channel: I32, channels: I32, to: I32): void
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
  readonly epilogue?: Epilogue | undefined
}

/** y = x ∗ w */
export function conv(emit: Emit, at: ConvAt): Task[] {
  const { name, bits, steady, job, x, w, y, reads, writes, epilogue } = at
  if (isPointwise(job)) return pointwise(emit, at)
  if (isDepthwise(job, bits === 64 ? emit.doubles : emit.floats)) return depthwise(emit, at)
  const { places, kernel, dilation, low, stride, inputs, outputs } = job
  const copy = padded(places, kernel, dilation, low, stride, [1, 1, 1])
  const bytes = bits / 8
  const taps = inputs * volume(kernel)
  return slide(emit, {
    name, bits, steady, images: job.images, groups: job.groups, summed: inputs, made: outputs, from: x, fromSize: job.size, to: y, places, copy, kernel, reads, writes, epilogue,
    offsets: tapOffsets(copy, kernel, dilation, false),
    pack(func, group, channel, channels, to) {
      const from = i32.add(i32.mul(i32.add(i32.mul(group, outputs), channel), taps * bytes), w)
      func.call(emit.library[`convPack${bits}`], from, bytes, taps * bytes, taps, channels, to)
    },
  })
}

/** x = the transpose of convolution by w, applied to y: the flipped kernel slides over y with zeros between its elements. */
export function convInput(emit: Emit, at: ConvAt): Task[] {
  const { name, bits, steady, job, x, w, y, reads, writes, epilogue } = at
  if (isPointwise(job)) return pointwiseInput(emit, at)
  const { size, kernel, dilation, low, stride, inputs, outputs } = job
  const before = kernel.map((k, i) => (k - 1) * dilation[i]! - low[i]!) as unknown as Triple
  const copy = padded(size, kernel, dilation, before, [1, 1, 1], stride)
  const bytes = bits / 8
  const window = volume(kernel)
  return slide(emit, {
    name, bits, steady, images: job.images, groups: job.groups, summed: outputs, made: inputs, from: y, fromSize: job.places, to: x, places: size, copy, kernel, reads, writes, epilogue,
    offsets: tapOffsets(copy, kernel, dilation, true),
    pack(func, group, channel, channels, to) {
      // w: [o, c, taps]; the input channels lie a window apart, the channels that are summed over lie all input channels apart
      const first = func.let(i32.add(i32.mul(i32.add(i32.mul(i32.mul(group, outputs), inputs), channel), window * bytes), w))
      func.for(0, outputs, 1, o => {
        func.call(emit.library[`convPack${bits}`], i32.add(first, i32.mul(o, inputs * window * bytes)), bytes, window * bytes, window, channels, i32.add(to, i32.mul(i32.mul(o, channels), window * bytes)))
      })
    },
  })
}

/** Where each tile of channels begins, and where the last ends. */
function beginsOf(emit: Emit, heights: readonly number[]): (tile: I32) => I32 {
  const begins = [0]
  for (const height of heights) begins.push(begins.at(-1)! + height)
  const table = emit.table(begins)
  return tile => i32.load(i32.mul(tile, 4), table)
}

function slide(emit: Emit, s: Sliding): Task[] {
  const bytes = s.bits / 8
  const taps = s.summed * volume(s.kernel)
  // where units are few they must be alike, so that threads share them evenly
  const simd = s.bits === 64 ? emit.doubles : emit.floats
  const heights = s.images * s.groups < fewUnits ? evenTiles(simd, s.made) : tilesOf(simd, s.made)
  const tiles = heights.length
  const begin = beginsOf(emit, heights)
  const size = up(taps * s.made * s.groups * bytes, 64)
  const weights = s.steady !== null ? emit.lasting(size) : emit.scratch(size)
  const plane = planeOf(s.copy)
  const offsets = emit.table(Array.from({ length: s.summed }, (_, c) => s.offsets.map(at => (c * plane + at) * bytes)).flat())
  const packed = { start: weights, end: weights + size }
  /** Where the weights of a group's channels lie, from one channel on. */
  const weightsAt = (group: I32, channel: I32): I32 => i32.add(i32.mul(i32.add(i32.mul(group, s.made), channel), taps * bytes), weights)

  const pack = emit.module.func(['i32', 'i32'])
  const packGroup = pack.let(i32.divU(pack.params[0], tiles))
  const packTile = pack.let(i32.remU(pack.params[0], tiles))
  const packFirst = pack.let(begin(packTile))
  s.pack(pack, packGroup, packFirst, pack.let(i32.sub(begin(i32.add(packTile, 1)), packFirst)), weightsAt(packGroup, packFirst))

  // a unit is some of the channels made of one image and group, where these are few a band of their rows; it pads the image for itself, but where others need the same rows
  const work = taps * s.made * volume(s.places)
  const [depth, height, width] = s.places
  const wanted = Math.min(Math.ceil(fewUnits / (s.images * s.groups)), Math.ceil(work / leastWork))
  const parts = Math.max(1, Math.min(tiles, wanted))
  const tilesEach = Math.ceil(tiles / parts)
  const split = Math.ceil(tiles / tilesEach)
  const bandRows = depth > 1 || s.epilogue?.wholeRows ? height : Math.ceil(height / Math.max(1, Math.min(height, Math.floor(wanted / split))))
  const bands = Math.ceil(height / bandRows)
  // rows that the windows of a band see besides its own
  const reach = s.copy.size[1] - height * s.copy.stride[1]
  const own = split > 1 ? padAll(emit, s) : padOwn(emit, s)
  const run = emit.module.func(['i32', 'i32'])
  const func = run as unknown as Func
  const [unit, thread] = run.params
  const which = run.let(i32.divU(unit, split * bands))
  const group = run.let(i32.remU(which, s.groups))
  const firstTile = run.let(i32.mul(i32.remU(i32.divU(unit, bands), split), tilesEach))
  const firstRow = run.let(i32.mul(i32.remU(unit, bands), bandRows))
  const rows = run.let(i32.minS(bandRows, i32.sub(height, firstRow)))
  const endTile = run.let(i32.minS(i32.add(firstTile, tilesEach), tiles))
  const copy = own.emit(func, which, thread, bands > 1 ? { first: run.let(i32.mul(firstRow, s.copy.stride[1])), count: run.let(i32.add(i32.mul(rows, s.copy.stride[1]), reach)) } : undefined)
  const to = run.let(i32.add(i32.mul(which, s.made * volume(s.places) * bytes), s.to))
  const row = s.copy.stride[2] * s.copy.run * bytes
  const channel = run.let(begin(firstTile))
  run.for(firstTile, endTile, 1, tile => {
    const channels = run.let(i32.sub(begin(i32.add(tile, 1)), channel))
    run.for(0, depth, 1, d => {
      run.call(emit.library[`convRows${s.bits}`],
        channels, i32.add(copy, i32.add(i32.mul(d, s.copy.stride[0] * s.copy.size[1] * row), i32.mul(firstRow, s.copy.stride[1] * row))), s.copy.stride[1] * row, offsets, taps, weightsAt(group, channel),
        i32.add(to, i32.mul(i32.add(i32.mul(i32.add(i32.mul(channel, depth), d), height), firstRow), width * bytes)), width * bytes, volume(s.places) * bytes,
        rows, width)
    })
    run.add(channel, channels)
  })
  const units = s.images * s.groups * split * bands
  const planes = run.let(i32.mul(which, s.made))
  const column0 = run.let(i32.mul(firstRow, width))
  s.epilogue?.emit(run, {
    row0: i32.add(planes, begin(firstTile)), row1: i32.add(planes, begin(endTile)), column0, column1: bands === 1 ? volume(s.places) : i32.add(column0, i32.mul(rows, width)),
  }, unit, thread, units)
  return [
    { name: `${s.name} (pack)`, units: tiles * s.groups, reads: s.reads, writes: [packed], run: pack, ...s.steady !== null && { once: true } },
    ...own.tasks,
    { name: s.name, units, reads: [...s.reads, packed, ...own.reads], writes: [...s.writes, ...own.writes], run },
  ]
}

/** Where units find the padded copy of an image's group. */
interface Copies {
  /** What makes them, where units do not for themselves. */
  readonly tasks: readonly Task[]
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
  /** Emits what gives a unit the address of its copy, or of one of which these rows at least are there. */
  emit(func: Func, which: I32, thread: I32, band?: Band): I32
}

/** A copy for each thread, which units make for themselves. */
function padOwn(emit: Emit, { bits, copy, fromSize, from, summed }: Sliding): Copies {
  const bytes = bits / 8
  const room = up(planeOf(copy) * summed * bytes + 64, 64)
  const start = emit.scratch(room * emit.threads)
  return {
    tasks: [], reads: [], writes: [{ start, end: start + room * emit.threads }],
    emit(func, which, thread, band) {
      const to = func.let(i32.add(i32.mul(thread, room), start))
      padPlanes(func, emit, bits, copy, fromSize, i32.add(i32.mul(which, summed * volume(fromSize) * bytes), from), to, summed, band)
      return to
    },
  }
}

/** Elements that one unit copies. */
const padWork = 16384

/** A copy of everything, made once by all threads. */
function padAll(emit: Emit, { name, bits, copy, fromSize, from, summed, images, groups, reads }: Sliding): Copies {
  const bytes = bits / 8
  const plane = planeOf(copy)
  const planes = images * groups * summed
  const size = up(plane * planes * bytes + 64, 64)
  const start = emit.scratch(size)
  const region = { start, end: start + size }
  const each = Math.max(1, Math.floor(padWork / plane))
  const run = emit.module.func(['i32', 'i32'])
  const first = run.let(i32.mul(run.params[0], each))
  const count = run.let(i32.minS(each, i32.sub(planes, first)))
  padPlanes(run, emit, bits, copy, fromSize, i32.add(i32.mul(first, volume(fromSize) * bytes), from), i32.add(i32.mul(first, plane * bytes), start), count)
  return {
    tasks: [{ name: `${name} (pad)`, units: Math.ceil(planes / each), reads, writes: [region], run }], reads: [region], writes: [],
    emit: (func, which) => func.let(i32.add(i32.mul(which, summed * plane * bytes), start)),
  }
}

/** Rows of a padded copy: from which, and how many. */
interface Band {
  readonly first: I32
  readonly count: I32
}

/** Emits the padded copies of neighbouring channels, or of some rows of each. */
function padPlanes(func: Func, emit: Emit, bits: 32 | 64, copy: Padded, size: Triple, from: I32, to: I32, channels: Int, band?: Band): void {
  const bytes = bits / 8
  const row = copy.stride[2] * copy.run * bytes
  const slice = copy.size[1] * row
  const source = func.let(from)
  const target = func.int(to)
  func.for(0, channels, 1, () => {
    if (copy.size[0] > 1 || size[0] > 1) func.do(memory.fill(target, 0, planeOf(copy) * bytes))
    func.for(0, size[0], 1, d => {
      const depth = func.let(i32.add(i32.mul(d, copy.step[0]), copy.low[0]))
      func.if(i32.ltU(depth, copy.size[0]), () => {
        const plane = i32.add(target, i32.mul(depth, slice))
        const [place, low, rows] = band ? [i32.add(plane, i32.mul(band.first, row)), i32.sub(copy.low[1], band.first), band.count] : [plane, copy.low[1], copy.size[1]]
        func.call(emit.library[`convPad${bits}`], source, place, size[1], size[2], low, copy.low[2], copy.step[1], copy.step[2], rows, copy.size[2], copy.stride[2], row)
      })
      func.add(source, size[1] * size[2] * bytes)
    })
    func.add(target, planeOf(copy) * bytes)
  })
}

/** w = the correlation of x with y: for each weight, the dot product of what it saw with what came of it. */
export function convWeight(emit: Emit, { name, bits, job, x, w, y, reads, writes }: ConvAt): Task[] {
  const bytes = bits / 8
  const simd = bits === 64 ? emit.doubles : emit.floats
  const { images, groups, inputs, outputs, size, kernel, places, stride, low, dilation } = job
  const copy = padded(places, kernel, dilation, low, stride, [1, 1, 1])
  const window = volume(kernel)
  const offsets = tapOffsets(copy, kernel, dilation, false)
  const plane = planeOf(copy)
  const pairs = Math.ceil(window / 2)
  // an odd tap is computed twice, and written once
  const taps = emit.table([...offsets, ...window % 2 ? [offsets.at(-1)!] : []].map(at => at * bytes))
  const heights = evenTiles(simd, outputs)
  const tiles = heights.length
  const begin = beginsOf(emit, heights)
  const most = Math.max(...heights)
  const [depth, height] = places
  const rows = wholeVectors(emit, { name, bits, steady: null, job, x, w, y, reads, writes })
  const work = images * volume(places) * window * inputs * most
  const parts = Math.max(1, Math.min(inputs, Math.ceil(work / unitWork), Math.ceil(16 / (groups * tiles))))
  const each = Math.ceil(inputs / parts)
  const split = Math.ceil(inputs / each)
  const sums = each * pairs * 2 * most * 16
  const roomX = up(plane * each * bytes + 64, 64)
  const room = roomX + sums
  const own = emit.scratch(room * emit.threads)
  const run = emit.module.func(['i32', 'i32'])
  const func = run as unknown as Func
  const [unit, thread] = run.params
  const part = run.let(i32.remU(unit, split))
  const tile = run.let(i32.remU(i32.divU(unit, split), tiles))
  const group = run.let(i32.divU(unit, split * tiles))
  const copyX = run.let(i32.add(i32.mul(thread, room), own))
  const total = run.let(i32.add(copyX, roomX))
  const channel = run.let(begin(tile))
  const channels = run.let(i32.sub(begin(i32.add(tile, 1)), channel))
  const first = run.let(i32.mul(part, each))
  const count = run.let(i32.minS(each, i32.sub(inputs, first)))
  run.do(memory.fill(copyX, 0, room))
  const row = copy.stride[2] * copy.run * bytes
  run.for(0, images, 1, image => {
    const fromX = run.let(i32.add(i32.mul(i32.add(i32.mul(i32.add(i32.mul(image, groups), group), inputs), first), volume(size) * bytes), x))
    const fromY = run.let(i32.add(i32.mul(i32.add(i32.mul(i32.add(i32.mul(image, groups), group), outputs), channel), rows.plane), rows.address))
    const xs = run.let(copyX)
    const sum = run.let(total)
    run.for(0, count, 1, () => {
      padPlanes(func, emit, bits, copy, size, fromX, xs, 1)
      run.for(0, depth, 1, d => {
        run.call(emit.library[`convDots${bits}`], channels, i32.add(xs, i32.mul(d, copy.stride[0] * copy.size[1] * row)), copy.stride[1] * row, taps, pairs, i32.add(fromY, i32.mul(d, height * rows.row)), rows.row, rows.plane, height, rows.row / 16, sum)
      })
      run.add(sum, i32.mul(channels, pairs * 2 * 16))
      run.add(fromX, volume(size) * bytes)
    })
  })
  // each sum's lanes together, to its place in w: [o, c, taps]
  run.for(0, count, 1, c => {
    run.for(0, channels, 1, o => {
      const to = run.let(i32.add(i32.mul(i32.add(i32.mul(i32.add(i32.add(i32.mul(group, outputs), channel), o), inputs), i32.add(first, c)), window * bytes), w))
      run.for(0, window, 1, t => {
        // sums of a pair: for each channel one of either tap
        const at = run.let(i32.add(total, i32.mul(i32.add(i32.mul(i32.mul(i32.add(i32.mul(c, pairs), i32.shrU(t, 1)), channels), 2), i32.add(i32.mul(o, 2), i32.and(t, 1))), 16)))
        const sum = run.let(simd.loadOne(at))
        for (let lane = 1; lane < simd.lanes; lane++) run.set(sum, simd.op.add(sum, simd.loadOne(at, lane * bytes)))
        run.do(simd.storeOne(i32.add(to, i32.mul(t, bytes)), sum))
      })
    })
  })
  return [...rows.tasks, { name, units: groups * tiles * split, reads: [...reads, ...rows.tasks.flatMap(task => task.writes)], writes: [...writes, { start: own, end: own + room * emit.threads }], run }]
}

/** The planes of y with rows of whole vectors: where they lie where rows are such, else copies of them filled up with zeros. */
function wholeVectors(emit: Emit, { name, bits, job: { images, groups, outputs, places }, y, reads }: ConvAt): { readonly address: number; readonly row: number; readonly plane: number; readonly tasks: readonly Task[] } {
  const bytes = bits / 8
  const [depth, height, width] = places
  const row = up(width * bytes, 16)
  const plane = depth * height * row
  if (row === width * bytes) return { address: y, row, plane, tasks: [] }
  const planes = images * groups * outputs
  const each = Math.max(1, Math.floor(16384 / plane))
  const address = emit.scratch(plane * planes)
  const run = emit.module.func(['i32', 'i32'])
  const first = run.let(i32.mul(run.params[0], each))
  const from = run.let(i32.add(i32.mul(first, volume(places) * bytes), y))
  const to = run.let(i32.add(i32.mul(first, plane), address))
  run.for(first, i32.minS(i32.add(first, each), planes), 1, () => {
    run.call(emit.library[`convPad${bits}`], from, to, depth * height, width, 0, 0, 1, 1, depth * height, row / bytes, 1, row)
    run.add(from, volume(places) * bytes)
    run.add(to, plane)
  })
  return { address, row, plane, tasks: [{ name: `${name} (pad)`, units: Math.ceil(planes / each), reads, writes: [{ start: address, end: address + plane * planes }], run }] }
}
