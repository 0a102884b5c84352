// Dual numbers: forward mode on plain numbers, a + b·ε with ε² = 0.

/** A dual number, or a number, which is one without a tangent. */
export type DualLike = Dual | number

/**
 * A number with its tangent: `real` is f(x), `dual` is f′(x)·ẋ. Every operation carries both, by the rules of calculus
 * (Clifford 1873, "Preliminary Sketch of Biquaternions").
 *
 * @example
 * ```ts
 * import { dual } from '@bp/core'
 * const x = dual(3, 1) // x = 3, ẋ = 1
 * const y = x.mul(x).add(x) // f(x) = x·x + x
 * y.real // => 12
 * y.dual // => 7
 * ```
 */
export class Dual {
  /** f(x): the value. */
  readonly real: number
  /** f′(x)·ẋ: the tangent. */
  readonly dual: number

  constructor(real: number, dual = 0) {
    this.real = real
    this.dual = dual
  }

  /** (f + g)′ = f′ + g′ */
  add(other: DualLike): Dual {
    const g = lift(other)
    return new Dual(this.real + g.real, this.dual + g.dual)
  }

  /** (f − g)′ = f′ − g′ */
  sub(other: DualLike): Dual {
    const g = lift(other)
    return new Dual(this.real - g.real, this.dual - g.dual)
  }

  /** (f·g)′ = f′·g + f·g′ */
  mul(other: DualLike): Dual {
    const g = lift(other)
    return new Dual(this.real * g.real, this.dual * g.real + this.real * g.dual)
  }

  /** (f/g)′ = (f′·g − f·g′)/g² */
  div(other: DualLike): Dual {
    const g = lift(other)
    return new Dual(this.real / g.real, (this.dual * g.real - this.real * g.dual) / (g.real * g.real))
  }

  /** (−f)′ = −f′ */
  neg(): Dual {
    return new Dual(-this.real, -this.dual)
  }

  /** (fⁿ)′ = n·fⁿ⁻¹·f′ for a fixed n */
  pow(n: number): Dual {
    return this.map(this.real ** n, n === 0 ? 0 : n * this.real ** (n - 1))
  }

  /** (eᶠ)′ = eᶠ·f′ */
  exp(): Dual {
    const y = Math.exp(this.real)
    return this.map(y, y)
  }

  /** (log f)′ = f′/f */
  log(): Dual {
    return this.map(Math.log(this.real), 1 / this.real)
  }

  /** (√f)′ = f′/(2√f) */
  sqrt(): Dual {
    const y = Math.sqrt(this.real)
    return this.map(y, 0.5 / y)
  }

  /** (sin f)′ = cos f·f′ */
  sin(): Dual {
    return this.map(Math.sin(this.real), Math.cos(this.real))
  }

  /** (cos f)′ = −sin f·f′ */
  cos(): Dual {
    return this.map(Math.cos(this.real), -Math.sin(this.real))
  }

  /** (tanh f)′ = (1 − tanh² f)·f′ */
  tanh(): Dual {
    const y = Math.tanh(this.real)
    return this.map(y, 1 - y * y)
  }

  /** The chain rule: a function's value and derivative at `real`, for functions that are not here. */
  map(value: number, derivative: number): Dual {
    return new Dual(value, derivative * this.dual)
  }

  /** `3 + 1ε` */
  toString(): string {
    return `${this.real} ${this.dual < 0 ? '-' : '+'} ${Math.abs(this.dual)}ε`
  }
}

const lift = (x: DualLike): Dual => typeof x === 'number' ? new Dual(x) : x

/** A dual number; the tangent is 0, a constant, unless given. */
export const dual = (real: number, tangent = 0): Dual => new Dual(real, tangent)

/**
 * The derivative of a function of one number, by running it once on a dual number.
 *
 * @example
 * ```ts
 * import { derivative } from '@bp/core'
 * derivative(x => x.mul(x).add(x), 3) // => 7
 * ```
 */
export const derivative = (f: (x: Dual) => DualLike, x: number): number => lift(f(new Dual(x, 1))).dual
