// Emits a loop nest: rows by rows, each in as many passes as its reductions ask for, a vector at a time.

import type { DType } from '@bp/core'
import { i32, type I32, type Int, memory, type V128, v128 } from '../wasm/instructions.ts'
import type { Func, Local } from '../wasm/module.ts'
import type { Simd } from '../wasm/simd.ts'
import { Accumulator, type Reduction } from './accumulator.ts'
import { emitMap } from './elementwise.ts'
import type { Emit } from './emit.ts'
import type { Cut, Walk } from './loopCut.ts'
import type { Arg, LoopOp, LoopSpec } from './loopSpec.ts'
import type { Stage } from './stages.ts'
import { bytesOf, combine, constant, loadLanes, loadOne, loadSplat, loadVector, neutral, storeLane, storeVector } from './vector.ts'

type Vector = Local<'v128'>
type Mapping = LoopOp & { readonly kind: 'map' }
type Params = readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32']

/** A loop's function, (row0, row1, column0, column1, unit, thread), and where it leaves what is not yet reduced over units. */
export interface LoopKernel {
  readonly func: Func<Params>
  /** For each reduction over columns or all: where the unit with number u leaves its part, at `address + u · bytes`. */
  readonly partials: ReadonlyMap<number, { readonly address: number; readonly bytes: number }>
}

/** How a body is emitted: whole vectors, `part` of an unrolled round; or one element in the first lane. */
interface Mode {
  readonly part: number
  readonly single: boolean
}

/** Emits the function of a loop for at most `units` units. */
export function emitLoop(emit: Emit, spec: LoopSpec, { walk, stages }: Cut, units: number): LoopKernel {
  return new LoopEmitter(emit, spec, walk, stages, units).emit()
}

class LoopEmitter {
  private readonly func: Func<Params>
  private readonly emitted: Emit
  private readonly spec: LoopSpec
  private readonly walk: Walk
  private readonly stages: readonly Stage[]
  private readonly simd: Simd
  private readonly bits: 32 | 64
  /** For each pass, how many vectors a round of its innermost loop computes. */
  private readonly unroll: readonly number[]
  /** Pointers of loads, then of stores, then of scratch and partial sums, at the start of the present row. */
  private readonly pointers: Local<'i32'>[]
  private readonly accumulators = new Map<number, Accumulator>()
  private readonly locals = new Map<string, Vector>()
  /** Ops that are kept in memory from the pass that computes them to a later one: which pointer. */
  private readonly kept = new Map<number, number>()
  private readonly sums = new Map<number, number>()
  private readonly partials = new Map<number, { address: number; bytes: number }>()
  /** Byte offset along the innermost axis, in bytes of the loop's own elements. */
  private readonly at: Local<'i32'>
  private ready = new Map<string, V128>()

  constructor(emit: Emit, spec: LoopSpec, walk: Walk, stages: readonly Stage[], units: number) {
    this.emitted = emit
    this.spec = spec
    this.walk = walk
    this.stages = stages
    this.bits = walk.bits
    this.simd = walk.bits === 64 ? emit.doubles : emit.floats
    this.func = emit.module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'])
    this.at = this.func.local('i32')
    this.unroll = Array.from({ length: Math.max(...stages.map(({ pass }) => pass)) + 1 }, (_, pass) => {
      const ops = spec.ops.filter((_, i) => stages[i]!.pass === pass && !stages[i]!.once)
      if (ops.length > 8) return 1
      // sums in several vectors do not wait for each other
      return ops.length <= 4 && ops.some(op => op.kind === 'reduce') ? 4 : 2
    })
    this.pointers = walk.places.map(() => this.func.local('i32'))
    this.reserve(units)
  }

  emit(): LoopKernel {
    const { func, spec } = this
    const [row0, row1] = func.params
    spec.ops.forEach((op, i) => { if (op.kind === 'reduce' && op.reach === 'all') this.accumulator(op, i).start() })
    for (const [op, k] of this.sums) {
      const { address, bytes } = this.partials.get(op)!
      func.set(this.pointers[k]!, i32.add(i32.mul(func.params[4], bytes), address))
      const { how, dtype } = spec.ops[op] as Reduction
      if (how === 'sum') func.do(memory.fill(this.pointers[k]!, 0, bytes))
      else func.for(0, bytes, 16, at => { func.do(v128.store(i32.add(this.pointers[k]!, at), neutral(how, dtype, this.bits))) })
    }
    func.for(row0, row1, 1, row => {
      this.setPointers(row)
      this.rowLoads()
      this.unroll.forEach((_, pass) => { this.pass(pass) })
    })
    spec.ops.forEach((op, i) => {
      if (op.kind !== 'reduce' || op.reach !== 'all') return
      const { address, bytes } = this.partials.get(i)!
      func.do(storeLane(op.dtype, this.bits, i32.add(i32.mul(func.params[4], bytes), address), this.accumulator(op, i).finish(), 0))
    })
    return { func, partials: this.partials }
  }

