// The one error class of the framework: every message names the op, the rule, what it got, and the way out.

/** What kind of mistake an error reports. */
export type ErrorCode = 'shape' | 'dtype' | 'axis' | 'value' | 'grad' | 'backend' | 'data' | 'memory'

/**
 * Every error that `@bp/*` raises on bad input.
 *
 * @example
 * ```ts
 * import { BpError } from '@bp/core'
 * const error = new BpError('axis', 'sum', 'axis 2 is out of range')
 * error.message // => sum: axis 2 is out of range
 * error.code // => axis
 * ```
 */
export class BpError extends Error {
  /** The kind of mistake, for programs that branch on it. */
  readonly code: ErrorCode
  /** The op or function that refused. */
  readonly op: string

  constructor(code: ErrorCode, op: string, message: string, options?: ErrorOptions) {
    super(`${op}: ${message}`, options)
    this.name = 'BpError'
    this.code = code
    this.op = op
  }
}

/** Throws a {@link BpError}; typed `never`, so that it can stand in an expression. */
export function fail(code: ErrorCode, op: string, message: string, options?: ErrorOptions): never {
  throw new BpError(code, op, message, options)
}
