// Fusing in eager mode: what a decomposition or a pullback computes is traced once, and run from then on as one program.

import type { Abstract, Aval } from './aval.ts'
import type { Program } from './backend.ts'
import { cast } from './cast.ts'
import { inlinesOn } from './compile/inline.ts'
import { keyOf } from './compile/keys.ts'
import { simplify } from './compile/simplify.ts'
import { isFloat } from './dtype.ts'
import type { Graph, GraphNode } from './graph.ts'
import { withRecording } from './interpreter.ts'
import { isTensor, observer } from './node.ts'
import type { AnyRow, Fuse } from './row.ts'
import { describe, sizeOf } from './shape.ts'
import { Tensor } from './tensor.ts'
import { widened } from './throughFloat32.ts'
import { trace } from './trace.ts'

/** Gives the program of a graph from a cache, `graph` being asked only where the key is new; `null` where there is none. */
export type FindProgram = (key: string, graph: () => Graph | null) => Program | null

/** Computes one result from tensors, or several, `null` where it has none. */
type Compute = (xs: Tensor[]) => Tensor | (Tensor | null)[]

/** The rule of a row: what was saved, parameters and cotangents to cotangents. */
type Rule = (row: AnyRow, xs: Abstract[], ys: Abstract[], params: unknown, cts: (Tensor | null)[], want: readonly boolean[]) => (Tensor | null)[]

/** Shape and dtype of what {@link Compute} gives. */
type Form = Aval | (Aval | null)[]

/** Ops that cost little more to compute again than their results cost to read. */
const cheap: ReadonlySet<Fuse | 'composite'> = new Set(['map', 'view', 'source'])

/**
 * What a backend with programs hands to eager mode. Nothing is fused where all operands are small, where only one op would
 * be left, and where what was traced holds tensors from outside; the ops then run one by one, and give the same numbers to
 * rounding.
 */
export class Fuser {
  private readonly find: FindProgram
  private readonly least: number
  private readonly forms = new WeakMap<Program, Form>()

  /** `least`: from how many elements on a fused loop is worth its program. */
  constructor(find: FindProgram, least: number) {
    this.find = find
    this.least = least
  }

  /** Whether one of these is large enough. Hot path. */
  takes(xs: readonly (Abstract | null)[]): boolean {
    for (let i = 0; i < xs.length; i++) {
      const x = xs[i]
      if (x && sizeOf(x.aval.shape) >= this.least) return true
    }
    return false
  }

  /**
   * The results of a row's decomposition, or `null` where it is to run op by op: where it would be recorded that way, unless
   * it is cheap enough to run again in the backward pass.
   */
  forward(row: AnyRow, xs: Tensor[], params: unknown, recorded: boolean): Tensor | Tensor[] | null {
    if (!this.takes(xs)) return null
    const again = recorded && (observer !== null || xs.some(x => x.node !== null))
    return inFloat32(xs, ws => {
      const zs = ws as Tensor[]
      return this.run(`${keyOf(row)} ${again} ${keyOf(params)} ${zs.map(describe).join()}`, zs, zs => row.decompose!(zs, params), again)
    }) as Tensor | Tensor[] | null
  }

  /** Whether a row's decomposition will be recorded as one op, which keeps its operands alone. */
  fuses(row: AnyRow, xs: readonly Tensor[], params: unknown): boolean {
    if (!this.takes(xs)) return false
    const traced = traceOf(zs => row.decompose!(zs, params), xs)
    return traced !== null && worth(traced.graph, true)
  }

  /** The cotangents that a rule makes of large values, or `null` where it is to run op by op. */
  backward(row: AnyRow, xs: Abstract[], ys: Abstract[], params: unknown, cts: (Tensor | null)[], want: readonly boolean[], rule: Rule): (Tensor | null)[] | null {
    return inFloat32([...xs, ...ys, ...cts], all => this.pull(row, xs.length, ys.length, params, all, want, rule)) as (Tensor | null)[] | null
  }

