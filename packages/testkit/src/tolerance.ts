// How exact each law is, by dtype.

import type { DType } from '@bp/core'

/** The error that a law allows, relative to the largest magnitude that it compares (at least 1). */
export interface Tolerance {
  /** Of a kernel's result. */
  readonly value: number
  /** Of a gradient computed in two ways. */
  readonly fused: number
  /** Of the two sides of the adjoint law. */
  readonly adjoint: number
  /** The step of a central difference. */
  readonly step: number
  /** Of a derivative against a central difference: its truncation error, and rounding divided by the step. */
  readonly difference: number
}

const double: Tolerance = { value: 1e-11, fused: 1e-9, adjoint: 1e-10, step: 2 ** -17, difference: 1e-7 }
const single: Tolerance = { value: 2e-6, fused: 5e-5, adjoint: 2e-5, step: 2 ** -7, difference: 1e-2 }
const half: Tolerance = { value: 2e-3, fused: 2e-2, adjoint: 2e-2, step: 2 ** -3, difference: 0.1 }

/** By dtype; whole numbers are exact. */
export const tolerances: Readonly<Record<DType, Tolerance>> = {
  float64: double, float32: single, float16: half,
  int64: double, int32: double, uint8: double, bool: double,
}

/** Some of them, where a backend is less exact: a graphics card's exponential. */
export type Tolerances = Readonly<Partial<Record<DType, Partial<Tolerance>>>>

/** {@link tolerances} with those given in their place. */
export const tolerancesWith = (given: Tolerances = {}): Readonly<Record<DType, Tolerance>> =>
  Object.fromEntries(Object.entries(tolerances).map(([dtype, tolerance]) => [dtype, { ...tolerance, ...given[dtype as DType] }])) as Record<DType, Tolerance>
