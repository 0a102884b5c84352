// A program in memory: brings arguments in, runs its parts on all threads, carries results out.

import type { DType, TypedArray, Variable } from '@bp/core'
import { allocate, Aval, convert, fail, type Graph, type Id, lookUp, type Operand, type Program, sizeOf } from '@bp/core/extend'
import type { Engine } from '../engine.ts'
import { control } from '../threads/control.ts'
import type { Loaded } from '../threads/pool.ts'
import { engine as host } from '../wasm/engine.ts'
import { readStrided } from '../strided.ts'
import { isDense } from './space.ts'
import { outsOf, type Step, type Steps } from './steps.ts'
import type { Task } from './task.ts'

/** A piece of a program: tasks in WebAssembly, or one op in TypeScript. */
export type Part =
  | { readonly kind: 'segment'; readonly index: number; /** Whether it runs only where what it reads has changed. */ readonly once?: true }
  | { readonly kind: 'island'; readonly step: Step }

/** A module, its parts in order, and the tasks of each segment. */
export interface Emitted {
  readonly parts: readonly Part[]
  readonly tasks: readonly (readonly Task[])[]
  encode(): Uint8Array<ArrayBuffer>
}

/** A module that all threads have. */
interface Running extends Emitted {
  readonly loaded: Loaded
  readonly codeBytes: number
  /** Which segments are worth sharing. */
  readonly share: readonly boolean[]
  /** The number of each segment's first task. */
  readonly firstTask: readonly number[]
}

/** What lowering has made. */
export interface Lowered {
  /** Gives back the memory that values lie in. */
  readonly give: () => void
  /** Whether other threads are left where they are. */
  readonly alone: boolean
  readonly bytes: number
  readonly addresses: ReadonlyMap<Id, { readonly address: number }>
  readonly counters: number
  readonly program: Emitted
  /** The same with each task by itself, for measuring. */
  apart(): Emitted
  readonly notes: readonly string[]
  readonly dump: Program['dump']
}

/** Elements that make threads worth waking: about what one core does in ten microseconds. */
const worthSharing = 2

/** Runs before a profile is taken, so that the engine has compiled what is measured: the median of the last nine counts. */
const profileRounds = 40

/** A lowered graph. Its memory is given back when nobody holds it any longer. */
export class Executable implements Program {
  readonly bytes: number
  readonly notes: readonly string[]
  readonly dump: Program['dump']
  private readonly engine: Engine
  private readonly graph: Graph
  private readonly steps: Steps
  private readonly lowered: Lowered
  private readonly running: Running
  /** New values of variables that are not made where the variable lies. */
  private readonly moved: readonly { readonly variable: Variable; readonly id: Id }[]
  private readonly views = new Map<Id, TypedArray>()
  /** How often each variable had been written when it was last read; one more once there has been a run. */
  private readonly seen: number[] = []
  /** The whole memory. */
  private words = new Int32Array(0)
  private readonly held: Held

  constructor(engine: Engine, graph: Graph, steps: Steps, lowered: Lowered) {
    this.engine = engine
    this.graph = graph
    this.steps = steps
    this.lowered = lowered
    this.bytes = lowered.bytes
    this.notes = lowered.notes
    this.dump = lowered.dump
    this.moved = graph.updates.flatMap(({ variable }, i) => {
      const id = steps.updates[i]!
      return lowered.addresses.get(id)!.address === engine.residence(variable) ? [] : [{ variable, id }]
    })
    this.running = this.load(lowered.program)
    this.held = { engine, lowered: { give: lowered.give, counters: lowered.counters }, program: this.running.loaded }
    released.register(this, this.held, this)
  }

  /** Bytes of code. */
  get codeBytes(): number {
    return this.running.codeBytes
  }

  /** Gives memory and code back at once; the program must not run again. */
  release(): void {
    released.unregister(this)
    giveBack(this.held)
  }

  run(inputs: readonly object[], live: readonly number[]): object[] {
    this.bringIn(inputs as readonly TypedArray[], live)
    this.runParts()
    return this.carryOut()
  }

  /** Runs it on the first elements of its inputs, as many as are given, and writes as many of its first output. */
  runInto(inputs: readonly TypedArray[], output: TypedArray): void {
    this.bringIn(inputs, [])
    this.runParts()
    output.set(this.view(this.steps.outputs[0]!).subarray(0, output.length) as never)
  }

  private load(emitted: Emitted): Running {
    const { engine } = this
    const bytes = emitted.encode()
    const module = new (host().Module)(bytes)
    const { run } = new (host().Instance)(module, { env: { memory: engine.heap.memory, ...engine.kernels } }).exports
    return {
      ...emitted, codeBytes: bytes.length, loaded: engine.pool.load(engine.library, module, run as Loaded['run'], this.lowered.alone),
      share: emitted.tasks.map(tasks => tasks.some(({ units }) => units >= worthSharing)),
      firstTask: emitted.tasks.map((_, i) => emitted.tasks.slice(0, i).reduce((n, { length }) => n + length, 0)),
    }
  }

