// Plain calls of a model as programs: what comes again in the same shapes, and is not differentiated, is compiled.

import { type Compiled, compile, Tensor, Variable } from '@bp/core'
import { defaultBackend, depends, describe, runsPlainly } from '@bp/core/extend'
import type { OnnxValue } from './feeds.ts'
import { settingOf } from './run.ts'

/** How many forms of inputs are remembered, those seen longest ago are forgotten. */
const mostForms = 64

/** For how many forms programs are kept, and how many bytes of packed weights they may take up: each may pack all weights anew. */
const mostPrograms = 4
const mostBytes = 2 ** 28

/** What makes more ops, as a recurrence over a long sequence does when it is written out, would take long to compile. */
const mostOps = 4000

/** Feeds by the names of the inputs. */
type Feeds = ReadonlyMap<string, OnnxValue>

/** Runs a model op by op. */
type Evaluate = (feeds: Feeds) => OnnxValue[]

/**
 * The calls of one model. The first of some form (shapes and dtypes of the inputs, values of those that are settings) runs op by op, the
 * second is compiled. Where that cannot be, as the shape of a result depends on data or something is no tensor, all run op by op from then on.
 */
export class Calls {
  private readonly evaluate: Evaluate
  private readonly compiled: Compiled<Tensor[], Tensor[]>
  /** Forms that have run op by op, the latest last. */
  private readonly forms = new Set<string>()
  /** The form of the present call. */
  private form: Form | null = null
  private possible = true
  private traces = 0

  /** `weights`: bytes of the model's parameters and buffers. */
  constructor(evaluate: Evaluate, weights: number) {
    this.evaluate = evaluate
    this.compiled = compile((...xs) => this.traced(xs), { cacheSize: Math.max(1, Math.min(mostPrograms, Math.floor(mostBytes / weights))), maxOps: mostOps })
  }

  /** Forgets all programs: something was put in the place of a parameter. */
  clear(): void {
    this.compiled.clear()
  }

  /** The outputs, by a program where there may be one; `read` are the variables that may be read. */
  run(feeds: Feeds, read: Iterable<Tensor>): OnnxValue[] {
    const form = this.possible ? formOf(feeds, read) : null
    if (form === null) return this.evaluate(feeds)
    return (this.forms.has(form.key) ? this.byProgram(form) : null) ?? this.remember(form.key, this.evaluate(feeds))
  }

  private remember(key: string, ys: OnnxValue[]): OnnxValue[] {
    this.forms.delete(key)
    this.forms.add(key)
    if (this.forms.size > mostForms) this.forms.delete(this.forms.keys().next().value!)
    return ys
  }

  /** `null` where it did not work out: run op by op, a model says itself what is wrong. */
  private byProgram(form: Form): Tensor[] | null {
    this.form = form
    const before = this.traces
    try {
      return this.compiled(...form.inputs)
    } catch {
      // what was traced before and refuses these numbers may take others
      if (this.traces !== before) this.possible = false
      return null
    } finally {
      this.form = null
    }
  }

  private traced(xs: readonly Tensor[]): Tensor[] {
    this.traces++
    const { names, settings } = this.form!
    depends(this, () => this.form?.key ?? null)
    const ys = this.evaluate(new Map([...names.map((name, i) => [name, xs[i]!] as const), ...settings]))
    if (!allTensors(ys)) throw new TypeError('an output is no tensor')
    return ys
  }
}

/** What a call looks like to a program. */
interface Form {
  readonly key: string
  readonly names: readonly string[]
  readonly inputs: readonly Tensor[]
  /** Inputs that decide what is computed: a program is made for their values. */
  readonly settings: ReadonlyMap<string, Tensor>
}

/** `null` where the call is not for a program: something records it or gives ops another meaning, or an input is no tensor. */
function formOf(feeds: Feeds, read: Iterable<Tensor>): Form | null {
  const xs = [...feeds.values()]
  const backend = defaultBackend()
  if (!allTensors(xs) || !backend.lower || xs.some(x => x.backend !== backend || x.storage === null) || !runsPlainly(xs) || !runsPlainly(read)) return null
  const names: string[] = []
  const inputs: Tensor[] = []
  let key = ''
  const settings = new Map<string, Tensor>()
  for (const [name, x] of feeds as ReadonlyMap<string, Tensor>) {
    // what may be assigned may not be known
    if (x instanceof Variable && x.size === 1) return null
    const known = !(settingOf(x) instanceof Tensor)
    key += known ? `${describe(x)}=${x.dataSync().join()},` : `${describe(x)},`
    if (known) settings.set(name, x)
    else {
      names.push(name)
      inputs.push(x)
    }
  }
  return { key, names, inputs, settings }
}

const allTensors = (values: readonly OnnxValue[]): values is readonly Tensor[] & Tensor[] => values.every(value => value instanceof Tensor)
