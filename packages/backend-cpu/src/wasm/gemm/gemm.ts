// The matrix product as tasks: operands packed into panels by all threads, then blocks of the result multiplied by all threads.

import type { Emit } from '../../program/emit.ts'
import type { Region } from '../../program/region.ts'
import { fewUnits, type Task } from '../../program/task.ts'
import { i32, type I32, type Int } from '../instructions.ts'
import type { Func } from '../module.ts'
import type { Simd } from '../simd.ts'
import { entryAt, type GemmJob, type MatrixAt, stackSize, type Term } from './job.ts'
import { tileColumns, tileRows } from './library.ts'
import { isThin, thin } from './thin.ts'

/** Multiplications that make a unit of work: some tens of microseconds. */
const unitWork = 1 << 20
/** Rows of a block: with a slice of k this much of A fits the second cache. */
const blockRows = 96
/** Matrices up to this many multiplications are packed and multiplied by one thread in one go. */
const small = 1 << 19

const up = (n: number, to: number): number => Math.ceil(n / to) * to

/** The tasks of a product. */
export function gemm(emit: Emit, job: GemmJob): Task[] {
  if (job.terms) return inBlocks(emit, job)
  if (isThin(job)) return thin(emit, job)
  return job.m * job.n * job.k <= small && !job.keepsA && !job.keepsB ? [whole(emit, job)] : inBlocks(emit, job)
}

/** Whether other products with the same B had better read its panels than pack their own: there are few rows to multiply them by. */
export const isWorthKeeping = (job: Omit<GemmJob, 'name' | 'reads' | 'writes'>, simd: Simd): boolean => !isThin(job) && !direct(job, simd) && job.m <= fewRows(simd) && stackSize(job.stack) === 1

/** An operand as blocks read it: where a matrix begins, packed or where it lies. */
interface Operand {
  at(func: Func, entry: I32): I32
  /** Bytes from one panel to the next, and from one row of k to the next in a panel. */
  readonly panel: number
  readonly step: number
}

/** Rows up to which packing a matrix that each of them is multiplied by takes as long as a good part of the product. */
const fewRows = (simd: Simd): number => 4 * tileRows(simd)

/** Whether A is read where it lies: its rows are, and they are few. */
const byRows = ({ m, a, terms }: GemmJob, simd: Simd): boolean => !terms && a.column === 1 && m <= fewRows(simd)

/** Whether B is read where it lies: its rows are, and too few rows of A pass over it to be worth packing it. */
const direct = ({ m, b, terms }: Pick<GemmJob, 'm' | 'b' | 'terms'>, simd: Simd): boolean => !terms && b.column === 1 && m <= 2 * tileRows(simd)

/** Emits the packing of panels [first, end) of one matrix, or of so much of k as `depth` says. */
function packPanels(func: Func, emit: Emit, job: GemmJob, side: 'a' | 'b', from: I32, to: I32, first: Int, end: Int, at: MatrixAt = job[side], depth = job.k): void {
  const bytes = job.bits / 8
  const simd = job.bits === 64 ? emit.doubles : emit.floats
  const width = side === 'a' ? tileRows(simd) : tileColumns(simd)
  const lanes = side === 'a' ? job.m : job.n
  const laneStep = (side === 'a' ? at.row : at.column) * bytes
  const kStep = (side === 'a' ? at.column : at.row) * bytes
  const pack = side === 'a' ? emit.library[`gemmPackA${job.bits}`] : emit.library[`gemmPackB${job.bits}`]
  func.for(first, end, 1, panel => {
    func.call(pack, i32.add(from, i32.mul(panel, width * laneStep)), kStep, laneStep, depth, i32.minS(width, i32.sub(lanes, i32.mul(panel, width))), i32.add(to, i32.mul(panel, width * job.k * bytes)))
  })
}