  profile(inputs: readonly object[], live: readonly number[]): { readonly name: string; readonly milliseconds: number }[] {
    const apart = this.load(this.lowered.apart())
    const times = apart.parts.map((): number[] => [])
    const kept = this.graph.updates.map(({ variable }) => (variable.storage as TypedArray).slice())
    for (let round = 0; round < profileRounds; round++) {
      this.bringIn(inputs as readonly TypedArray[], live)
      apart.parts.forEach((part, i) => {
        if ('once' in part && round > 0) return
        const begin = performance.now()
        this.runPart(apart, part)
        times[i]!.push(performance.now() - begin)
      })
      // all rounds but the last leave variables as they were
      if (round < profileRounds - 1) this.graph.updates.forEach(({ variable }, i) => { variable.storage = kept[i]!.slice() })
    }
    this.carryOut()
    this.engine.pool.unload(apart.loaded, () => { /* its memory is this program's */ })
    return apart.parts.flatMap((part, i) => 'once' in part ? [] : ({
      name: part.kind === 'island' ? `${part.step.name} (TypeScript)` : apart.tasks[part.index]!.map(({ name }) => name).join(', '),
      milliseconds: times[i]!.slice(-9).sort((a, b) => a - b)[4]!,
    }))
  }

  private runParts(): void {
    const changed = this.changed()
    for (const part of this.running.parts) if (changed || !('once' in part)) this.runPart(this.running, part)
  }

  /** Whether this is the first run, or a variable has been written since the one before. */
  private changed(): boolean {
    const { engine, graph: { variables }, seen } = this
    let changed = seen.length !== variables.length + 1
    for (let i = 0; i < variables.length; i++) {
      const writes = engine.writes(variables[i]!.value)
      if (writes === seen[i]) continue
      seen[i] = writes
      changed = true
    }
    seen[variables.length] = 0
    return changed
  }

  private runPart({ loaded, share, tasks, firstTask }: Running, part: Part): void {
    if (part.kind === 'island') this.island(part.step)
    else this.engine.pool.run(loaded, part.index, share[part.index]!, this.lowered.counters + 4 * firstTask[part.index]!, tasks[part.index]!.length)
  }

  private view(id: Id): TypedArray {
    const known = this.views.get(id)
    if (known) return known
    const { dtype, shape } = this.steps.avals.get(id)!
    const view = this.engine.heap.view(dtype, this.lowered.addresses.get(id)!.address, sizeOf(shape))
    this.views.set(id, view)
    return view
  }

  /** Lets views go that were made before the memory grew. */
  private look(): void {
    const { buffer } = this.engine.heap.memory
    if (buffer === this.words.buffer) return
    this.views.clear()
    this.words = new Int32Array(buffer)
  }

  private bringIn(inputs: readonly TypedArray[], live: readonly number[]): void {
    const { graph, lowered, engine } = this
    this.look()
    graph.inputs.forEach(({ id }, i) => { if (lowered.addresses.has(id)) this.view(id).set(inputs[i] as never) })
    graph.live.forEach(({ id }, i) => { if (lowered.addresses.has(id)) this.view(id)[0] = live[i]! })
    for (const { value } of graph.variables) engine.settle(value)
    this.words[control.error / 4] = 0
  }

  private carryOut(): TypedArray[] {
    this.look()
    if (this.words[control.error / 4] !== 0) fail('value', 'gather', 'an index is out of range. Run the function without compile to see which op it is')
    const outputs = this.steps.outputs.map(id => this.view(id).slice())
    for (const { variable } of this.graph.updates) this.engine.wrote(variable)
    // all new values are there before the first variable changes
    const values = this.moved.map(({ id }) => this.moved.length > 1 ? this.view(id).slice() : this.view(id))
    this.moved.forEach(({ variable }, i) => {
      this.engine.heap.view(variable.dtype, this.engine.residence(variable), sizeOf(variable.shape)).set(values[i] as never)
    })
    return outputs
  }

  /** An op without a kernel here: the backend's own runs on the memory. */
  private island(step: Step): void {
    const operands = step.ins.map((ref): Operand<TypedArray> => {
      const aval = new Aval(ref.layout.shape, ref.dtype)
      const storage = 'constant' in ref ? filled(ref.dtype, sizeOf(ref.layout.shape), ref.constant) : isDense(ref.layout) ? this.view(ref.base).subarray(0, sizeOf(ref.layout.shape)) : readStrided(this.view(ref.base), ref.layout.offset, ref.layout.strides, ref.layout.shape, allocate(ref.dtype, sizeOf(ref.layout.shape)))
      return { storage, aval, shape: aval.shape, dtype: aval.dtype }
    })
    const outs = outsOf(step)
    const { node, avals } = step as Step & { readonly kind: 'island' }
    if (node === null) {
      this.view(outs[0]!).set(operands[0]!.storage as never)
      return
    }
    const kernel = lookUp(node.row, this.engine.backend)!
    const storages = [kernel(operands, node.params as never, (avals.length === 1 ? avals[0] : avals) as never)].flat() as TypedArray[]
    // the kernel may have made the memory grow
    this.look()
    outs.forEach((id, i) => { this.view(id).set(storages[i] as never) })
  }
}

const filled = (dtype: DType, size: number, value: number): TypedArray => allocate(dtype, size).fill(convert([value], dtype)[0] as never)

/** What a program holds of the engine. */
interface Held {
  readonly engine: Engine
  readonly lowered: Pick<Lowered, 'give' | 'counters'>
  readonly program: Loaded
}

function giveBack({ engine, lowered, program }: Held): void {
  engine.pool.unload(program, () => {
    engine.heap.free(lowered.counters)
    lowered.give()
  })
}

/** Gives back what programs held that were let go. */
const released = /* @__PURE__ */ new FinalizationRegistry(giveBack)
