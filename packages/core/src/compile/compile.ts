// compile: a function of tensors traced once for each shape of its arguments, and run from then on as one program.

import { type Backend, defaultBackend, type Program } from '../backend.ts'
import { fail } from '../errors.ts'
import { type Graph, type Guard, printGraph } from '../graph.ts'
import { casting, current } from '../interpreter.ts'
import { describe } from '../shape.ts'
import { Tensor } from '../tensor.ts'
import { trace } from '../trace.ts'
import { flatten, type Tree, unflatten } from '../tree.ts'
import { fit } from './budget.ts'
import { fold } from './fold.ts'
import { inlinesOn } from './inline.ts'
import { interpret } from './interpret.ts'
import { simplify } from './simplify.ts'
import { verifier } from './verify.ts'

/** Options of {@link compile}. */
export interface CompileOptions {
  /**
   * How many bytes the values of one run may take up at once; parameters and other variables lie elsewhere. Where they would take
   * more, ops move to where they free memory, and values that are read much later, as a backward pass reads those of the forward
   * pass, are computed again instead of being kept: those first that cost least for their bytes. Results are the same up to the
   * order of sums. `explain` says what it costs; where no choice fits, the error names the least that would.
   */
  readonly maxBytes?: number
  /** For how many shapes of arguments and settings of modules programs are kept; the one used longest ago goes first. 16 unless given. */
  readonly cacheSize?: number
  /** The most ops that a program may be made of: what comes to more, a loop that is written out step by step, throws instead of taking long. No bound unless given. */
  readonly maxOps?: number
}

/** A compiled function: what it was made of, and what became of it. */
export interface Compiled<A extends readonly Tree[], R extends Tree> {
  (...args: A): R
  /** What was simplified and fused for arguments like these, what was not, and why. */
  explain(...args: A): string
  /** The graph after each pass. */
  dump(...args: A): string
  /** The most bytes that values take up at once, known before anything runs. */
  bytes(...args: A): number
  /** Where the time of one run goes: milliseconds of each part, in the order in which they run. Runs the function once. */
  profile(...args: A): { readonly name: string; readonly milliseconds: number }[]
  /** Forgets all programs: the next call traces again. */
  clear(): void
  /** How many programs are kept. */
  readonly size: number
}

/** A program with what surrounds it. */
interface Entry {
  readonly backend: Backend
  readonly graph: Graph
  readonly guards: readonly Guard[]
  readonly program: Program
  readonly result: Tree
  readonly notes: readonly string[]
  readonly passes: readonly { readonly pass: string; readonly text: string }[]
}

/**
 * Compiles a function of tensors, a whole training step if you like: its ops are traced once for each combination of shapes
 * and dtypes of the arguments, simplified, fused and planned, and run from then on as one program.
 *
 * What happens besides tensors happens once, while tracing: branches on JavaScript values, logging. Where modules are in another mode
 * than before, or parameters were frozen or thawed, it is traced anew, as for another shape. Parameters
 * and other variables are read and assigned in every run; optimisers count their steps and read their learning rate in every
 * run. What `checkpoint` computes again is computed again, unless a budget of bytes chooses for itself. Gradients that `backward` leaves in `.grad` are gone when the function ends: return what you want to keep. Inside of
 * `grad`, `vmap`, `jvp` or another compiled function, and on tensors that require grad, the function itself runs.
 *
 * Throws what the function throws on shapes, and where it reads a value (`item()`), which does not exist while tracing.
 *
 * @example
 * ```ts
 * import { add, compile, mul, tensor } from '@bp/core'
 * const f = compile((x, y) => add(mul(x, x), y))
 * f(tensor([1, 2]), tensor([3, 4])) // => tensor([4, 8], float32)
 * ```
 */
export function compile<A extends readonly Tree[] = readonly Tensor[], R extends Tree = Tensor>(fn: (...args: A) => R, { maxBytes, cacheSize = 16, maxOps = Infinity }: CompileOptions = {}): Compiled<A, R> {
  // for each form of the arguments the programs of its settings; in both, what was used last comes last
  const cache = new Map<string, readonly Entry[]>()
  const size = (): number => [...cache.values()].reduce((n, entries) => n + entries.length, 0)
  const entryFor = (args: A): { readonly entry: Entry; readonly inputs: readonly Tensor[] } => {
    const inputs = flatten('compile', args)
    const key = keyFor(args, inputs)
    const known = cache.get(key) ?? []
    const found = known.find(holds)
    const entry = found ?? build(fn, args, inputs, maxBytes, maxOps)
    cache.delete(key)
    cache.set(key, known.at(-1) === entry ? known : [...known.filter(other => other !== entry), entry])
    if (!found && size() > cacheSize) {
      const [oldest, [{ program }, ...rest]] = cache.entries().next().value as [string, [Entry, ...Entry[]]]
      if (rest.length > 0) cache.set(oldest, rest)
      else cache.delete(oldest)
      if (program !== entry.program) program.release?.()
    }
    return { entry, inputs }
  }
  const call = (...args: A): R => {
    if (current.outer !== null) return fn(...args)
    const { entry, inputs } = entryFor(args)
    // a node means that somebody will differentiate: then ops are recorded one by one
    if (current.recording && inputs.some(x => x.node !== null)) return fn(...args)
    return start(entry, inputs) as R
  }
  const compiled = Object.assign(call, {
    explain: (...args: A): string => entryFor(args).entry.notes.join('\n'),
    dump: (...args: A): string => entryFor(args).entry.passes.map(({ pass, text }) => `-- ${pass}\n${text}`).join('\n\n'),
    bytes: (...args: A): number => entryFor(args).entry.program.bytes,
    profile: (...args: A) => {
      const { entry, inputs } = entryFor(args)
      return measure(entry, inputs)
    },
    clear: (): void => {
      for (const { program } of [...cache.values()].flat()) program.release?.()
      cache.clear()
    },
    size: 0,
  })
  return Object.defineProperty(compiled, 'size', { get: size })
}