  /** Memory for what outlives a pass, and for parts of sums over columns or all. */
  private reserve(units: number): void {
    const { spec, walk, emitted } = this
    const row = walk.columns.reduce((n, size) => n * size, 1)
    spec.ops.forEach((op, i) => {
      if (op.kind === 'reduce' && op.reach !== 'row') {
        const bytes = op.reach === 'all' ? 16 : Math.ceil(row * bytesOf(op.dtype) / 64) * 64
        this.partials.set(i, { address: emitted.scratch(bytes * units), bytes })
        if (op.reach === 'column') this.sums.set(i, this.pointers.push(this.func.local('i32')) - 1)
      }
      if (!this.crosses(i)) return
      const store = spec.stores.findIndex(({ op: stored }) => stored === i)
      if (store >= 0) {
        this.kept.set(i, spec.loads.length + store)
        return
      }
      const bytes = Math.ceil(row * bytesOf(op.dtype) / 64) * 64
      const address = emitted.scratch(bytes * emitted.threads)
      const k = this.pointers.push(this.func.let(i32.add(i32.mul(this.func.params[5], bytes), address))) - 1
      this.kept.set(i, k)
    })
  }

  /** Whether a value computed for each element is read in a later pass. */
  private crosses(i: number): boolean {
    const op = this.spec.ops[i]!
    const stage = this.stages[i]!
    if (op.kind === 'reduce' || stage.once) return false
    return this.spec.ops.some((user, u) => this.stages[u]!.pass > stage.pass && argsOf(user).some(arg => arg.kind === 'value' && arg.at === i))
  }

  private setPointers(row: I32): void {
    const { func, walk } = this
    const places = walk.places
    const rest = func.int(row)
    // the place along each axis of rows, last first
    const indices: I32[] = []
    for (let axis = walk.rows.length - 1; axis >= 0; axis--) {
      if (axis === 0) indices[0] = rest
      else {
        indices[axis] = func.let(i32.remU(rest, walk.rows[axis]!))
        func.set(rest, i32.divU(rest, walk.rows[axis]!))
      }
    }
    places.forEach((place, k) => {
      const terms = indices.flatMap((index, axis) => place.rows[axis] === 0 ? [] : [i32.mul(index, place.rows[axis]! * bytesOf(place.dtype))])
      func.set(this.pointers[k]!, terms.reduce<I32>((sum, term) => i32.add(sum, term), i32.const(place.address)))
    })
  }

  /** What is the same for a whole row is read once. */
  private rowLoads(): void {
    this.ready = new Map()
    this.spec.loads.forEach((load, k) => {
      if (this.moves(k)) return
      const local = this.vector(`load ${k}`)
      this.func.set(local, loadSplat(load.dtype, this.bits, this.pointers[k]!))
      this.ready.set(`load ${k}`, local)
    })
  }

  private moves(k: number): boolean {
    return this.walk.places[k]!.columns.some(stride => stride !== 0)
  }

  private pass(pass: number): void {
    const { spec, stages } = this
    const here = spec.ops.flatMap((_, i) => stages[i]!.pass === pass ? i : [])
    for (const i of here.filter(i => stages[i]!.once)) {
      const op = spec.ops[i] as Mapping
      this.keep(`value ${i}`, `value ${i}`, this.compute(op, { part: 0, single: false }))
      this.storeRow(i)
    }
    const body = here.filter(i => !stages[i]!.once)
    if (body.length === 0) return
    for (const i of body) {
      const op = spec.ops[i]!
      if (op.kind === 'reduce' && op.reach === 'row') this.accumulator(op, i).start()
    }
    this.dividing(body, () => { this.nest(0, body, this.unroll[pass]!) })
    for (const i of body) {
      const op = spec.ops[i]!
      if (op.kind !== 'reduce' || op.reach !== 'row') continue
      const sum = this.accumulator(op, i).finish()
      this.ready.set(`value ${i}`, sum)
      this.storeRow(i)
    }
  }

  /** Writes a value that there is one of in each row. */
  private storeRow(i: number): void {
    this.spec.stores.forEach(({ op, to }, k) => {
      if (op === i) this.func.do(storeLane(to.dtype, this.bits, this.pointers[this.spec.loads.length + k]!, this.ready.get(`value ${i}`)!, 0))
    })
  }

