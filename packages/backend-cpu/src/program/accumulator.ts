// A sum or a maximum in the making: in several vectors, so that no addition waits for the one before, brought together at the end.

import { i32x4, type V128, v128 } from '../wasm/instructions.ts'
import type { Func, Local } from '../wasm/module.ts'
import type { Simd } from '../wasm/simd.ts'
import type { LoopOp } from './loopSpec.ts'
import { acrossLanes, combine, firstLaneOnly, neutral } from './vector.ts'

type Vector = Local<'v128'>

/** What a loop reduces. */
export type Reduction = LoopOp & { readonly kind: 'reduce' }

/** The registers of one reduction within a row or over everything. */
export class Accumulator {
  private readonly func: Func
  private readonly op: Reduction
  private readonly simd: Simd
  private readonly sums: readonly Vector[]
  /**
   * Where NaN was met. A maximum is taken by an instruction that ignores NaN, for the one that does not is eight on some
   * machines; those that were ignored are remembered here.
   */
  private readonly nan: readonly Vector[]
  /** What lines before the present one came to. */
  private lines: Vector | null = null

  constructor(func: Func, simd: Simd, op: Reduction, parts: number) {
    this.func = func
    this.op = op
    this.simd = simd
    const vectors = (): Vector[] => Array.from({ length: parts }, () => func.local('v128'))
    this.sums = vectors()
    this.nan = op.how === 'max' && op.dtype !== 'int32' ? vectors() : []
  }

  /** Begins anew. */
  start(): void {
    const { how, dtype } = this.op
    for (const sum of this.sums) this.func.set(sum, neutral(how, dtype, this.simd.bits))
    for (const nan of this.nan) this.func.set(nan, i32x4.const(0))
  }

  /** Takes in a vector, part `part` of a round; of a single element only the first lane. */
  add(value: V128, part: number, single: boolean): void {
    const { func, simd, op: { how, dtype } } = this
    const here = single ? firstLaneOnly(how, dtype, simd.bits, value) : value
    const sum = this.sums[part]!, nan = this.nan[part]
    if (!nan) {
      func.set(sum, combine(how, dtype, simd.bits, sum, here))
      return
    }
    func.set(sum, simd.op.pmax(sum, here))
    func.set(nan, v128.or(nan, simd.op.ne(here, here)))
  }

  /** Rows of several lines are summed line by line: an error grows with a line and with their number, not with their product. */
  inLines(line: () => void): void {
    const { func, op: { how, dtype }, simd: { bits } } = this
    const lines = this.lines ??= func.local('v128')
    func.set(lines, this.sums[0]!)
    this.start()
    line()
    func.set(lines, combine(how, dtype, bits, lines, this.inOne()))
    this.start()
    func.set(this.sums[0]!, lines)
  }

  /** The result in every lane. */
  finish(): V128 {
    const { func, op: { how, dtype }, simd: { bits } } = this
    const total = this.inOne()
    func.set(total, acrossLanes(how, dtype, bits, total, v => func.let(v)))
    return total
  }

  /** All parts in the first. */
  private inOne(): Vector {
    const { func, op: { how, dtype }, simd: { bits } } = this
    const [total, ...rest] = this.sums as [Vector, ...Vector[]]
    this.nan.forEach((nan, part) => { func.set(this.sums[part]!, v128.or(this.sums[part]!, nan)) })
    for (const sum of rest) func.set(total, combine(how, dtype, bits, total, sum))
    return total
  }
}
