// Activation functions, with ONNX's parameters and PyTorch's derivatives at the kinks.

import { add, mul, type Tensor } from '@bp/core'
import { normaliseAxis, sizeOf } from '@bp/core/extend'
import { abs, argMax, cast, celu, elu, equal, gelu, greater, hardSigmoid as hardSigmoidOfSixths, hardSwish, iota, leakyRelu, less, logicalAnd, logSoftmax, mish, relu, reshape, select, sigmoid, silu, softmax, softplus, softsign, sub, unsqueeze } from '@bp/ops'
import type { ModelNode } from '../import/load.ts'
import { unary } from './elementwise.ts'
import { only, onTensors, type Operator, type Operators } from './operator.ts'

const one = (f: (x: Tensor, number: (name: string, fallback: number) => number) => Tensor): Operator =>
  onTensors(1, ([x], attributes) => f(x!, (name, fallback) => attributes.float(name, fallback)))

/** αx + β cut to [0, 1], with derivative 0 at both ends. */
export function hardSigmoid(x: Tensor, alpha: number, beta: number): Tensor {
  if (alpha === Math.fround(1 / 6) && beta === 0.5) return hardSigmoidOfSixths(x)
  const y = add(mul(x, alpha), beta)
  return select(logicalAnd(greater(y, 0), less(y, 1)), y, select(greater(y, 0), 1, select(equal(y, y), 0, y)))
}

/** x where |x| > λ, moved by the bias towards 0, else 0. */
function shrink(x: Tensor, lambda: number, bias: number): Tensor {
  const moved = select(greater(x, 0), sub(x, bias), add(x, bias))
  return cast(select(greater(abs(x), lambda), moved, 0), x.dtype)
}

/**
 * Softmax and its like: along one axis, the last unless given; before version 13 along all axes from the given one on, the
 * second unless given.
 */
const along = (f: (x: Tensor, axis: number) => Tensor): Operator => onTensors(1, ([x], attributes, node) => {
  const axis = normaliseAxis(node.operator, attributes.int('axis', node.opset < 13 ? 1 : -1), x!.rank)
  if (node.opset >= 13) return f(x!, axis)
  const rows = sizeOf(x!.shape.slice(0, axis))
  return reshape(f(reshape(x!, [rows, rows === 0 ? 0 : x!.size / rows]), 1), x!.shape)
})

/** 1 at the first largest element along an axis, else 0. */
function hardmax(x: Tensor, axis: number): Tensor {
  const places = iota(x.shape[axis]!, 'int32', x.backend)
  return cast(equal(reshape(places, [places.size, ...new Array<number>(x.rank - axis - 1).fill(1)]), unsqueeze(argMax(x, axis), axis)), x.dtype)
}

function sloped(x: Tensor, slope: Tensor, node: ModelNode): Tensor {
  const fits = slope.rank === 1 && node.opset < 7 && x.rank > 1 ? reshape(slope, [slope.size, ...new Array<number>(x.rank - 2).fill(1)]) : slope
  return select(greater(x, 0), x, mul(x, fits))
}

/** x·σ(α·x) */
export const swish = (x: Tensor, alpha: number): Tensor => alpha === 1 ? silu(x) : mul(x, sigmoid(mul(x, alpha)))

/** Activations by name. */
export const activation: Operators = {
  Relu: unary(relu), Sigmoid: unary(sigmoid), Softplus: unary(softplus), Softsign: unary(softsign), HardSwish: unary(hardSwish), Mish: unary(mish),
  Elu: one((x, number) => elu(x, number('alpha', 1))),
  Selu: one((x, number) => mul(number('gamma', 1.0507009873554805), elu(x, number('alpha', 1.6732632423543772)))),
  Celu: one((x, number) => celu(x, number('alpha', 1))),
  LeakyRelu: one((x, number) => leakyRelu(x, number('alpha', 0.01))),
  ThresholdedRelu: one((x, number) => select(greater(x, number('alpha', 1)), x, 0)),
  HardSigmoid: one((x, number) => hardSigmoid(x, number('alpha', 0.2), number('beta', 0.5))),
  Shrink: one((x, number) => shrink(x, number('lambd', 0.5), number('bias', 0))),
  Swish: one((x, number) => swish(x, number('alpha', 1))),
  SwiGLU: onTensors(2, ([gate, x], attributes) => mul(swish(gate!, attributes.float('alpha', 1)), x!)),
  Gelu: onTensors(1, ([x], attributes, node) => {
    const approximate = attributes.string('approximate', 'none')
    only(node, 'approximate', approximate, 'none', 'tanh')
    return gelu(x!, { approximate: approximate as 'none' | 'tanh' })
  }),
  PRelu: onTensors(2, ([x, slope], _attributes, node) => sloped(x!, slope!, node)),
  Softmax: along(softmax), LogSoftmax: along(logSoftmax), Hardmax: along(hardmax),
}