/** One matrix of the stack a unit, several where they are tiny. */
function whole(emit: Emit, job: GemmJob): Task {
  const { m, n, k, bits } = job
  const bytes = bits / 8
  const simd = bits === 64 ? emit.doubles : emit.floats
  const high = tileRows(simd), width = tileColumns(simd)
  const panelsA = Math.ceil(m / high)
  const panelsB = Math.ceil(n / width)
  const packs = !direct(job, simd)
  const rows = byRows(job, simd)
  const sizeA = rows ? 0 : up(panelsA * high * k * bytes, 64)
  const sizeB = packs ? up(panelsB * width * k * bytes, 64) : 0
  const spare = high * width * bytes
  const size = sizeA + sizeB + spare
  const start = emit.scratch(size * emit.threads)
  const entries = stackSize(job.stack)
  const each = Math.max(1, Math.min(entries, Math.floor(unitWork / 8 / Math.max(1, m * n * k))))
  const run = emit.module.func(['i32', 'i32'])
  const [unit, thread] = run.params
  const own = run.let(i32.add(i32.mul(thread, size), start))
  const ownB = run.let(i32.add(own, sizeA))
  const first = run.let(i32.mul(unit, each))
  const end = run.let(i32.minS(i32.add(first, each), entries))
  run.for(first, end, 1, entry => {
    const func = run as unknown as Func
    const a = entryAt(func, job, job.a.address, 'a', entry)
    if (!rows) packPanels(func, emit, job, 'a', a, own, 0, panelsA)
    const b = entryAt(func, job, job.b.address, 'b', entry)
    if (packs) packPanels(func, emit, job, 'b', b, ownB, 0, panelsB)
    const c = entryAt(func, job, job.c.address, 'c', entry)
    const [panel, step] = packs ? [k * width * bytes, width * bytes] : [width * bytes, job.b.row * bytes]
    run.call(emit.library[`${rows ? 'gemmRows' : 'gemmBlock'}${bits}`], rows ? a : own, packs ? ownB : b, panel, step, k, c, job.c.row * bytes, m, n, i32.add(own, sizeA + sizeB), job.a.row * bytes)
  })
  const units = Math.ceil(entries / each)
  job.epilogue?.emit(run, { row0: i32.mul(first, m), row1: i32.mul(end, m), column0: 0, column1: n }, unit, thread, units)
  return { name: job.name, units, reads: job.reads, writes: [...job.writes, { start, end: start + size * emit.threads }], run }
}

/** An operand in panels, where these lie, and the tasks that pack it. */
interface Packed {
  readonly operand: Operand
  readonly region: Region
  readonly tasks: readonly Task[]
}

/** Lanes of a panel of an operand, how many panels there are, and bytes of all. */
function panelsOf(emit: Emit, { m, n, k, bits }: GemmJob, side: 'a' | 'b'): { readonly lanes: number; readonly panels: number; readonly size: number } {
  const simd = bits === 64 ? emit.doubles : emit.floats
  const lanes = side === 'a' ? tileRows(simd) : tileColumns(simd)
  const panels = Math.ceil((side === 'a' ? m : n) / lanes)
  return { lanes, panels, size: up(panels * lanes * k * bits / 8, 64) }
}

/** Elements that one unit packs. */
const packWork = 16384

/** Packs an operand's matrix of each entry of the stack; what is the same for all entries once. */
function packMatrices(emit: Emit, job: GemmJob, side: 'a' | 'b'): Packed {
  const { k, bits } = job
  const { lanes, panels, size } = panelsOf(emit, job, side)
  const shared = job.stack.every(axis => axis.size === 1 || axis[side] === 0)
  const copies = shared ? 1 : stackSize(job.stack)
  const kept = job[side === 'a' ? 'keepsA' : 'keepsB']?.(size * copies)
  const address = kept?.address ?? emit.scratch(size * copies)
  const operand: Operand = { at: (_func, entry) => i32.add(i32.mul(entry, shared ? 0 : size), address), panel: lanes * k * bits / 8, step: lanes * bits / 8 }
  const region = { start: address, end: address + size * copies }
  if (kept?.packed) return { operand, region, tasks: [] }
  const each = Math.max(1, Math.floor(packWork / (lanes * k)))
  const units = Math.ceil(panels / each)
  const run = emit.module.func(['i32', 'i32'])
  const [unit] = run.params
  const func = run as unknown as Func
  const entry = run.let(i32.divU(unit, units))
  const first = run.let(i32.mul(i32.remU(unit, units), each))
  packPanels(func, emit, job, side, entryAt(func, job, job[side].address, side, entry), run.let(i32.add(i32.mul(entry, size), address)), first, i32.minS(i32.add(first, each), panels))
  return { operand, region, tasks: [{ name: `${job.name} (pack)`, units: units * copies, reads: job.reads, writes: [region], run, ...kept?.once && { once: true } }] }
}

