// The engine's WebAssembly, typed here because only browsers' type libraries declare it, and Node's do not.

/** A linear memory. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}

/** A compiled module, which may be sent to workers. */
export type WasmModule = object & { readonly brand?: 'module' }

/** What a module is given: memory and functions by name, under `env`. */
export interface WasmImports {
  readonly env: Readonly<Record<string, unknown>>
}

/** A module in use. */
export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>
}

/** The part of the WebAssembly JavaScript interface that is used here. */
export interface WasmEngine {
  readonly Memory: new (type: { readonly initial: number; readonly maximum: number; readonly shared: boolean }) => WasmMemory
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule
  readonly Instance: new (module: WasmModule, imports: WasmImports) => WasmInstance
  validate(bytes: Uint8Array<ArrayBuffer>): boolean
}

/** The engine; only to be called where {@link features} found one. */
export const engine = (): WasmEngine => (globalThis as unknown as { WebAssembly: WasmEngine }).WebAssembly
