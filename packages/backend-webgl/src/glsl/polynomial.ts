// Numbers and polynomials as GLSL text.

/** A function of GLSL; what it calls is found by its name. */
export interface Helper {
  readonly source: string
}

/** The float next to a number, to its last digit. */
export function literal(c: number): string {
  const text = String(Math.fround(c))
  return /[.e]/.test(text) ? text : `${text}.0`
}

/** Σ cᵢ xⁱ by Horner's rule, coefficients from the lowest power. */
export const polynomial = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(0, -1).reduceRight((sum, c) => `(${literal(c)} + ${x} * ${sum})`, literal(coefficients.at(-1)!))
