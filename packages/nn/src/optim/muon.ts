// Muon: momentum whose matrices are made orthogonal before they are followed.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { cast, div, matmul, matrixTranspose, maximum, sqrt, square, sub, sum } from '@bp/ops'
import type { Parameter } from '../module.ts'
import { notNegative, type Now, Optimizer, type OptimizerOptions, type ParameterGroup, type ParametersOrGroups } from './optimizer.ts'
import { lerp, shrunk } from './steps.ts'

/** Options of {@link Muon}. */
export interface MuonOptions extends OptimizerOptions {
  momentum: number
  nesterov: boolean
  weightDecay: number
  /** a, b, c of the polynomial ax + bx³ + cx⁵ that pulls singular values towards 1. */
  nsCoefficients: readonly [number, number, number]
  /** How often it is applied; fewer than 100 times. */
  nsSteps: number
  eps: number
  /**
   * What the rate of an n × m matrix is multiplied by: √max(1, n/m) (`original`), 0.2·√max(n, m), so that updates are as large as
   * AdamW's and its rate and decay serve (`match_rms_adamw`, Liu et al. 2025), or √(n/m) (`spectral_unclamped`).
   */
  adjustLr: 'original' | 'match_rms_adamw' | 'spectral_unclamped'
  /**
   * Rounds to bfloat16 while making orthogonal, as PyTorch does, so that runs agree; `full` computes in the parameter's dtype,
   * which costs no more here.
   */
  precision: 'bfloat16' | 'full'
}

const adjustments: Readonly<Record<MuonOptions['adjustLr'], (n: number, m: number) => number>> = {
  original: (n, m) => Math.sqrt(Math.max(1, n / m)),
  match_rms_adamw: (n, m) => 0.2 * Math.sqrt(Math.max(n, m)),
  spectral_unclamped: (n, m) => Math.sqrt(n / m),
}

/**
 * b ← μb + (1 − μ)g;   p ← (1 − lr·λ)p − lr′·U, where U is b (with Nesterov, (1 − μ)g + μb) with all singular values brought near
 * 1 by Newton–Schulz iteration (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"), as
 * `torch.optim.Muon`. For matrices of hidden layers; give biases, embeddings and the output layer to AdamW.
 */
export class Muon extends Optimizer<MuonOptions> {
  constructor(params: ParametersOrGroups<MuonOptions>, options: Partial<MuonOptions> = {}) {
    super(params, { lr: 1e-3, weightDecay: 0.1, momentum: 0.95, nesterov: true, nsCoefficients: [3.4445, -4.775, 2.0315], eps: 1e-7, nsSteps: 5, adjustLr: 'original', precision: 'bfloat16', maximize: false, ...options }, {
      momentum: notNegative,
      weightDecay: notNegative,
      nsCoefficients: ['three numbers', coefficients => coefficients.every(Number.isFinite)],
      nsSteps: ['a whole number from 0 to 99', steps => Number.isInteger(steps) && steps >= 0 && steps < 100],
      adjustLr: [`one of ${Object.keys(adjustments).join(', ')}`, name => name in adjustments],
    })
  }

  override addParamGroup(group: ParameterGroup<MuonOptions>): void {
    const other = group.params.find(({ rank }) => rank !== 2)
    if (other) fail('shape', 'Muon', `only matrices can be made orthogonal, got ${describe(other)}. Give other parameters to AdamW`)
    super.addParamGroup(group)
  }

  protected override update(p: Parameter, g: Tensor, group: MuonOptions, now: Now): Tensor {
    const b = this.next(p, 'momentum_buffer', b => lerp(b, g, now(() => 1 - group.momentum)))
    const direction = orthogonal(group.nesterov ? lerp(g, b, now(() => group.momentum)) : b, group)
    const adjustment = adjustments[group.adjustLr](p.shape[0]!, p.shape[1]!)
    return sub(shrunk(p, group, now), mul(direction, now(() => group.lr * adjustment, lr => mul(lr, adjustment))))
  }
}

/** X ← aX + (bA + cA²)X with A = X·Xᵀ, from X = G/‖G‖ on, the shorter side first. */
function orthogonal(matrix: Tensor, { nsCoefficients: [a, b, c], nsSteps, eps, precision }: MuonOptions): Tensor {
  const round = precision === 'full' ? (x: Tensor): Tensor => x : toBfloat16
  const tall = matrix.shape[0]! > matrix.shape[1]!
  const narrow = precision === 'full' ? matrix : round(cast(matrix, 'float32'))
  let x = tall ? matrixTranspose(narrow) : narrow
  x = round(div(x, maximum(round(sqrt(sum(square(x)))), eps)))
  for (let i = 0; i < nsSteps; i++) {
    const gram = round(matmul(x, matrixTranspose(x)))
    x = round(add(mul(x, a), matmul(round(add(mul(gram, b), mul(matmul(gram, gram), c))), x)))
  }
  return cast(tall ? matrixTranspose(x) : x, matrix.dtype)
}

/** float32 to the nearest number with 8 bits of mantissa: the high part of Veltkamp's splitting (Dekker 1971), c = (2¹⁶ + 1)x, c − (c − x). */
function toBfloat16(x: Tensor): Tensor {
  const c = mul(x, 65537)
  return sub(c, sub(c, x))
}
