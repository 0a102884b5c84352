// What a kernel's emitter is given: the program's module, the library's functions, memory for scratch, and the machine's features.

import type { Callee, ModuleBuilder } from '../wasm/module.ts'
import type { Kept } from '../wasm/gemm/job.ts'
import type { Simd } from '../wasm/simd.ts'
import type { LibraryName } from './library.ts'

/** The surroundings of emitted code. */
export interface Emit {
  readonly module: ModuleBuilder
  /** The shared kernels, imported by name. */
  readonly library: Readonly<Record<LibraryName, Callee>>
  readonly floats: Simd
  readonly doubles: Simd
  /** How many threads may take part; results must not depend on how many do. */
  readonly threads: number
  /** The address of whole numbers that are kept for good. */
  table(values: readonly number[]): number
  /** Reserves bytes for the tasks being emitted, 64-byte aligned; they may be reused by other nodes' tasks. */
  scratch(bytes: number): number
  /** Reserves bytes that keep from run to run what tasks write that run once. */
  lasting(bytes: number): number
  /** Where panels of this name are kept, if several products of the program read them, or `steady` ones from run to run. */
  keeps(panels: string, steady: boolean): ((bytes: number) => Kept) | undefined
}
