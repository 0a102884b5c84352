// The error function to double precision.

/* Numerators and denominators, highest power first, of the rational Chebyshev approximations in W. J. Cody, "Rational
   Chebyshev approximations for the error function", Math. Comp. 23 (1969), 631–637, doi:10.1090/S0025-5718-1969-0247736-4,
   rounded to doubles. */
const centre = {
  p: [0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694],
  q: [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171],
}
const middle = {
  p: [2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769, 1712.0476126340707, 2051.0783778260716, 1230.3393547979972],
  q: [1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597, 4362.619090143247, 3439.3676741437216, 1230.3393548037495],
}
const tail = {
  p: [0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275, 0.0006587491615298378],
  q: [1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918],
}

interface Ratio {
  readonly p: readonly number[]
  readonly q: readonly number[]
}

/** p(x)/q(x) by Horner's rule. */
function ratio({ p, q }: Ratio, x: number): number {
  let above = 0
  let below = 0
  for (let i = 0; i < p.length; i++) {
    above = above * x + p[i]!
    below = below * x + q[i]!
  }
  return above / below
}

/** erf x by Cody's three ranges; relative error below 4e-16, 4 ulp. Odd, ±1 from |x| = 6 on, NaN for NaN. */
export function erf(x: number): number {
  const a = Math.abs(x)
  if (a <= 0.46875) return x * ratio(centre, x * x)
  if (a >= 6) return Math.sign(x)
  const y = 0.5 - erfc(a) + 0.5
  return x < 0 ? -y : y
}

/** erfc a for a > 0.46875; a² is split so that e^(−a²) keeps its last digits. */
function erfc(a: number): number {
  const square = 1 / (a * a)
  const scaled = a <= 4 ? ratio(middle, a) : (1 / Math.sqrt(Math.PI) - square * ratio(tail, square)) / a
  const coarse = Math.trunc(a * 16) / 16
  return Math.exp(-coarse * coarse) * Math.exp(-(a - coarse) * (a + coarse)) * scaled
}
