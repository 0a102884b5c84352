// What an emitter is: the function that writes one op of the program as ONNX nodes.

import { fail } from '@bp/core/extend'
import type { Builder } from './builder.ts'
import { isFixed, type Size } from './sizes.ts'
import { printParams, type TwinAval, type TwinNode } from './twin.ts'

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

/** The parameters of an op that depend on no open dimension; throws where they do. */
export function fixedParams<P>(e: Emission): P {
  const texts = e.node.params.map(printParams)
  const other = texts.find(text => text !== texts[0])
  if (other !== undefined) fail('value', 'exportOnnx', `${e.where} has parameters that depend on an open dimension (${texts[0]} and ${other}), which ONNX cannot express. Export at fixed sizes`)
  return e.node.params[0] as P
}

/** Parameters at all sample points. */
export const everyParams = <P>(e: Emission): readonly P[] => e.node.params as readonly P[]

/** A number of the parameters at all sample points. */
export const everywhere = <P>(e: Emission, read: (params: P) => number): Size => everyParams<P>(e).map(read)

/** Sizes that must depend on no open dimension. */
export const fixedSizes = (e: Emission, sizes: readonly Size[]): number[] =>
  sizes.every(isFixed) ? sizes.map(([n]) => n!) : fail('value', 'exportOnnx', `${e.where} needs sizes that depend on no open dimension, got ${sizes.map(size => isFixed(size) ? size[0] : size.join(' or ')).join(' × ')}. Export at fixed sizes`)

/** Pairs of low and high as ONNX lists them: all lows, then all highs. */
export const pads = (padding: readonly (readonly [number, number])[]): number[] => [...padding.map(([low]) => low), ...padding.map(([, high]) => high)]
