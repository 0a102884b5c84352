// ONNX's preview of training: the gradient of a value of the graph, and steps of Adagrad, Adam and momentum.

import { add, mul, onesLike, type Tensor, vjp } from '@bp/core'
import { fail } from '@bp/core/extend'
import { cast, div, expm1, greater, maximum, neg, reshape, select, sqrt, square, sub } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { toTensor, type Value } from '../import/value.ts'
import { only, onTensors, type Operator, type Operators } from './operator.ts'

/**
 * The gradient of `y` by the values named in `xs`, where these and those named in `zs` are as the inputs say: the nodes that make y of
 * them are run again and differentiated. Of a y with several elements it is the gradient of their sum.
 */
const gradient: Operator = (inputs, attributes, node, context) => {
  const xs = attributes.strings('xs') ?? []
  const zs = attributes.strings('zs') ?? []
  const given = (value: Value | undefined): Value => value ?? fail('data', node.operator, 'an input is missing. The file is damaged')
  if (xs.length === 0 || inputs.length !== xs.length + zs.length) fail('data', node.operator, `names ${xs.length} values in xs and ${zs.length} in zs, but has ${inputs.length} inputs. The file is damaged`)
  const fixed = zs.map((name, i) => [name, given(inputs[xs.length + i])] as const)
  const y = (...points: Tensor[]): Tensor => toTensor(context.recompute(attributes.string('y', ''), new Map<string, Value>([...fixed, ...xs.map((name, i) => [name, points[i]!] as const)])))
  const [value, pullback] = vjp(y, xs.map((_, i) => toTensor(given(inputs[i]))))
  return pullback(onesLike(value))
}

/** What an optimiser's step reads beside the tensors of one parameter. */
interface Setting {
  /** The learning rate. */
  readonly rate: Tensor
  /** How many steps have been taken. */
  readonly time: Tensor
  readonly number: (name: string, fallback: number) => number
  readonly attributes: Attributes
  readonly node: ModelNode
}

/** A step of an optimiser: the parameter, its gradient and its states to the parameter and the states after it. */
type Step = (x: Tensor, gradient: Tensor, states: readonly Tensor[], setting: Setting) => readonly Tensor[]

/** Takes the step of every parameter; the inputs are rate, time, all parameters, all gradients, and all of each state, the results likewise. */
const stepping = (states: number, step: Step): Operator => onTensors(5, ([rate, time, ...rest], attributes, node) => {
  const count = rest.length / (states + 2)
  if (!Number.isInteger(count)) fail('data', node.operator, `needs parameters, gradients and ${states} state(s) of each, got ${rest.length} tensors. The file is damaged`)
  const rows = Array.from({ length: count }, (_, i) => {
    const [x, slope, ...own] = Array.from({ length: states + 2 }, (_unused, k) => rest[k * count + i]!) as [Tensor, Tensor, ...Tensor[]]
    const scalar = (v: Tensor): Tensor => cast(reshape(v, []), x.dtype)
    const regular = add(mul(x, attributes.float('norm_coefficient', 0)), slope)
    return step(x, regular, own, { rate: scalar(rate!), time: scalar(time!), number: (name, fallback) => attributes.float(name, fallback), attributes, node })
  })
  return Array.from({ length: states + 1 }, (_, k) => rows.map(row => row[k]!)).flat()
})

/** H ← H + G²,   X ← X − R/(1 + T·decay)·G/(√H + ε) (Duchi, Hazan and Singer 2011) */
const adagrad: Step = (x, slope, [h], { rate, time, number }) => {
  const sums = add(h!, square(slope))
  const r = div(rate, add(mul(time, number('decay_factor', 0)), 1))
  return [sub(x, div(mul(r, slope), add(sqrt(sums), number('epsilon', 1e-6)))), sums]
}

/** V ← αV + (1 − α)G,   H ← βH + (1 − β)G²,   X ← (1 − c)·(X − R·√(1 − βᵀ)/(1 − αᵀ)·V/(√H + ε)); at time 0 the rate is R (Kingma and Ba 2015) */
const adam: Step = (x, slope, [v, h], { rate, time, number }) => {
  const [alpha, beta] = [number('alpha', 0.9), number('beta', 0.999)]
  const means = add(mul(v!, alpha), mul(slope, 1 - alpha))
  const squares = add(mul(h!, beta), mul(square(slope), 1 - beta))
  const t = maximum(time, 1)
  const fresh = (decay: number): Tensor => neg(expm1(mul(t, Math.log(decay))))
  const corrected = mul(rate, div(sqrt(fresh(beta)), fresh(alpha)))
  const moved = sub(x, mul(select(greater(time, 0), corrected, rate), div(means, add(sqrt(squares), number('epsilon', 1e-6)))))
  return [mul(moved, 1 - number('norm_coefficient_post', 0)), means, squares]
}

/** V ← αV + β·G, with β = 1 at time 0,   X ← X − R·V, or of Nesterov X − R·(G + αV) (Sutskever et al. 2013) */
const momentum: Step = (x, slope, [v], { rate, time, number, attributes, node }) => {
  const mode = attributes.string('mode', 'standard')
  only(node, 'mode', mode, 'standard', 'nesterov')
  const alpha = number('alpha', 0)
  const speed = add(mul(v!, alpha), mul(select(greater(time, 0), number('beta', 1), 1), slope))
  return [sub(x, mul(rate, mode === 'nesterov' ? add(slope, mul(speed, alpha)) : speed)), speed]
}

/** Training by name. */
export const training: Operators = {
  'ai.onnx.preview.training:Gradient': gradient, 'ai.onnx.preview.training:Adagrad': stepping(1, adagrad),
  'ai.onnx.preview.training:Adam': stepping(2, adam), 'ai.onnx.preview.training:Momentum': stepping(1, momentum),
}
