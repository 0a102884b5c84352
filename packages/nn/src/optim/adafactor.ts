// Adafactor: Adam's mean squares kept as one row and one column for each matrix.

import { full, mul, type Tensor } from '@bp/core'
import { div, matmul, maximum, mean, minimum, rsqrt, sqrt, square, sub } from '@bp/ops'
import type { Parameter } from '../module.ts'
import { notNegative, type Now, Optimizer, type OptimizerOptions, type ParametersOrGroups } from './optimizer.ts'
import { lerp, shrunk } from './steps.ts'

/** Options of {@link Adafactor}. */
export interface AdafactorOptions extends OptimizerOptions {
  /** τ: in step t the mean squares keep 1 − t^τ of what they were. */
  beta2Decay: number
  /** The least root mean square of gradients, the machine epsilon of the parameter's dtype where null; and that of parameters. */
  eps: readonly [number | null, number]
  /** What the root mean square of an update is cut to. */
  d: number
  weightDecay: number
}

/** The distance from 1 to the next number. */
const machineEpsilon = { float64: 2 ** -52, float32: 2 ** -23, float16: 2 ** -10 } as Readonly<Record<string, number>>

const rms = (x: Tensor): Tensor => sqrt(mean(square(x)))

/**
 * R ← R + t^τ(mean of g² over columns − R), C the same over rows, v = R·C/mean(R);   u = g/√v;
 * p ← (1 − lr·λ)p − max(ε₂, rms(p))·min(lr, 1/√t)·u/max(1, rms(u)/d) (Shazeer & Stern 2018, "Adafactor"), as
 * `torch.optim.Adafactor`, where the rate caps the relative step. Vectors keep all their mean squares.
 */
export class Adafactor extends Optimizer<AdafactorOptions> {
  constructor(params: ParametersOrGroups<AdafactorOptions>, options: Partial<AdafactorOptions> = {}) {
    super(params, { lr: 1e-2, beta2Decay: -0.8, eps: [null, 1e-3], d: 1, weightDecay: 0, maximize: false, ...options }, {
      beta2Decay: ['at most 0', tau => tau <= 0],
      eps: ['two numbers of at least 0, the first may be null', ([first, second]) => (first ?? 0) >= 0 && second >= 0],
      d: ['at least 1', d => d >= 1],
      weightDecay: notNegative,
    })
  }

  protected override update(p: Parameter, g: Tensor, group: AdafactorOptions, now: Now): Tensor {
    const { eps: [eps1, eps2], d } = group
    const least = eps1 ?? machineEpsilon[p.dtype]!
    const rate = mul(maximum(rms(p), eps2), now(step => Math.min(group.lr, 1 / Math.sqrt(step))))
    const u = mul(rsqrt(maximum(this.meanSquares(p, square(g), group, least, now), least * least)), g)
    return sub(shrunk(p, group, now), mul(u, mul(rate, minimum(div(d, rms(u)), 1))))
  }

  private meanSquares(p: Parameter, squares: Tensor, group: AdafactorOptions, least: number, now: Now): Tensor {
    const fresh = now(step => step ** group.beta2Decay)
    if (p.rank < 2) return this.next(p, 'variance', v => lerp(v, squares, fresh))
    const along = (name: string, axis: number): Tensor => this.next(p, name, v => lerp(v, mean(squares, [axis], true), fresh), () => full(p.shape.with(axis, 1), 0, p.dtype, p.backend))
    const rows = along('row_var', -1)
    return div(matmul(rows, along('col_var', -2)), maximum(mean(rows, [-2], true), least))
  }
}
