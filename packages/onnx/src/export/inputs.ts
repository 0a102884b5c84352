// The inputs of a model to be written, and the points at which a program with open dimensions is traced.

import { BpError, type DType, type Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { knowingUpTo } from '../import/run.ts'
import { knownLimit } from '../import/value.ts'
import type { ValueInfoProto } from '../proto/proto.ts'
import { codeOf } from '../proto/elementType.ts'
import { Builder } from './builder.ts'
import { isFixed, OpenDimensions, type Size } from './sizes.ts'
import { traceTwin, type Twin, type TwinAval } from './twin.ts'

/** One input of the model to be written. */
export interface ExportInput {
  /** `input` unless given; `input_1` and so on for further ones. */
  readonly name?: string
  /** A size, or the name of a dimension that stays open: the same name means the same size. */
  readonly shape: readonly (number | string)[]
  /** float32 unless given. */
  readonly dtype?: DType
  /** Leaves the first axis open, under the name `batch`; its size in `shape` is then of no matter. */
  readonly dynamicBatch?: boolean
}

/** An input with everything settled. */
export interface SettledInput {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly (number | string)[]
}

/** Settles names, dtypes and open dimensions; unnamed inputs are called after `base`. */
export const settleInputs = (op: string, inputs: readonly ExportInput[], base = 'input'): SettledInput[] => inputs.map(({ name, dtype = 'float32', shape, dynamicBatch }, i) => {
  const settled = name ?? (inputs.length === 1 ? base : `${base}_${i}`)
  if (dynamicBatch && shape.length === 0) fail('shape', op, `the scalar ${settled} has no batch axis. Leave dynamicBatch out`)
  const bad = shape.find(size => typeof size === 'string' ? size === '' : !Number.isInteger(size) || size < 0)
  if (bad !== undefined) fail('shape', op, `the shape of ${settled} must be of sizes and names of dimensions, got ${JSON.stringify(bad)}`)
  return { name: settled, dtype, shape: dynamicBatch ? ['batch', ...shape.slice(1)] : shape }
})

/**
 * What is added to the dimensions' least sizes, and what they are multiples of, in the order tried: small ones, odd ones and even, first;
 * then larger ones, for programs that shrink images; then multiples, for those that halve sizes again and again.
 */
const attempts = [[0, 1], [30, 1], [124, 1], [0, 2], [0, 4], [0, 8], [0, 16], [0, 32], [0, 64]] as const

/**
 * Known whole numbers of more elements than this follow from open dimensions, as positions and masks do, and are left to the graph; but where
 * a program refuses sizes above it, they are computed beside the program after all.
 */
const mostKnown = 16

/** A program traced with its open dimensions. */
export interface OpenProgram {
  readonly twin: Twin
  readonly open: OpenDimensions
  /** Of the inputs. */
  readonly avals: readonly TwinAval[]
  /** A new builder for it, in which the inputs have their names. */
  readonly builder: (opset: number) => Builder
}

/**
 * Traces a function at sample points of the inputs' open dimensions. Where it refuses the sizes, others are tried: without those far
 * larger, then larger ones, and multiples of powers of two. That it runs other ops at another size is an error, but where `plain` says
 * that it branches on no size: then only a size of 1 can have made the difference, and others are tried too.
 */
export function traceOpen(inputs: readonly SettledInput[], f: (...xs: Tensor[]) => Tensor | readonly Tensor[], plain = false): OpenProgram {
  const sources = new Map<string, { readonly name: string; readonly axis: number }>()
  for (const { name, shape } of inputs) shape.forEach((size, axis) => { if (typeof size === 'string' && !sources.has(size)) sources.set(size, { name, axis }) })
  const at = ([least, unit]: readonly [number, number], far: boolean): OpenProgram => {
    const open = new OpenDimensions([...sources.keys()], least, unit, far)
    const avals = inputs.map(({ dtype, shape }): TwinAval => ({ dtype, sizes: shape.map(size => typeof size === 'string' ? open.sizes.get(size)! : open.fixed(size)) }))
    const builder = (opset: number): Builder => {
      const b = new Builder(opset, open, sources)
      for (const { name } of inputs) b.claim(name)
      return b
    }
    return { twin: traceTwin(xs => f(...xs), avals, open.points), open, avals, builder }
  }
  if (sources.size === 0) return at(attempts[0], false)
  let first: unknown = null
  for (const known of [mostKnown, knownLimit]) trying: for (const attempt of attempts) for (const far of [true, false]) {
    try {
      return knowingUpTo(known, () => at(attempt, far))
    } catch (error) {
      if (!(error instanceof BpError)) throw error
      first ??= error
      if (error.op === 'exportOnnx') {
        if (plain) continue trying
        break trying
      }
    }
  }
  throw first
}

/** What the file says of an input or output. */
export function valueInfo(b: Builder, name: string, { dtype, sizes }: TwinAval): ValueInfoProto {
  const dim = sizes.map((size: Size) => {
    if (isFixed(size)) return { dimValue: size[0]! }
    const text = b.dims.text(size)
    return text === null ? {} : { dimParam: text }
  })
  return { name, type: { tensorType: { elemType: codeOf(dtype), shape: { dim } } } }
}
