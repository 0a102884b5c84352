// Pieces that many update rules have in common.

import { add, mul, type Tensor } from '@bp/core'
import { div, expm1, neg, square, sub } from '@bp/ops'
import type { Parameter } from '../module.ts'
import type { Now } from './optimizer.ts'

/** a moved towards b by the fraction t. */
export const lerp = (a: Tensor, b: Tensor, t: number | Tensor): Tensor => add(a, mul(sub(b, a), t))

/** w·a + (1 − w)·b², w read anew in each step */
export const meanSquare = (a: Tensor, b: Tensor, now: Now, w: () => number): Tensor => add(mul(a, now(w)), mul(square(b), now(() => 1 - w())))

/** g + λp: weight decay as the gradient of ½λp². */
export const decayed = (p: Parameter, grad: Tensor, group: { readonly weightDecay: number }, now: Now): Tensor =>
  group.weightDecay === 0 ? grad : add(grad, mul(p, now(() => group.weightDecay)))

/** (1 − lr·λ)p: weight decay apart from the gradient (Loshchilov & Hutter 2017, "Decoupled weight decay regularization"). */
export const shrunk = (p: Parameter, group: { readonly lr: number; readonly weightDecay: number }, now: Now): Tensor =>
  group.weightDecay === 0 ? p : mul(p, now(() => 1 - group.lr * group.weightDecay, lr => sub(1, mul(lr, group.weightDecay))))

/** 1 − βᵗ = −(e^(t·log β) − 1), which is exact where βᵗ is close to 1. */
export const restOfPower = (beta: number, step: Tensor): Tensor => neg(expm1(mul(step, Math.log(beta))))

/** lr/(1 − β₁ᵗ): the rate of a running mean that starts at zero. */
export const correctedRate = (group: { readonly lr: number; readonly betas: readonly [number, number] }, now: Now): number | Tensor =>
  now(step => group.lr / (1 - group.betas[0] ** step), (lr, step) => div(lr, restOfPower(group.betas[0], step)))
