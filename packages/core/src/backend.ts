// The backend interface: memory and kernels; everything else in the framework is backend-free.

import type { Abstract, Aval } from './aval.ts'
import type { TypedArray } from './dtype.ts'
import { fail } from './errors.ts'
import type { Fuser } from './fuser.ts'
import type { Graph, Id } from './graph.ts'

/** What a kernel is given for an operand: its storage, and its shape and dtype. */
export interface Operand<S extends object = object> extends Abstract {
  readonly storage: S
}

/** What a host kernel is given for an operand: its elements, and its shape and dtype. */
export interface HostOperand extends Abstract {
  readonly data: TypedArray
}

/**
 * Computes one op: operands, the op's parameters, and the inferred result(s) to the result's storage.
 * It may return an operand's own storage (a reshape), for storages are never written again once returned; on a backend with
 * `free` each result is a new handle, `owned` by the open scope, also where it is of the same memory.
 * An op with several results gets a list of avals and returns as many storages.
 */
export type Kernel<S extends object = object, P = never> = KernelMethod<S, P>['run']

/* Written as a method, whose parameters TypeScript compares both ways, so that a backend of textures is a Backend. */
interface KernelMethod<S extends object, P> {
  run(xs: readonly Operand<S>[], p: P, out: Aval & readonly Aval[]): S | S[]
}

/**
 * What a backend's author writes: memory, a kernel for each primitive, and, where it pays, fused kernels for composites
 * under the composite's name. `S` is the backend's own storage, a typed array or a texture; nobody else looks into it.
 */
export interface Backend<S extends object = object> {
  /** Printed in errors, and the key of a row's own `kernels`. */
  readonly name: string
  /** Copies data into a new storage. */
  write(data: TypedArray, aval: Aval): S
  /** Copies a storage's data out, as they are at the call: the storage may be freed before the promise settles. */
  read(storage: S, aval: Aval): Promise<TypedArray>
  /** The same at once, on backends that can. */
  readSync?(storage: S, aval: Aval): TypedArray
  /**
   * Lets a storage go, which is not used again. A backend that has it gives handles: each belongs to one tensor or variable, and
   * memory is free when all handles of it are let go. So every result of a kernel, `write`, `snapshot` and every output of a
   * program is a new handle, told to `owned`. Handles are freed by scopes, by backward passes, and when a variable gets a new one;
   * the backend frees the rest when their owners are collected. Freeing twice does nothing; any other use of a freed handle throws.
   */
  free?(storage: S): void
  /**
   * What may be kept of a storage by another tensor or variable: the storage itself, or a copy where a program will write to it;
   * on a backend with `free`, which needs this, a new handle.
   */
  snapshot?(storage: S): S
  /** Bytes that a storage occupies. */
  bytes(storage: S): number
  /** Kernels by row name. */
  readonly kernels: Readonly<Record<string, Kernel<S>>>
  /** Makes a program of a graph of primitives; without it, and where it gives `null`, `compile` runs a graph's kernels one by one. */
  lower?(graph: Graph): Program<S> | null
  /** What the program of a graph would take up, without making it: asked several times where memory is scarce. */
  plan?(graph: Graph): MemoryPlan | null
  /** Runs decompositions and pullbacks on large tensors as one program in eager mode; without it they run op by op. */
  readonly fuser?: Fuser
}

/** What a program would take up. */
export interface MemoryPlan {
  /** The most bytes that its values take up at once: the program's {@link Program.bytes}. */
  readonly bytes: number
  /** What runs as one, in the order of running: the values made there. One that stands nowhere is a view or a constant. */
  readonly groups: readonly (readonly Id[])[]
  /** The values that take up memory: neither those that only their own group reads nor those written where a variable lies. */
  readonly kept: readonly Id[]
}

/** A graph as a backend runs it. */
export interface Program<S extends object = object> {
  /**
   * Runs it once: storages of the inputs and the numbers of the graph's `live` scalars in, storages of the outputs out. It
   * gives variables their new storages itself: on a backend with `free` it frees the old ones, and the new ones are `disowned`.
   * No two of what it gives, and none of what it was given, are the same storage where the backend has `free`.
   */
  run(inputs: readonly S[], live: readonly number[]): S[]
  /** The most bytes that its values take up at once, known before it runs. */
  readonly bytes: number
  /** What was fused, what was not, and why: lines for people. */
  readonly notes: readonly string[]
  /** The program after each step of its making. */
  readonly dump: readonly { readonly pass: string; readonly text: string }[]
  /** Milliseconds of each part in one run, made for the measuring. */
  profile?(inputs: readonly S[], live: readonly number[]): { readonly name: string; readonly milliseconds: number }[]
  /** Gives back what it holds at once, where that would else be some time after nobody holds the program; it is not run again. */
  release?(): void
}

let chosen: Backend | null = null

/**
 * The backend that new tensors are made on; throws where none was chosen.
 */
export function defaultBackend(): Backend {
  return chosen ?? noBackend()
}

/** The error of everything that needs a backend before one was chosen. */
export function noBackend(): never {
  return fail('backend', 'bp', "no backend is in use. Call use(cpu()) first, with cpu from '@bp/backend-cpu'")
}

/** Sets the backend that new tensors are made on; `use` is the public way. */
export function setDefaultBackend(backend: Backend): void {
  chosen = backend
}