/** Packs an operand of each term of a sum behind that of the term before, along k. Each unit packs one term. */
function packTerms(emit: Emit, job: GemmJob, terms: readonly Term[], side: 'a' | 'b'): Packed {
  const { k, bits } = job
  const bytes = bits / 8
  const { lanes, panels, size } = panelsOf(emit, job, side)
  const start = emit.scratch(size)
  const region = { start, end: start + size }
  const depth = k / terms.length
  const alike = new Map<string, { readonly at: MatrixAt; readonly places: number[] }>()
  terms.forEach((term, i) => {
    const at = term[side === 'a' ? 0 : 1]
    const key = `${at.row} ${at.column}`
    if (!alike.has(key)) alike.set(key, { at, places: [] })
    alike.get(key)!.places.push(at.address, start + i * depth * lanes * bytes)
  })
  const tasks = [...alike.values()].map(({ at, places }): Task => {
    const table = emit.table(places)
    const run = emit.module.func(['i32', 'i32'])
    const entry = run.let(i32.mul(run.params[0], 8))
    packPanels(run, emit, job, side, run.let(i32.load(entry, table)), run.let(i32.load(entry, table + 4)), 0, panels, at, depth)
    return { name: `${job.name} (pack)`, units: places.length / 2, reads: job.reads, writes: [region], run }
  })
  return { operand: { at: () => i32.const(start), panel: lanes * k * bytes, step: lanes * bytes }, region, tasks }
}

/** Panels of each operand are packed first; then each unit multiplies a block of rows by a range of columns. */
function inBlocks(emit: Emit, job: GemmJob): Task[] {
  const { m, n, k, bits } = job
  const bytes = bits / 8
  const simd = bits === 64 ? emit.doubles : emit.floats
  const high = tileRows(simd), width = tileColumns(simd)
  const entries = stackSize(job.stack)
  const packing: Task[] = []
  const panels: Region[] = []
  const pack = (side: 'a' | 'b'): Operand => {
    const { operand, region, tasks } = job.terms ? packTerms(emit, job, job.terms, side) : packMatrices(emit, job, side)
    packing.push(...tasks)
    panels.push(region)
    return operand
  }
  const lying = (side: 'a' | 'b', panel: number, step: number): Operand => ({ at: (func, entry) => entryAt(func, job, job[side].address, side, entry), panel, step })
  const rowwise = byRows(job, simd)
  const a = rowwise ? lying('a', 0, job.a.row * bytes) : pack('a')
  const b = direct(job, simd) ? lying('b', width * bytes, job.b.row * bytes) : pack('b')
  // blocks of whole rows are lower, so that there are enough of them
  const leastRows = job.epilogue?.wholeRows ? 2 * high : 32
  const rowsEach = up(Math.min(blockRows, Math.max(high, Math.ceil(m / Math.max(1, Math.min(Math.ceil(m / leastRows), Math.ceil(m * n * k / unitWork)))))), high)
  const rowBlocks = Math.ceil(m / rowsEach)
  const wanted = Math.max(1, Math.ceil(rowsEach * n * k / (2 * unitWork)), Math.ceil(fewUnits / (entries * rowBlocks)))
  const columnsEach = job.epilogue?.wholeRows ? n : up(Math.max(width, Math.ceil(n / Math.min(wanted, Math.ceil(n / (4 * width))))), width)
  const columnBlocks = Math.ceil(n / columnsEach)
  const spare = high * width * bytes
  const spares = emit.scratch(spare * emit.threads)
  const run = emit.module.func(['i32', 'i32'])
  const [unit, thread] = run.params
  const func = run as unknown as Func
  const entry = run.let(i32.divU(unit, rowBlocks * columnBlocks))
  const rest = run.let(i32.remU(unit, rowBlocks * columnBlocks))
  // blocks of one range of columns follow each other, so that the panels of B are still near
  const row = run.let(i32.mul(i32.remU(rest, rowBlocks), rowsEach))
  const column = run.let(i32.mul(i32.divU(rest, rowBlocks), columnsEach))
  const rows = run.let(i32.minS(rowsEach, i32.sub(m, row)))
  const columns = run.let(i32.minS(columnsEach, i32.sub(n, column)))
  const c = run.let(i32.add(entryAt(func, job, job.c.address, 'c', entry), i32.add(i32.mul(row, job.c.row * bytes), i32.mul(column, bytes))))
  run.call(emit.library[`${rowwise ? 'gemmRows' : 'gemmBlock'}${bits}`],
    i32.add(a.at(func, entry), i32.mul(row, rowwise ? a.step : k * bytes)), i32.add(b.at(func, entry), i32.mul(i32.divU(column, width), b.panel)), b.panel, b.step,
    k, c, job.c.row * bytes, rows, columns, i32.add(i32.mul(thread, spare), spares), a.step)
  const units = entries * rowBlocks * columnBlocks
  const above = run.let(i32.add(i32.mul(entry, m), row))
  job.epilogue?.emit(run, { row0: above, row1: i32.add(above, rows), column0: column, column1: i32.add(column, columns) }, unit, thread, units)
  return [...packing, {
    name: job.name, units, reads: [...job.reads, ...panels],
    writes: [...job.writes, { start: spares, end: spares + spare * emit.threads }], run,
  }]
}
