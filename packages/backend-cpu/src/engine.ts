// The engine of the CPU backend: its memory, its threads, the library of kernels, and where variables live.

import type { Backend, Tensor, TypedArray, Variable } from '@bp/core'
import { sizeOf } from '@bp/core/extend'
import { Heap } from './heap.ts'
import { defineLibrary } from './program/library.ts'
import { isResident, markResident } from './snapshot.ts'
import { machineThreads, Pool } from './threads/pool.ts'
import { engine as host, type WasmInstance, type WasmModule } from './wasm/engine.ts'
import { features } from './wasm/features.ts'
import { type MemoryType, ModuleBuilder } from './wasm/module.ts'
import { doubles, floats } from './wasm/simd.ts'

/** Everything that programs share. */
export class Engine {
  readonly heap: Heap
  readonly pool: Pool
  readonly relaxed: boolean
  readonly memory: MemoryType
  readonly library: WasmModule
  readonly kernels: WasmInstance['exports']
  /** Whose kernels run what has none here. */
  backend!: Backend
  private readonly homes = new WeakMap<Variable, { readonly address: number; view: TypedArray; writes: number }>()
  private readonly tables = new Map<string, { readonly address: number; users: number }>()
  private readonly constants = new WeakMap<object, number>()
  private readonly registry: FinalizationRegistry<number>

  constructor(threads: number, found = features()!) {
    if (threads > 1 && !found.shared) console.info('@bp/backend-cpu: memory cannot be shared between threads here, so one thread computes. Serve the page with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp')
    this.heap = new Heap(found)
    this.relaxed = found.relaxed
    this.memory = { pages: 1, maxPages: this.heap.maxPages, shared: this.heap.shared }
    const module = new ModuleBuilder(this.memory)
    defineLibrary(module, floats(this.relaxed), doubles(this.relaxed))
    this.library = new (host().Module)(module.encode())
    this.kernels = new (host().Instance)(this.library, { env: { memory: this.heap.memory } }).exports
    this.pool = new Pool(this.heap, threads)
    this.registry = new FinalizationRegistry(address => { this.heap.free(address) })
  }

  get threads(): number {
    return this.pool.threads
  }

  /** The address at which a variable lives from now on; its elements are moved there when a program runs. */
  residence(variable: Variable): number {
    const known = this.homes.get(variable)
    if (known) return known.address
    const storage = variable.storage as TypedArray
    const address = this.heap.allocate(storage.byteLength)
    this.homes.set(variable, { address, view: storage, writes: 0 })
    this.registry.register(variable, address)
    return address
  }

  /** Brings a variable's elements to its residence, where they are not there: it was assigned since. */
  settle(variable: Variable): void {
    const home = this.homes.get(variable)!
    if (variable.storage === home.view && home.view.buffer === this.heap.memory.buffer) return
    const view = this.heap.view(variable.dtype, home.address, sizeOf(variable.shape))
    if (variable.storage !== home.view || !isResident(home.view)) view.set(variable.storage as never)
    markResident(view)
    home.writes++
    home.view = view
    variable.storage = view
  }

  /** How often a variable's residence has been written. */
  writes(variable: Variable): number {
    return this.homes.get(variable)!.writes
  }

  /** Says that a program has written a variable's residence. */
  wrote(variable: Variable): void {
    this.homes.get(variable)!.writes++
  }

  /** The address of whole numbers that a program reads until it gives them back; equal lists share one. */
  table(values: readonly number[]): number {
    const key = values.join()
    let table = this.tables.get(key)
    if (!table) {
      this.tables.set(key, table = { address: this.heap.allocate(4 * values.length), users: 0 });
      (this.heap.view('int32', table.address, values.length) as Int32Array).set(values)
    }
    table.users++
    return table.address
  }

  /** Ends one use of a table. */
  giveTable(values: readonly number[]): void {
    const key = values.join()
    const table = this.tables.get(key)!
    if (--table.users > 0) return
    this.tables.delete(key)
    this.heap.free(table.address)
  }

  /** The address of a constant tensor's elements. */
  constant(value: Tensor): number {
    const storage = value.storage as TypedArray
    const known = this.constants.get(storage)
    if (known !== undefined) return known
    const address = this.heap.allocate(storage.byteLength)
    this.heap.view(value.dtype, address, storage.length).set(storage as never)
    this.constants.set(storage, address)
    this.registry.register(storage, address)
    return address
  }
}

let shared: Engine | null | undefined

/** The engine that all backends of this process share; `null` where there is no WebAssembly. */
export function sharedEngine(): Engine | null {
  if (shared === undefined) shared = features() ? new Engine(machineThreads()) : null
  return shared
}
