// Comparing tensors with what they should be.

import type { Tensor } from '@bp/core'

/** What a number may differ by: atol + rtol·|want|. */
export interface Tolerance {
  readonly rtol: number
  readonly atol: number
  /** Where this share of the tensor's largest expected magnitude, or of 1, is more than `atol`, it stands in its place. */
  readonly share?: number
}

/** What results in float32 may differ by from others computed in another order. */
export const single: Tolerance = { rtol: 1e-3, atol: 0, share: 1e-4 }

/** The larger of two tolerances, field by field. */
export const larger = (a: Tolerance, b: Tolerance): Tolerance => ({ rtol: Math.max(a.rtol, b.rtol), atol: Math.max(a.atol, b.atol), share: Math.max(a.share ?? 0, b.share ?? 0) })

/** A case that went wrong; the message says where. */
export class Mismatch extends Error {}

/** A case that needs something not implemented; the message names it. */
export class Unsupported extends Error {}

/**
 * The largest error relative to what is allowed; throws a {@link Mismatch} where it is above 1, or shapes or dtypes differ.
 * NaN equals NaN, and infinities only themselves.
 */
export function compare(what: string, got: Tensor, want: Tensor, tolerance: Tolerance): number {
  if (got.dtype !== want.dtype) throw new Mismatch(`${what} is ${got.dtype}, expected ${want.dtype}`)
  if (got.shape.join() !== want.shape.join()) throw new Mismatch(`${what} has shape [${got.shape.join(',')}], expected [${want.shape.join(',')}]`)
  return compareNumbers(what, got.dataSync(), want.dataSync(), tolerance)
}

/** The same for flat numbers. */
export function compareNumbers(what: string, got: ArrayLike<number | bigint>, want: ArrayLike<number | bigint>, tolerance: Tolerance): number {
  if (got.length !== want.length) throw new Mismatch(`${what} has ${got.length} numbers, expected ${want.length}`)
  const { rtol, share } = tolerance
  const atol = share ? Math.max(tolerance.atol, share * Math.max(1, largest(want))) : tolerance.atol
  let worst = 0
  let place = 0
  for (let i = 0; i < want.length; i++) {
    const error = errorOf(got[i]!, want[i]!, rtol, atol)
    if (error > worst) {
      worst = error
      place = i
    }
  }
  if (worst > 1) throw new Mismatch(`${what}[${place}] is ${got[place]}, expected ${want[place]} (${worst.toPrecision(3)} × the tolerance)`)
  return worst
}

function errorOf(got: number | bigint, want: number | bigint, rtol: number, atol: number): number {
  if (got === want) return 0
  const a = Number(got)
  const b = Number(want)
  if (Number.isNaN(a) && Number.isNaN(b)) return 0
  const error = Math.abs(a - b) / (atol + rtol * Math.abs(b))
  return Number.isFinite(a) && Number.isFinite(b) && !Number.isNaN(error) ? error : Infinity
}

/** The largest finite magnitude. */
function largest(values: ArrayLike<number | bigint>): number {
  let most = 0
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(Number(values[i]))
    if (Number.isFinite(size) && size > most) most = size
  }
  return most
}
