// The programs of eager mode: made when first needed, shared by all calls alike, the ones used longest ago dropped.

import type { Graph } from '@bp/core/extend'
import type { Engine } from '../engine.ts'
import type { Executable } from '../program/executable.ts'
import { lower } from '../program/lower.ts'
import { Workspace } from './workspace.ts'

/** How many programs are kept, and how many bytes of code in all. */
const mostPrograms = 256
const mostBytes = 2 ** 23

/** Nanoseconds of TypeScript from which other threads are worth waking: a program takes about a tenth, a thread up to 50 µs to wake. */
const worthThreads = 1_500_000

/** A graph, and how many nanoseconds it takes op by op in TypeScript. */
export interface Plan {
  readonly graph: Graph
  readonly nanoseconds: number
}

/** Programs by key; `null` where there can be none. */
export class Programs {
  private readonly engine: Engine
  private readonly workspace: Workspace
  private readonly known = new Map<string, Executable | null>()
  private bytes = 0

  constructor(engine: Engine) {
    this.engine = engine
    this.workspace = new Workspace(engine.heap)
  }

  /** How many keys are known. */
  get size(): number {
    return this.known.size
  }

  /** The program of a plan; `null` where there is no plan, an op in it has no kernel in WebAssembly, or memory does not suffice. */
  find(key: string, plan: () => Plan | null): Executable | null {
    const known = this.known.get(key)
    if (known !== undefined) {
      // the order of a Map is that of insertion: what was used last stands last
      this.known.delete(key)
      this.known.set(key, known)
      return known
    }
    const made = plan()
    const program = made && lower(this.engine, made.graph, { shared: this.workspace, alone: made.nanoseconds < worthThreads })
    this.known.set(key, program)
    this.bytes += program?.codeBytes ?? 0
    while (this.known.size > mostPrograms || (this.bytes > mostBytes && this.known.size > 1)) this.drop(this.known.keys().next().value!)
    return program
  }

  private drop(key: string): void {
    const program = this.known.get(key)
    this.known.delete(key)
    if (!program) return
    this.bytes -= program.codeBytes
    program.release()
  }
}
