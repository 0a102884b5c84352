// Checkpointing: a part of the forward pass keeps nothing, and runs again when the backward pass needs what it would have kept.

import type { Abstract, Aval } from './aval.ts'
import type { DType } from './dtype.ts'
import { fail } from './errors.ts'
import { abandon, leave } from './freeing.ts'
import { casting, current, type Interpreter, runIn, withCasting } from './interpreter.ts'
import { isPacked, isTensor, type Packed, type Saver, saver, withSaver } from './node.ts'
import { enter, innermostPass, lend } from './ownership.ts'
import { describe, type Shape } from './shape.ts'
import { synchronous } from './synchronous.ts'
import type { Tensor, Variable } from './tensor.ts'
import { flatten, type Tree, unflatten } from './tree.ts'

/** The place of one tensor that a frame has not kept. */
class Place implements Packed {
  readonly aval: Aval
  private readonly frame: Frame
  private readonly index: number

  constructor(aval: Aval, frame: Frame, index: number) {
    this.aval = aval
    this.frame = frame
    this.index = index
  }

  get shape(): Shape {
    return this.aval.shape
  }

  get dtype(): DType {
    return this.aval.dtype
  }

  get held(): readonly Abstract[] {
    return this.frame.held
  }

  unpack(): Tensor {
    return this.frame.fetch(this.index)
  }
}

/** What a variable held at some time. */
interface Held {
  readonly variable: Variable
  readonly value: Tensor
  readonly version: number
}

const holding = (variable: Variable): Held => ({ variable, value: current.read(variable), version: variable.version })

/** Puts variables back to what they held, without counting it as a change. */
function reset(states: Iterable<Held>): void {
  for (const { variable, value, version } of states) {
    current.assign(variable, value)
    variable.version = version
  }
}

/** An interpreter, or one that it runs in, and whether that was recording. */
interface Level {
  readonly level: Interpreter
  readonly recording: boolean
}

function levelsOf(interpreter: Interpreter): Level[] {
  const levels: Level[] = []
  for (let level: Interpreter | null = interpreter; level !== null; level = level.outer) levels.push({ level, recording: level.recording })
  return levels
}

const setRecording = (levels: readonly Level[]): void => { for (const { level, recording } of levels) level.recording = recording }

/**
 * One call of a checkpointed function: its inputs, how many tensors it would have saved, and, from the second run until the
 * backward pass has read them, those tensors. What an enclosing frame keeps of the inputs is up to that frame.
 */
class Frame implements Saver {
  private readonly run: (xs: Tensor[]) => unknown
  private readonly inputs: Abstract[]
  private readonly levels = levelsOf(current)
  private readonly casting = casting?.anew() ?? null
  private readonly outer: Saver | null
  private readonly avals: Aval[] = []
  private readonly before = new Map<Variable, Held>()
  private values: (Tensor | null)[] = []

  constructor(run: (xs: Tensor[]) => unknown, inputs: Tensor[]) {
    this.run = run
    this.outer = saver
    this.inputs = inputs.map(x => saver !== null && !('assign' in x) ? saver.save(x) : x)
  }

  save(x: Tensor): Abstract {
    this.avals.push(x.aval)
    return new Place(x.aval, this, this.avals.length - 1)
  }

  assigning(variable: Variable): void {
    if (!this.before.has(variable)) this.before.set(variable, holding(variable))
    this.outer?.assigning(variable)
  }

  get held(): readonly Abstract[] {
    return [...this.inputs, ...this.values.filter(x => x !== null), ...[...this.before.values()].map(({ value }) => value)]
  }

  /** The saved tensor of this number, computed again where it is not at hand; it is given out once. */
  fetch(index: number): Tensor {
    if (!this.values[index]) this.values = this.caught()
    const value = this.values[index]!
    this.values[index] = null
    lend(value)
    return value
  }

  /** What {@link again} gives, until the pass or scope in which it runs is over; a pass frees each when it was used, the rest at once. */
  private caught(): Tensor[] {
    const around = innermostPass()
    if (around === null) return this.again()
    around.atEnd(() => { this.values = [] })
    if (around.kind !== 'pass') return this.again()
    const step = enter('step')
    try {
      const caught = this.again()
      around.hold(caught)
      // what stands for other tensors is not counted, and freed with the pass
      leave(step, caught.some(x => x.storage === null) ? [...step.handles.keys()] : caught.map(x => x.storage!), around)
      return caught
    } catch (error) {
      abandon(step)
      throw error
    }
  }