  /** The axes within a row: all but the last one by one, the last in vectors. */
  private nest(axis: number, body: readonly number[], unroll: number): void {
    const { func, walk } = this
    const last = walk.columns.length - 1
    if (axis === last) {
      this.inLines(body, () => { this.line(body, unroll) })
      return
    }
    const steps = this.pointers.map((_, k) => this.columnStep(k, axis))
    func.for(0, walk.columns[axis]!, 1, () => {
      this.nest(axis + 1, body, unroll)
      this.pointers.forEach((pointer, k) => { if (steps[k] !== 0) func.add(pointer, steps[k]!) })
    })
    this.pointers.forEach((pointer, k) => { if (steps[k] !== 0) func.add(pointer, -steps[k]! * walk.columns[axis]!) })
  }

  /** Bytes from one element to the next along an axis within a row; scratch and parts of sums lie dense. */
  private columnStep(k: number, axis: number): number {
    const place = this.walk.places[k]
    if (place) return place.columns[axis]! * bytesOf(place.dtype)
    return this.walk.columns.slice(axis + 1).reduce((n, size) => n * size, 1) * bytesOf(this.typeOf(k))
  }

  private typeOf(k: number): DType {
    const place = this.walk.places[k]
    if (place) return place.dtype
    for (const [op, at] of [...this.sums, ...this.kept]) if (at === k) return this.spec.ops[op]!.dtype
    throw new Error('a pointer to nothing')
  }

  /** A line of a row; where there are several, sums go line by line. */
  private inLines(body: readonly number[], line: () => void): void {
    const sums = this.walk.columns.length === 1 ? [] : body.flatMap(i => {
      const op = this.spec.ops[i]!
      return op.kind === 'reduce' && op.reach !== 'column' ? this.accumulator(op, i) : []
    })
    sums.reduce((inner, sum) => () => { sum.inLines(inner) }, line)()
  }

  private line(body: readonly number[], unroll: number): void {
    const { func, simd, at } = this
    const split = this.walk.columns.length === 1
    const [start, end] = split ? [func.params[2], func.params[3]] : [0, this.walk.columns.at(-1)!]
    const bytes = (n: Int): Int => typeof n === 'number' ? n * simd.bytes : i32.mul(n, simd.bytes)
    const size = typeof end === 'number' ? end : undefined
    const stop = func.int(bytes(end))
    func.set(at, i32.const(bytes(start)))
    if (unroll > 1 && (size === undefined || size >= simd.lanes * unroll)) {
      func.while(i32.leS(i32.add(at, 16 * unroll), stop), () => {
        func.inTurns(Array.from({ length: unroll }, (_, part) => () => { this.body(body, { part, single: false }) }))
        func.add(at, 16 * unroll)
      })
    }
    func.while(i32.leS(i32.add(at, 16), stop), () => {
      this.body(body, { part: 0, single: false })
      func.add(at, 16)
    })
    if (size !== undefined && size % simd.lanes === 0) return
    func.while(i32.ltS(at, stop), () => {
      this.body(body, { part: 0, single: true })
      func.add(at, simd.bytes)
    })
  }

  private body(ops: readonly number[], mode: Mode): void {
    const before = this.ready
    this.ready = new Map(before)
    for (const i of ops) {
      const op = this.spec.ops[i]!
      if (op.kind === 'reduce') {
        this.accumulate(op, i, mode)
        continue
      }
      this.keep(`value ${i}`, `value ${i} ${mode.part}`, this.compute(op, mode))
      const value = this.ready.get(`value ${i}`)!
      this.spec.stores.forEach(({ op: stored }, k) => { if (stored === i) this.write(this.spec.loads.length + k, value, mode) })
      const scratch = this.kept.get(i)
      if (scratch !== undefined && scratch >= this.walk.places.length) this.write(scratch, value, mode)
    }
    this.ready = before
  }

  /**
   * Emits the walk over a row in which elements are divided by what is the same for the whole row: where the reciprocal is a
   * normal number elements are multiplied by it, which is several times as fast and within 1.5 ulp; else they are divided.
   */
  private dividing(body: readonly number[], walk: () => void): void {
    const { func, simd } = this
    const divisors = new Set(body.flatMap(i => {
      const op = this.spec.ops[i]!
      const key = op.kind === 'map' && isDivision(op) ? keyOf(op.args[1]!) : ''
      return this.ready.has(key) ? key : []
    }))
    if (divisors.size === 0) {
      walk()
      return
    }
    const bound = simd.bits === 64 ? 2 ** 1021 : 2 ** 125
    const sizes = [...divisors].map(key => func.let(simd.op.abs(this.ready.get(key)!)))
    const far = sizes.map(size => v128.not(v128.and(simd.op.ge(size, simd.op.const(1 / bound)), simd.op.le(size, simd.op.const(bound))))).reduce((a, b) => v128.or(a, b))
    func.if(v128.anyTrue(far), walk, () => {
      const before = this.ready
      this.ready = new Map(before)
      for (const key of divisors) this.keep(`reciprocal ${key}`, `reciprocal ${key}`, simd.op.div(simd.op.const(1), before.get(key)!))
      walk()
      this.ready = before
    })
  }

