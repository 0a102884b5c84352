// The library: kernels that all programs share, compiled once and imported by name.

import type { Type } from '../wasm/instructions.ts'
import type { Func, ModuleBuilder } from '../wasm/module.ts'
import type { Simd } from '../wasm/simd.ts'
import { gemmLibrary } from '../wasm/gemm/library.ts'
import { thinLibrary } from '../wasm/gemm/thin.ts'
import { convLibrary } from '../wasm/conv/library.ts'

/** A kernel of the library: its parameters, and what it does. It may call kernels defined before it. */
export interface LibraryEntry {
  readonly params: readonly Type[]
  define(func: Func, own: Readonly<Record<string, Func>>, floats: Simd, doubles: Simd, module: ModuleBuilder): void
}

/** All kernels, in the order in which they are defined. */
export const library = { ...gemmLibrary, ...thinLibrary, ...convLibrary } satisfies Record<string, LibraryEntry>

/** The name of a kernel of the library. */
export type LibraryName = keyof typeof library

/** Defines all kernels in a module that exports them by name. */
export function defineLibrary(module: ModuleBuilder, floats: Simd, doubles: Simd): void {
  const own: Record<string, Func> = {}
  for (const [name, entry] of Object.entries(library) as [string, LibraryEntry][]) {
    const func = own[name] = module.func(entry.params, [], name)
    entry.define(func, own, floats, doubles, module)
  }
}
