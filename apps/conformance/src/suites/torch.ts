// PyTorch's losses and optimisers by the names and options that case files give them.

import type { Tensor } from '@bp/core'
import { sameShape } from '@bp/core/extend'
import { Adagrad, Adam, AdamW, bceWithLogits, crossEntropy, huberLoss, mseLoss, type AnyOptimizer, type Parameter, RMSprop, SGD } from '@bp/nn'
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

const constructors: Readonly<Record<string, { readonly make: (params: readonly Parameter[], options: never) => AnyOptimizer; readonly options: readonly string[] }>> = {
  sgd: { make: (params, options) => new SGD(params, options), options: ['lr', 'momentum', 'dampening', 'weightDecay', 'nesterov'] },
  adam: { make: (params, options) => new Adam(params, options), options: ['lr', 'betas', 'eps', 'weightDecay'] },
  adamw: { make: (params, options) => new AdamW(params, options), options: ['lr', 'betas', 'eps', 'weightDecay'] },
  rmsprop: { make: (params, options) => new RMSprop(params, options), options: ['lr', 'alpha', 'eps', 'weightDecay', 'momentum', 'centered'] },
  adagrad: { make: (params, options) => new Adagrad(params, options), options: ['lr', 'lrDecay', 'eps', 'weightDecay'] },
}

const camel = (name: string): string => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

/** The optimiser that a case file names, with its options; `Unsupported` where it or an option is not there. */
export function optimizerOf({ name, ...options }: OptimizerSpec, params: readonly Parameter[]): AnyOptimizer {
  const known = constructors[name.toLowerCase()]
  if (!known) throw new Unsupported(`optimiser ${name}`)
  const own = Object.entries(options).map(([option, value]) => [camel(option), value] as const)
  const strange = own.find(([option, value]) => !known.options.includes(option) && value !== false)
  if (strange) throw new Unsupported(`optimiser ${name} with ${strange[0]}`)
  return known.make(params, Object.fromEntries(own) as never)
}
