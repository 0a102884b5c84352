// Errors for what a model needs and the importer has not, told apart from damaged files by their class.

import { BpError, type ErrorCode } from '@bp/core'

/**
 * A model uses something of ONNX that is not implemented: an element type, an operator set, sequences, or, as an
 * {@link UnsupportedOperatorError}, operators.
 */
export class UnsupportedError extends BpError {
  constructor(op: string, message: string, code: ErrorCode = 'data') {
    super(code, op, message)
    this.name = 'UnsupportedError'
  }
}

/**
 * A model uses operators, or modes of them, that are not implemented. Loading reports all of them at once.
 *
 * @example
 * ```ts
 * import { UnsupportedOperatorError } from '@bp/onnx'
 * new UnsupportedOperatorError('importOnnx', ['Loop'], 'no operator Loop').operators // => [Loop]
 * ```
 */
export class UnsupportedOperatorError extends UnsupportedError {
  /** The operators, as `Loop` or `ai.onnx.ml:Scaler`, each once. */
  readonly operators: readonly string[]

  constructor(op: string, operators: readonly string[], message: string) {
    super(op, message)
    this.name = 'UnsupportedOperatorError'
    this.operators = [...new Set(operators)]
  }
}

/** Throws an {@link UnsupportedOperatorError} for one operator's mode that is not implemented. */
export function unsupported(operator: string, what: string): never {
  throw new UnsupportedOperatorError(operator, [operator], `${what} is unsupported. Export the model without it, or pass an implementation in importOnnx(bytes, { operators: { ${operator}: … } })`)
}
