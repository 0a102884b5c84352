// PyTorch's losses and optimisers by the names and options that case files give them.

import { type Tensor, tensor } from '@bp/core'
import { sameShape } from '@bp/core/extend'
import {
  Adadelta, Adafactor, Adagrad, Adam, Adamax, AdamW, type AnyOptimizer, ASGD, bceLoss, bceWithLogits, crossEntropy, hingeEmbeddingLoss, huberLoss, klDiv, l1Loss, Lion,
  mseLoss, multilabelMarginLoss, multilabelSoftMarginLoss, multiMarginLoss, Muon, NAdam, nllLoss, type Parameter, poissonNllLoss, RAdam, RMSprop, Rprop, SGD,
  smoothL1Loss, softMarginLoss,
} from '@bp/nn'
import { reshape } from '@bp/ops'
import { Unsupported } from '../compare.ts'

/** A loss as a case file names it, with PyTorch's options. */
export interface LossSpec {
  readonly name: string
  readonly [option: string]: unknown
}

/** An optimiser as a case file names it: its name and PyTorch's options. */
export interface OptimizerSpec {
  readonly name: string
  readonly [option: string]: unknown
}

type Loss = (y: Tensor, target: Tensor, options: never) => Tensor

const weighted = ['reduction', 'weight']
const ofClasses: readonly string[] = [...weighted, 'ignoreIndex']

/** Losses and the options that they take, by PyTorch's names without `_` and `loss`, as functions and as modules. */
const losses: Readonly<Record<string, readonly [Loss, readonly string[]]>> = {
  crossentropy: [(y, target, options) => crossEntropy(...byRow(y, target), options), [...ofClasses, 'labelSmoothing']],
  nll: [nllLoss, ofClasses], bce: [bceLoss, weighted], binarycrossentropy: [bceLoss, weighted],
  bcewithlogits: [bceWithLogits, [...weighted, 'posWeight']], binarycrossentropywithlogits: [bceWithLogits, [...weighted, 'posWeight']],
  mse: [mseLoss, weighted], l1: [l1Loss, weighted], huber: [huberLoss, [...weighted, 'delta']], smoothl1: [smoothL1Loss, [...weighted, 'beta']],
  kldiv: [klDiv, ['reduction', 'logTarget']], poissonnll: [poissonNllLoss, ['reduction', 'logInput', 'full', 'eps']],
  softmargin: [softMarginLoss, ['reduction']], multimargin: [multiMarginLoss, [...weighted, 'p', 'margin']], multilabelmargin: [multilabelMarginLoss, ['reduction']],
  multilabelsoftmargin: [multilabelSoftMarginLoss, weighted], hingeembedding: [hingeEmbeddingLoss, ['reduction', 'margin']],
}

/** The loss of a model's output against a target; `Unsupported` where it or an option is not there. */
export function lossOf({ name, ...options }: LossSpec, y: Tensor, target: Tensor): Tensor {
  const [loss, known] = losses[name.toLowerCase().replaceAll(/_|loss/g, '')] ?? unsupported(`loss ${name}`)
  const own = Object.entries(options).filter(([, value]) => value !== null).map(([option, value]) => [camel(option), Array.isArray(value) ? tensor(value, { dtype: y.dtype }) : value] as const)
  const strange = own.find(([option]) => !known.includes(option))
  if (strange) unsupported(`loss ${name} with ${strange[0]}`)
  return loss(y, target, Object.fromEntries(own) as never)
}

function unsupported(what: string): never {
  throw new Unsupported(what)
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

/** Options by which an optimiser follows formulas of earlier versions of PyTorch that were changed without renaming any. */
export const beforeVersion2: Readonly<Record<string, OptionsWithNote>> = {
  nadam: { options: { legacy_product: true }, note: 'follows PyTorch before 2.0, which took μ twice in a product (corrected in pytorch/pytorch#92699)' },
}

interface OptionsWithNote {
  readonly options: Readonly<Record<string, unknown>>
  readonly note: string
}

/** The optimiser that a case file names, with its options; `Unsupported` where it or an option is not there. */
export function optimizerOf({ name, ...options }: OptimizerSpec, params: readonly Parameter[]): AnyOptimizer {
  const Known = optimizers[name.toLowerCase()]
  if (!Known) return unsupported(`optimiser ${name}`)
  const own = Object.entries(options).filter(([option, value]) => !implementation.includes(option) && value !== null).map(([option, value]) => [camel(option), value] as const)
  const [group] = new Known(params, {} as never).groups
  const strange = own.find(([option]) => !(option in group!))
  if (strange) unsupported(`optimiser ${name} with ${strange[0]}`)
  return new Known(params, Object.fromEntries(own) as never)
}