  private pull(row: AnyRow, xs: number, ys: number, params: unknown, all: readonly (Abstract | null)[], want: readonly boolean[], rule: Rule): Tensor | (Tensor | null)[] | null {
    const key = all.map(x => x && `${isTensor(x) ? '' : '~'}${describe(x)}`).join()
    return this.run(`${keyOf(row)} ct ${keyOf(params)} ${want.join()} ${xs} ${key}`, all.filter((x): x is Tensor => x !== null && isTensor(x)), zs => {
      let next = 0
      const traced = all.map(x => x && isTensor(x) ? zs[next++]! : x)
      return rule(row, traced.slice(0, xs) as Abstract[], traced.slice(xs, xs + ys) as Abstract[], params, traced.slice(xs + ys) as (Tensor | null)[], want)
    }, false)
  }

  private run(key: string, xs: Tensor[], f: Compute, again: boolean): Tensor | (Tensor | null)[] | null {
    const { backend } = xs[0]!
    // what has no value, or lies elsewhere, is refused by the ops themselves
    if (xs.some(x => x.storage === null || x.backend !== backend)) return null
    const made: { form?: Form } = {}
    const program = this.find(key, () => {
      const traced = traceOf(f, xs)
      if (traced === null || !worth(traced.graph, again)) return null
      made.form = traced.form
      return traced.graph
    })
    if (!program) return null
    if (made.form) this.forms.set(program, made.form)
    const storages = program.run(xs.map(x => x.storage!), [])
    let next = 0
    const result = (aval: Aval | null): Tensor | null => aval && new Tensor(aval, storages[next++]!, backend)
    const known = this.forms.get(program)!
    return Array.isArray(known) ? known.map(result) : result(known)
  }
}

/**
 * What runs on float16, run on float32 and rounded once, as kernels do it; as it is where there is no float16. `null` where it meets
 * wider numbers: then ops do as they are told one by one.
 */
function inFloat32(xs: readonly (Abstract | null)[], run: (xs: readonly (Abstract | null)[]) => Tensor | (Tensor | null)[] | null): Tensor | (Tensor | null)[] | null {
  const types = new Set(xs.flatMap(x => x && isFloat(x.dtype) ? x.dtype : []))
  if (!types.has('float16')) return run(xs)
  if (types.size > 1) return null
  return withRecording(false, () => {
    const wide = (x: Abstract): Abstract => isTensor(x) ? cast(x, 'float32') : widened(x.aval)
    const ys = run(xs.map(x => x?.dtype === 'float16' ? wide(x) : x))
    const narrow = (y: Tensor | null): Tensor | null => y?.dtype === 'float32' ? cast(y, 'float16') : y
    return Array.isArray(ys) ? ys.map(narrow) : narrow(ys)
  })
}

/** What `f` does, and what it gives; `null` where it reads values or throws, which it will do again op by op. */
function traceOf(f: Compute, xs: readonly Tensor[]): { readonly graph: Graph; readonly form: Form } | null {
  let form: Form = []
  try {
    const graph = trace((...zs) => {
      const ys = f(zs)
      form = Array.isArray(ys) ? ys.map(y => y?.aval ?? null) : ys.aval
      return [ys].flat().filter(y => y !== null)
    }, xs, { inlines: inlinesOn(xs[0]!.backend) })
    return { graph: simplify(graph).graph, form }
  } catch {
    return null
  }
}

/** Whether a graph depends on its inputs alone, saves passes over memory, and is cheap where it will run again. */
function worth({ constants, variables, live, updates, effects, nodes, outputs }: Graph, again: boolean): boolean {
  const closed = [constants, variables, live, updates, effects].every(list => list.length === 0)
  const computing = nodes.filter(({ row }) => row.fuse !== 'source' && row.fuse !== 'view')
  return closed && computing.length > outputs.length && (!again || nodes.every(({ row }: GraphNode) => cheap.has(row.fuse)))
}