  private compute(op: Mapping, mode: Mode): V128 {
    const reciprocal = isDivision(op) ? this.ready.get(`reciprocal ${keyOf(op.args[1]!)}`) : undefined
    if (reciprocal) return this.simd.op.mul(this.value(op.args[0]!, mode), reciprocal)
    return emitMap(this.func, this.simd, op, op.args.map(arg => this.value(arg, mode)))
  }

  private value(arg: Arg, mode: Mode): V128 {
    if (arg.kind === 'constant') return constant(arg.value, arg.dtype, this.bits)
    const key = keyOf(arg)
    const known = this.ready.get(key)
    if (known) return known
    const k = arg.kind === 'load' ? arg.at : this.kept.get(arg.at)!
    return this.keep(key, `${key} ${mode.part}`, this.read(k, mode))
  }

  private keep(key: string, name: string, value: V128): V128 {
    const local = this.vector(name)
    this.func.set(local, value)
    this.ready.set(key, local)
    return local
  }

  /** The address of the present element of a pointer, without the part of an unrolled round. */
  private address(k: number): { at: I32; step: number } {
    const dtype = this.typeOf(k)
    const step = this.columnStep(k, this.walk.columns.length - 1) / bytesOf(dtype)
    const element = bytesOf(dtype) === this.simd.bytes ? this.at : i32.shrU(this.at, this.bits === 64 ? 3 : 2)
    return { at: i32.add(this.pointers[k]!, step === 1 ? element : i32.mul(element, step)), step }
  }

  private read(k: number, { part, single }: Mode): V128 {
    const dtype = this.typeOf(k)
    const { at, step } = this.address(k)
    const width = bytesOf(dtype)
    if (single) return loadOne(dtype, this.bits, at)
    if (step === 0) return loadSplat(dtype, this.bits, at)
    if (step === 1) return loadVector(dtype, this.bits, at, part * this.simd.lanes * width)
    const from = this.func.let(at)
    return loadLanes(dtype, this.bits, Array.from({ length: this.simd.lanes }, (_, lane) => i32.add(from, (part * this.simd.lanes + lane) * step * width)))
  }

  private write(k: number, value: V128, { part, single }: Mode): void {
    const dtype = this.typeOf(k)
    const { at, step } = this.address(k)
    const width = bytesOf(dtype)
    if (single) this.func.do(storeLane(dtype, this.bits, at, value, 0))
    else if (step === 1) this.func.do(storeVector(dtype, this.bits, at, value, part * this.simd.lanes * width))
    else {
      const to = this.func.let(at)
      for (let lane = 0; lane < this.simd.lanes; lane++) this.func.do(storeLane(dtype, this.bits, i32.add(to, (part * this.simd.lanes + lane) * step * width), value, lane))
    }
  }

  private accumulator(op: Reduction, i: number): Accumulator {
    let accumulator = this.accumulators.get(i)
    if (!accumulator) this.accumulators.set(i, accumulator = new Accumulator(this.func, this.simd, op, this.unroll[this.stages[i]!.pass]!))
    return accumulator
  }

  private accumulate(op: Reduction, i: number, mode: Mode): void {
    const value = this.value(op.arg, mode)
    if (op.reach === 'column') {
      const k = this.sums.get(i)!
      this.write(k, combine(op.how, op.dtype, this.bits, this.read(k, mode), value), mode)
      return
    }
    this.accumulator(op, i).add(value, mode.part, mode.single)
  }

  private vector(name: string): Vector {
    let local = this.locals.get(name)
    if (!local) this.locals.set(name, local = this.func.local('v128'))
    return local
  }
}

/** By what the vectors of an operand are known. */
const keyOf = (arg: Arg): string => arg.kind === 'constant' ? '' : `${arg.kind} ${arg.at}`

/** Whether an op divides floats. */
const isDivision = ({ name, dtype }: Mapping): boolean => name === 'div' && dtype !== 'int32'

const argsOf = (op: LoopOp): readonly Arg[] => op.kind === 'map' ? op.args : [op.arg]
