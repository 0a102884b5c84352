// What an emitter is: the function that writes one op of the program as ONNX nodes.

import { fail } from '@bp/core/extend'
import type { Builder } from './builder.ts'
import { isFixed, type Size, type TwinAval, type TwinNode } from './twin.ts'

/** One op to write: the names of its operands, and the shapes around it. */
export interface Emission {
  readonly node: TwinNode
  readonly inputs: readonly string[]
  readonly xs: readonly TwinAval[]
  readonly ys: readonly TwinAval[]
  /** How errors name the op: `reshape (op 3 of 7)`. */
  readonly where: string
}

/** Writes an op and returns the name of its result, or of all its results, or `null` where this case is better decomposed. */
export type Emitter = (b: Builder, e: Emission) => string | string[] | null

/** Emitters by row name. */
export type Emitters = Readonly<Record<string, Emitter>>

/** The parameters of an op that do not depend on the batch; throws where they do. */
export function fixedParams<P>(e: Emission): P {
  const [a, b] = e.node.params.map(params => JSON.stringify(params, (key, value: unknown) => key === 'backend' ? undefined : value))
  if (a !== b) fail('value', 'exportOnnx', `${e.where} has parameters that depend on the batch (${a} and ${b}), which ONNX cannot express. Export without dynamicBatch`)
  return e.node.params[0] as P
}

/** Parameters at both batch sizes. */
export const bothParams = <P>(e: Emission): readonly [P, P] => e.node.params as readonly [P, P]

/** Sizes that must not depend on the batch. */
export const fixedSizes = (e: Emission, sizes: readonly Size[]): number[] =>
  sizes.every(isFixed) ? sizes.map(([a]) => a) : fail('value', 'exportOnnx', `${e.where} needs sizes that do not depend on the batch. Export without dynamicBatch`)

/** Pairs of low and high as ONNX lists them: all lows, then all highs. */
export const pads = (padding: readonly (readonly [number, number])[]): number[] => [...padding.map(([low]) => low), ...padding.map(([, high]) => high)]
