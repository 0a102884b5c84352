// The current interpreter: the one module variable that decides what binding an op means.

import { noBackend } from './backend.ts'
import type { DType } from './dtype.ts'
import type { Node } from './node.ts'
import type { AnyRow, Row, Arity, Tuple } from './row.ts'
import type { Tensor, Variable } from './tensor.ts'

/** The value of a setting that decides which ops run. */
export type Setting = boolean | number | string | null

/** Gives meaning to an op on tensors: run it now (eager), run it with tangents (jvp), or write it down (trace). */
export interface Interpreter {
  /** Whether ops on tensors that require grad are recorded for `backward`. */
  recording: boolean
  /** The interpreter that this one's own work runs in; `null` for the outermost. */
  readonly outer: Interpreter | null
  /** Applies an op. An array comes back from ops with several results. */
  bind(row: AnyRow, xs: Tensor[], params: unknown): Tensor | Tensor[]
  /** The same value as a new tensor of this level, cut off from whatever recorded `x`. */
  lift(x: Tensor): Tensor
  /** Gives a variable a new value. */
  assign(variable: Variable, value: Tensor): void
  /** What a variable holds now, as a tensor that later assignments do not change. */
  read(variable: Variable): Tensor
  /** A scalar to be read anew whenever what is being written down runs; absent where ops run at once. */
  live?(read: () => number, dtype: DType): Tensor
  /** Collects the leaves whose `.grad` is set while ops are written down. */
  readonly grads?: Set<Node>
  /** What is being written down holds only as long as `read` gives this value; see {@link depends}. */
  guard?(owner: object, read: () => Setting, value: Setting): void
  /** What is being written down sets what it read of `owner`, so that it does not depend on it from here on. */
  settled?(owner: object): void
  /** Something to happen whenever what is being written down has run. */
  effect?(happen: () => void): void
  /** What is written down from now on is not to be computed before: it repeats what came before, so that less is kept. */
  fence?(): void
  /** Cuts `ys`, made of `xs` by ordinary ops, off from those and gives them derivative rules of their own; see custom.ts. */
  seal?(rules: CustomRules, xs: Tensor[], residuals: Tensor[], ys: Tensor[]): Tensor[]
}

/**
 * The derivatives of one call of a function that has its own; see custom.ts. At least one is given. `residuals` are what the
 * forward pass kept, the operands themselves where there is no `backward`.
 */
export interface CustomRules {
  readonly name: string
  readonly backward: ((residuals: Tensor[], cts: Tensor[], want: readonly boolean[]) => (Tensor | null)[]) | null
  readonly pushforward: ((residuals: Tensor[], ts: Tensor[]) => Tensor[]) | null
}

const none: Interpreter = {
  recording: false,
  outer: null,
  bind: () => noBackend(),
  lift: () => noBackend(),
  assign: () => noBackend(),
  read: () => noBackend(),
}

/** The interpreter that ops are bound in now. */
export let current: Interpreter = none

/** Makes `interpreter` the current one and returns the one before. Prefer {@link runIn}. */
export function switchTo(interpreter: Interpreter): Interpreter {
  const before = current
  current = interpreter
  return before
}

/** Runs `f` in another interpreter and comes back, also after a throw. */
export function runIn<R>(interpreter: Interpreter, f: () => R): R {
  const before = switchTo(interpreter)
  try {
    return f()
  } finally {
    current = before
  }
}

/** What decides whether assignments and effects last; see `provisionally` in live.ts. */
export interface Trial {
  /** What a variable shall hold: its new value, or what it held before; `null` for no assignment at all. */
  choose(after: Tensor, before: Tensor): Tensor | null
  /** Whether effects happen. */
  held(): boolean
}

/** The trial under way. */
export const assignments: { trial: Trial | null } = { trial: null }

/** Runs `f` with the current interpreter's recording on or off. */
export function withRecording<R>(on: boolean, f: () => R): R {
  const interpreter = current
  const before = interpreter.recording
  interpreter.recording = on
  try {
    return f()
  } finally {
    interpreter.recording = before
  }
}

/** Decides in which dtype ops take their operands; see autocast.ts. */
export interface Casting {
  /** The operands as `row` shall take them. */
  operands(row: AnyRow, xs: Tensor[]): Tensor[]
  /** The same decisions, nothing remembered: for what runs again later. */
  anew(): Casting
}

/** Ops that are called go through this where it is not `null`; what those are made of, and derivatives, do not. */
export let casting: Casting | null = null

/** Runs `f` with another casting, and comes back, also after a throw. */
export function withCasting<R>(other: Casting | null, f: () => R): R {
  const before = casting
  casting = other
  try {
    return f()
  } finally {
    casting = before
  }
}

function apply(row: AnyRow, xs: Tensor[], params: unknown): Tensor | Tensor[] {
  return casting === null ? current.bind(row, xs, params) : applyCast(casting, row, xs, params)
}

function applyCast(by: Casting, row: AnyRow, xs: Tensor[], params: unknown): Tensor | Tensor[] {
  casting = null
  try {
    return current.bind(row, by.operands(row, xs), params)
  } finally {
    casting = by
  }
}

/**
 * Applies an op with one result.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { bind, addRow } from '@bp/core/extend'
 * bind(addRow, [tensor(1), tensor(2)], undefined) // => tensor(3, float32)
 * ```
 */
export function bind<N extends Arity, P>(row: Row<string, N, P>, xs: Tuple<N, Tensor>, params: NoInfer<P>): Tensor {
  return apply(row, xs, params) as Tensor
}

/** Applies an op with several results. */
export function bindMany<N extends Arity, P>(row: Row<string, N, P>, xs: Tuple<N, Tensor>, params: NoInfer<P>): Tensor[] {
  return apply(row, xs, params) as Tensor[]
}