  /** Runs the function again as it ran, random bits and all, and catches what it saves. */
  private again(): Tensor[] {
    const caught: Tensor[] = []
    const before = levelsOf(this.levels[0]!.level)
    // a pass that is recorded itself will be differentiated: then what is computed here must stay connected
    const create = before.some(({ recording }) => recording)
    const catching: Saver = {
      save: x => {
        const index = caught.push(x) - 1
        if (describe(x) !== describe(this.avals[index] ?? x) || index >= this.avals.length) this.changed(`op ${index + 1} saved ${describe(x)}`)
        return create ? x : x.aval
      },
      assigning: () => { /* put back below */ },
    }
    const inputs = this.inputs.map(opened)
    for (const { level } of this.levels) level.fence?.()
    runIn(this.levels[0]!.level, () => {
      const now = [...this.before.keys()].map(holding)
      reset(this.before.values())
      setRecording(this.levels)
      try {
        withCasting(this.casting, () => withSaver(catching, () => this.run(inputs)))
      } finally {
        setRecording(before)
        reset(now)
      }
    })
    if (caught.length !== this.avals.length) this.changed(`it saved ${caught.length} tensors`)
    return caught
  }

  private changed(what: string): never {
    return fail('value', 'checkpoint', `the function did something else when it ran again: ${what}, not as in the forward pass (${this.avals.length} saved tensors). It must depend on its arguments, variables and generators only`)
  }
}

/** An input, fetched from the frame around where that keeps it. */
function opened(x: Abstract): Tensor {
  if (isPacked(x)) return x.unpack()
  return isTensor(x) ? x : fail('grad', 'checkpoint', 'the inputs of a nested checkpoint are gone. Differentiate the results of the outer one')
}

/**
 * `f(...args)`, keeping nothing of it for the backward pass but the arguments: what its ops would save is computed again
 * when backward comes there. Random numbers from a `Generator`, and variables that `f` assigns, are as they were in the
 * second run, and as they are after it. Gradients are the same to the bit; parameters that `f` closes over get theirs.
 * What `f` leaves elsewhere in the second run is freed with the pass, on backends that free. Nests, with itself and with every transform. (Griewank & Walther 2000, "Algorithm 799: Revolve"; Chen et al. 2016,
 * "Training Deep Nets with Sublinear Memory Cost".)
 *
 * Throws, in the backward pass, where the second run saves other tensors than the first.
 *
 * @example
 * ```ts
 * import { tensor, mul, checkpoint, tapeMemory } from '@bp/core'
 * const x = tensor([1, 2], { requiresGrad: true })
 * const cube = x => mul(mul(x, x), x)
 * const y = checkpoint(cube, x)
 * y.backward({ gradient: tensor([1, 1]) })
 * x.grad // => tensor([3, 12], float32)
 * ```
 */
export function checkpoint<A extends readonly Tree[], R extends Tree>(f: (...args: A) => R, ...args: A): R {
  const inputs = flatten('checkpoint', args)
  const call = (xs: Tensor[]): R => synchronous('checkpoint', f(...unflatten(args, xs)))
  return current.recording ? withSaver(new Frame(call, inputs), () => call(inputs)) : call(inputs)
}

/** Options of {@link checkpointSequential}. */
export interface CheckpointSequentialOptions {
  /** Into how many parts the layers are cut; √L, rounded, unless given. */
  readonly segments?: number
}

/**
 * Applies layers one after the other, checkpointed in segments: only the input of each segment is kept. With L layers and √L
 * segments, the plan unless `segments` is given, the memory of activations grows as √L, for one more forward pass in time.
 * The last segment is not checkpointed, for the backward pass begins there.
 *
 * @example
 * ```ts
 * import { tensor, mul, checkpointSequential } from '@bp/core'
 * const x = tensor(2, { requiresGrad: true })
 * const layers = Array.from({ length: 4 }, () => x => mul(x, x))
 * const y = checkpointSequential(layers, x)
 * y.backward()
 * x.grad // => tensor(524288, float32)
 * ```
 */
export function checkpointSequential(layers: readonly ((x: Tensor) => Tensor)[], x: Tensor, options: CheckpointSequentialOptions = {}): Tensor {
  const count = layers.length
  const { segments = Math.max(1, Math.round(Math.sqrt(count))) } = options
  if (!Number.isInteger(segments) || segments < 1 || segments > Math.max(1, count)) fail('value', 'checkpointSequential', `cannot cut ${count} layers into ${segments} segments. Use a whole number from 1 to ${count}`)
  const apply = (from: number, to: number) => (z: Tensor): Tensor => layers.slice(from, to).reduce((y, layer) => layer(y), z)
  let y = x
  for (let i = 0; i < segments; i++) {
    const part = apply(Math.floor(i * count / segments), Math.floor((i + 1) * count / segments))
    y = i === segments - 1 ? part(y) : checkpoint(part, y)
  }
  return y
}