function measure({ program, graph, backend }: Entry, inputs: readonly Tensor[]): { readonly name: string; readonly milliseconds: number }[] {
  if (!program.profile) return fail('backend', 'profile', `programs of the ${backend.name} backend do not tell where their time goes. Time whole calls instead`)
  const parts = program.profile(inputs.map(x => x.storage!), graph.live.map(({ read }) => read()))
  finish(graph)
  return parts
}

/** Whether all settings are still what they were when the program was made. */
function holds({ guards }: Entry): boolean {
  for (const { read, value } of guards) if (read() !== value) return false
  return true
}

/** Where each tensor stands in the arguments, its shape and dtype, and whether ops are cast. */
function keyFor(args: readonly Tree[], inputs: readonly Tensor[]): string {
  const form = (tree: Tree): string => tree instanceof Tensor ? '.' : Array.isArray(tree) ? `[${tree.map(form).join()}]` : `{${Object.entries(tree).map(([key, child]) => `${key}:${form(child)}`).join()}}`
  return `${args.every(arg => arg instanceof Tensor) ? '' : args.map(form).join()} ${inputs.map(describe).join()} ${defaultBackend().name}${casting === null ? '' : ' cast'}`
}

function build<A extends readonly Tree[]>(fn: (...args: A) => Tree, args: A, inputs: readonly Tensor[], maxBytes: number | undefined, maxOps: number): Entry {
  const backend = inputs[0]?.backend ?? defaultBackend()
  let result: Tree = []
  const written = trace((...xs) => {
    result = fn(...unflatten(args as unknown as Tree, xs) as unknown as A)
    return result
  }, inputs, { inlines: inlinesOn(backend) })
  if (written.nodes.length > maxOps) fail('value', 'compile', `the function comes to ${written.nodes.length} ops, more than maxOps, ${maxOps}. Raise maxOps, or run it as it is`)
  // a budget is met by choosing anew what is computed again, whatever was checkpointed
  const traced = maxBytes === undefined ? written : { ...written, nodes: written.nodes.map(({ fence: _, ...node }) => node) }
  verifier?.(traced, 'traced')
  const once = simplify(traced)
  verifier?.(once.graph, 'simplified')
  const { graph: constant, folded } = fold(once.graph)
  verifier?.(constant, 'folded')
  const { graph: simplified, repeated, unused } = simplify(constant)
  verifier?.(simplified, 'simplified')
  freeUnused(constant.constants, [...once.graph.constants, ...simplified.constants])
  const fitted = maxBytes === undefined ? { graph: simplified, notes: [], changed: false } : fit(simplified, backend, maxBytes)
  const { graph } = fitted
  if (maxBytes !== undefined) verifier?.(graph, 'rematerialised')
  const program = backend.lower?.(graph) ?? interpret(graph, backend)
  const notes = [
    `${traced.nodes.length} ops traced; ${once.repeated + repeated} were computed before, ${folded} only once, ${once.unused + unused} not needed: ${simplified.nodes.length} are left.`,
    ...fitted.notes,
    ...program.notes,
    `At most ${program.bytes.toLocaleString('en')} bytes at once.`,
  ]
  return { backend, graph, guards: [...written.guards ?? [], ...written.variables.map(frozen)], program, result, notes, passes: [{ pass: 'traced', text: printGraph(traced) }, { pass: 'simplified', text: printGraph(simplified) }, ...fitted.changed ? [{ pass: 'rematerialised', text: printGraph(graph) }] : [], ...program.dump] }
}

/** Lets go of what was folded on the way to constants that are used. */
function freeUnused(known: Graph['constants'], constants: Graph['constants']): void {
  const used = new Set(constants.map(({ value }) => value))
  for (const { value } of known) if (!used.has(value)) value.backend.free?.(value.storage!)
}

/** Whether a variable wants a gradient decides what is differentiated. */
const frozen = ({ value: variable }: Graph['variables'][number]): Guard => ({ read: () => variable.requiresGrad, value: variable.requiresGrad })

function start({ backend, graph, program, result }: Entry, inputs: readonly Tensor[]): Tree {
  for (const x of inputs) if (x.backend !== backend) fail('backend', 'compile', `an argument is on ${x.backend.name}, the function was compiled for ${backend.name}. Move it with await to(x, backend)`)
  const storages = program.run(inputs.map(x => x.storage!), graph.live.map(({ read }) => read()))
  finish(graph)
  let next = 0
  return unflatten(result, flatten('compile', result).map(y => new Tensor(y.aval, storages[next++]!, backend)))
}

/** What happens after every run. */
function finish(graph: Graph): void {
  for (const { variable } of graph.updates) variable.version++
  for (const happen of graph.effects) happen()
}
