// What laws are about: a function of float tensors, with the point, tangents and cotangents to test it at.

import { type Backend, type DType, type Tensor, vjp } from '@bp/core'
import { type AnyRow, bindMany, isFloat } from '@bp/core/extend'
import { type AnySample, direction, realise } from './sample.ts'

/** A function from float tensors to float tensors, at a point. */
export interface Subject {
  readonly name: string
  readonly f: (xs: Tensor[]) => Tensor[]
  readonly xs: readonly Tensor[]
}

/** A row applied to a sample's operands: every operand, and every result. */
export interface Application {
  readonly name: string
  readonly operands: readonly Tensor[]
  readonly apply: (operands: readonly Tensor[]) => Tensor[]
}

/** Applies a row with one or several results. */
export const applyRow = (row: AnyRow, xs: readonly Tensor[], params: unknown): Tensor[] => [bindMany(row, [...xs], params) as Tensor | Tensor[]].flat()

/** The elements of a tensor as numbers. */
export const numbers = async (x: Tensor): Promise<Float64Array> => Float64Array.from(await x.data() as ArrayLike<number | bigint>, Number)

/** A row at a sample. */
export function application(name: string, row: AnyRow, sample: AnySample, dtype: DType, backend?: Backend): Application {
  const params = backend && sample.operands.length === 0 ? { ...sample.params as object, backend } : sample.params
  return {
    name,
    operands: realise(name, sample, dtype, backend),
    apply: operands => applyRow(row, operands, params),
  }
}

/** An application as a function of its float operands alone; the others are fixed. */
export function subjectOf({ name, operands, apply }: Application): Subject {
  const moving = operands.map(x => isFloat(x.dtype))
  return {
    name,
    xs: operands.filter((_, i) => moving[i]),
    f: xs => {
      let next = 0
      return apply(operands.map((x, i) => moving[i] ? xs[next++]! : x)).filter(y => isFloat(y.dtype))
    },
  }
}

/** A tangent for each operand. */
export const tangents = ({ name, xs }: Subject): Tensor[] => xs.map((x, i) => direction(`${name} t${i}`, x))

/** A cotangent for each result. */
export const cotangents = (name: string, ys: readonly Tensor[]): Tensor[] => ys.map((y, i) => direction(`${name} ct${i}`, y))

/** The gradient of ⟨ct, f(x)⟩ as a function of x and ct: a subject in its own right, whose laws are the second-order ones. */
export function gradientOf(subject: Subject): Subject {
  const count = subject.xs.length
  const cts = cotangents(subject.name, subject.f([...subject.xs]))
  return {
    name: `${subject.name} gradient`,
    xs: [...subject.xs, ...cts],
    f: both => {
      const [, pullback] = vjp((...xs: Tensor[]) => subject.f(xs), both.slice(0, count))
      return pullback(both.slice(count))
    },
  }
}
