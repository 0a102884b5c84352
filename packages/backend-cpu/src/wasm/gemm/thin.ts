// Products of few rows with a matrix whose rows lie along k, as a layer's weights do: dot products, with nothing packed.

import type { Emit } from '../../program/emit.ts'
import type { LibraryEntry } from '../../program/library.ts'
import type { Task } from '../../program/task.ts'
import { i32, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { entryAt, type GemmJob, stackSize } from './job.ts'

/** Rows of A up to which each row of B is better read once for each than packed once for all. */
const mostRows = 3
/** Rows of B that are multiplied at once, each with a sum of its own. */
const together = 4
/** Multiplications that make a unit. */
const unitWork = 1 << 16

/** Whether a product is one of few dot products. */
export const isThin = ({ m, a, b, k }: Pick<GemmJob, 'm' | 'a' | 'b' | 'k'>): boolean => m <= mostRows && k > 1 && a.column === 1 && b.row === 1

/* dots(a, b, bytes between rows of b, k, c, columns): c = a·bᵀ for one row a */
function defineDots(func: Func, simd: Simd): void {
  type P = Local<'i32'>
  const [a, b, row, k, c, columns] = func.params as unknown as [P, P, P, P, P, P]
  const { op, bytes, lanes } = simd
  const x = func.local('v128')
  const vectors = func.let(i32.mul(i32.divU(k, lanes), 16))
  const all = func.let(i32.mul(k, bytes))
  const products = (count: number): void => {
    const lines = Array.from({ length: count }, (_, i) => func.let(i32.add(b, i32.mul(row, i))))
    const sums = lines.map(() => {
      const sum = func.local('v128')
      func.set(sum, op.const(0))
      return sum
    })
    const at = func.int(0)
    func.while(i32.ltU(at, vectors), () => {
      func.set(x, v128.load(i32.add(a, at)))
      lines.forEach((line, i) => { func.set(sums[i]!, simd.madd(x, v128.load(i32.add(line, at)), sums[i]!)) })
      func.add(at, 16)
    })
    // what is left of k adds to the first lane, the others get nothing
    func.while(i32.ltU(at, all), () => {
      func.set(x, simd.loadOne(i32.add(a, at)))
      lines.forEach((line, i) => { func.set(sums[i]!, op.add(sums[i]!, op.mul(x, simd.loadOne(i32.add(line, at))))) })
      func.add(at, bytes)
    })
    sums.forEach((sum, i) => {
      for (let half = 8; half >= bytes; half /= 2) func.set(sum, op.add(sum, v128.shuffle(sum, sum, Array.from({ length: 16 }, (_, byte) => (byte + half) % 16))))
      func.do(simd.storeOne(c, sum, i * bytes))
    })
    func.add(b, i32.mul(row, count))
    func.add(c, count * bytes)
    func.add(columns, -count)
  }
  func.while(i32.geS(columns, together), () => { products(together) })
  func.while(columns, () => { products(1) })
}

/** The tasks of a thin product: each unit makes some columns of all rows of one entry. */
export function thin(emit: Emit, job: GemmJob): Task[] {
  const { m, n, k, bits, a, b, c, name, reads, writes } = job
  const bytes = bits / 8
  const entries = stackSize(job.stack)
  const columnsEach = job.epilogue?.wholeRows ? n : Math.min(n, Math.max(together, Math.ceil(unitWork / (m * k) / together) * together))
  const blocks = Math.ceil(n / columnsEach)
  const units = entries * blocks
  const run = emit.module.func(['i32', 'i32'])
  const func = run as unknown as Func
  const [unit, thread] = run.params
  const entry = run.let(i32.divU(unit, blocks))
  const first = run.let(i32.mul(i32.remU(unit, blocks), columnsEach))
  const end = run.let(i32.minS(i32.add(first, columnsEach), n))
  const [atA, atB, atC] = [entryAt(func, job, a.address, 'a', entry), entryAt(func, job, b.address, 'b', entry), entryAt(func, job, c.address, 'c', entry)]
  for (let i = 0; i < m; i++) {
    run.call(emit.library[`gemmDots${bits}`], i32.add(atA, i * a.row * bytes), i32.add(atB, i32.mul(first, b.column * bytes)), b.column * bytes, k, i32.add(i32.add(atC, i * c.row * bytes), i32.mul(first, bytes)), i32.sub(end, first))
  }
  job.epilogue?.emit(run, { row0: i32.mul(entry, m), row1: i32.mul(i32.add(entry, 1), m), column0: first, column1: end }, unit, thread, units)
  return [{ name, units, reads, writes, run }]
}

/** The thin product's part of the library. */
export const thinLibrary = {
  gemmDots32: { params: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], define: (func, _own, simd) => { defineDots(func, simd) } },
  gemmDots64: { params: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], define: (func, _own, _floats, simd) => { defineDots(func, simd) } },
} satisfies Record<string, LibraryEntry>
