// PyTorch's losses and optimisers by the names and options that case files give them.

import type { Tensor } from '@bp/core'
import { sameShape } from '@bp/core/extend'
import { Adadelta, Adafactor, Adagrad, Adam, Adamax, AdamW, ASGD, bceWithLogits, crossEntropy, huberLoss, Lion, mseLoss, type AnyOptimizer, Muon, NAdam, type Parameter, RAdam, RMSprop, Rprop, SGD } from '@bp/nn'
import { reshape } from '@bp/ops'
import { Unsupported } from '../compare.ts'

/** A loss as a case file names it. */
export interface LossSpec {
  readonly name: string
  readonly label_smoothing?: number
  readonly delta?: number
}

/** An optimiser as a case file names it: its name and PyTorch's options. */
export interface OptimizerSpec {
  readonly name: string
  readonly [option: string]: unknown
}

/** The loss of a model's output against a target. */
export function lossOf({ name, label_smoothing = 0, delta = 1 }: LossSpec, y: Tensor, target: Tensor): Tensor {
  switch (name) {
    case 'cross_entropy': return crossEntropy(...byRow(y, target), { labelSmoothing: label_smoothing })
    case 'bce_with_logits': return bceWithLogits(y, target)
    case 'huber': return huberLoss(y, target, { delta })
    case 'mse': return mseLoss(y, target)
    default: throw new Unsupported(`loss ${name}`)
  }
}

/** Logits [n, length, classes] of a sequence model with indices [n, length], as rows of logits with their indices. */
const byRow = (y: Tensor, target: Tensor): [Tensor, Tensor] =>
  y.rank > 2 && sameShape(y.shape.slice(0, -1), target.shape) ? [reshape(y, [-1, y.shape.at(-1)!]), reshape(target, [-1])] : [y, target]

type Make = new (params: readonly Parameter[], options: never) => AnyOptimizer

const optimizers: Readonly<Record<string, Make>> = {
  adadelta: Adadelta, adafactor: Adafactor, adagrad: Adagrad, adam: Adam, adamax: Adamax, adamw: AdamW, asgd: ASGD, lion: Lion,
  muon: Muon, nadam: NAdam, radam: RAdam, rmsprop: RMSprop, rprop: Rprop, sgd: SGD,
}

/** Options that choose between implementations of one formula. */
const implementation = ['foreach', 'fused', 'capturable', 'differentiable']

/** Names that are no camel case of PyTorch's. */
const renamed: Readonly<Record<string, string>> = { adjustLrFn: 'adjustLr', lineSearchFn: 'lineSearch' }

/** A name of PyTorch's as one of ours: `weight_decay` becomes `weightDecay`. */
export function camel(name: string): string {
  const own = name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()).replace(/^T/, 't')
  return renamed[own] ?? own
}

/** The optimiser that a case file names, with its options; `Unsupported` where it or an option is not there. */
export function optimizerOf({ name, ...options }: OptimizerSpec, params: readonly Parameter[]): AnyOptimizer {
  const Known = optimizers[name.toLowerCase()]
  if (!Known) throw new Unsupported(`optimiser ${name}`)
  const own = Object.entries(options).filter(([option, value]) => !implementation.includes(option) && value !== null).map(([option, value]) => [camel(option), value] as const)
  const [group] = new Known(params, {} as never).groups
  const strange = own.find(([option]) => !(option in group!))
  if (strange) throw new Unsupported(`optimiser ${name} with ${strange[0]}`)
  return new Known(params, Object.fromEntries(own) as never)
}
