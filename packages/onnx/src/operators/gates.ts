// The activation functions of recurrent operators, by name and with numbers of their own.

import { add, mul, type Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { elu, greater, leakyRelu, relu, select, sigmoid, softplus, softsign, tanh } from '@bp/ops'
import type { Activation } from '@bp/ops/extend'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { unsupported } from '../import/errors.ts'
import { hardSigmoid } from './activation.ts'

/** A function that takes numbers: α alone or α and β, as the operator of its name has them unless given. */
interface Scaled {
  readonly defaults: readonly [alpha: number, beta?: number]
  readonly of: (x: Tensor, alpha: number, beta: number) => Tensor
}

const plain: Readonly<Record<string, Activation>> = { relu, tanh, sigmoid, softsign, softplus: x => softplus(x) }

const scaled: Readonly<Record<string, Scaled>> = {
  affine: { defaults: [1, 0], of: (x, alpha, beta) => add(mul(x, alpha), beta) },
  scaledtanh: { defaults: [1, 1], of: (x, alpha, beta) => mul(tanh(mul(x, beta)), alpha) },
  hardsigmoid: { defaults: [0.2, 0.5], of: hardSigmoid },
  elu: { defaults: [1], of: elu },
  leakyrelu: { defaults: [0.01], of: leakyRelu },
  thresholdedrelu: { defaults: [1], of: (x, alpha) => select(greater(x, alpha), x, 0) },
}

/**
 * The functions of all directions. Their numbers stand in two lists, from which each function takes in turn what it needs (ONNX,
 * `activation_alpha` and `activation_beta`); names are read without regard to case, as onnxruntime does.
 */
export function activationsOf(node: ModelNode, attributes: Attributes, usual: readonly string[], directions: number): Activation[] {
  const count = usual.length * directions
  const names = attributes.strings('activations') ?? Array.from({ length: count }, (_, i) => usual[i % usual.length]!)
  if (names.length !== count) fail('data', node.operator, `activations lists ${names.length} functions where ${count} are needed. The file is damaged`)
  const [alphas, betas] = ['activation_alpha', 'activation_beta'].map(name => [...attributes.floats(name) ?? []]) as [number[], number[]]
  return names.map(name => activationOf(node, name, alphas, betas))
}

/** One function by its name; what numbers it needs are taken from the lists. */
export function activationOf(node: ModelNode, name: string, alphas: number[], betas: number[]): Activation {
  const key = name.toLowerCase()
  if (Object.hasOwn(plain, key)) return plain[key]!
  if (!Object.hasOwn(scaled, key)) return unsupported(node.operator, `the activation ${JSON.stringify(name)}`)
  const { defaults, of } = scaled[key]!
  const alpha = alphas.shift() ?? defaults[0]
  const beta = defaults.length > 1 ? betas.shift() ?? defaults[1]! : 0
  return x => of(x, alpha, beta)
}
