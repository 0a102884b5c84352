// The error function: a series near zero, a continued fraction further out.

/** (2/√π) ∫₀ˣ e^(−t²) dt, to 10⁻¹⁵ (Abramowitz & Stegun 1964, 7.1.5 and 7.1.14). */
export function erf(x: number): number {
  const size = Math.abs(x)
  if (!(size < 2.5)) return Number.isNaN(x) ? x : Math.sign(x) * (1 - tail(size))
  if (x === 0) return x
  // 2/√π · Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1))
  let power = x
  let sum = x
  for (let n = 1; n < 60; n++) {
    power *= -x * x / n
    sum += power / (2 * n + 1)
  }
  return sum * 2 / Math.sqrt(Math.PI)
}

/** 1 − erf x = e^(−x²)/√π · 1/(x + (1/2)/(x + (2/2)/(x + …))) */
function tail(x: number): number {
  if (x > 27) return 0
  let below = x
  for (let n = 100; n > 0; n--) below = x + n / 2 / below
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / below
}
