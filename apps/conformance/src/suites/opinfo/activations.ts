// Activation functions and dropout.

import type { Tensor } from '@bp/core'
import {
  alphaDropout, celu, dropout, type DropoutOptions, elu, featureAlphaDropout, featureDropout, gelu, glu, hardShrink, hardSigmoid, hardSwish, hardTanh,
  leakyRelu, logSigmoid, mish, prelu, relu, relu6, rrelu, selu, silu, softmin, softplus, softShrink, softsign, tanhShrink, threshold,
} from '@bp/ops'
import { Unsupported } from '../../compare.ts'
import type { Adapter, Arguments } from './arguments.ts'
import { along } from './reduce.ts'

/** An adapter of a function that PyTorch can also apply in place, which gives the same result. */
const inPlace = (place: number, f: Adapter): Adapter => call => {
  call.flag(place, 'inplace')
  return f(call)
}

const unary = (f: (x: Tensor) => Tensor): Adapter => inPlace(1, call => f(call.input))

/** A dropout where nothing is left to chance; what PyTorch's generator would draw has no counterpart. */
const dropped = (f: (x: Tensor, p: number, options: DropoutOptions) => Tensor, otherwise: boolean): Adapter => inPlace(3, call => {
  const [p, training] = [call.number(1, 'p', 0.5), call.flag(2, 'training', otherwise)]
  if (training && p > 0 && p < 1) throw new Unsupported('numbers of PyTorch\'s own generator')
  return f(call.input, p, { training })
})

const approximation = (call: Arguments): 'none' | 'tanh' => {
  const name = call.text(1, 'approximate', 'none')
  if (name !== 'none' && name !== 'tanh') throw new Unsupported(`argument approximate = ${name}`)
  return name
}

/** The adapters of this family. */
export const activations: Readonly<Record<string, Adapter>> = {
  'nn.functional.relu': unary(relu),
  'nn.functional.relu6': unary(relu6),
  'nn.functional.silu': unary(silu),
  'nn.functional.selu': unary(selu),
  'nn.functional.mish': unary(mish),
  'nn.functional.hardsigmoid': unary(hardSigmoid),
  'nn.functional.hardswish': unary(hardSwish),
  'nn.functional.logsigmoid': call => logSigmoid(call.input),
  'nn.functional.softsign': call => softsign(call.input),
  'nn.functional.tanhshrink': call => tanhShrink(call.input),
  'nn.functional.elu': inPlace(2, call => elu(call.input, call.number(1, 'alpha', 1))),
  'nn.functional.celu': inPlace(2, call => celu(call.input, call.number(1, 'alpha', 1))),
  'nn.functional.leaky_relu': inPlace(2, call => leakyRelu(call.input, call.number(1, 'negative_slope', 0.01))),
  'nn.functional.gelu': call => gelu(call.input, { approximate: approximation(call) }),
  'nn.functional.glu': call => glu(call.input, call.number(1, 'dim', -1)),
  'nn.functional.prelu': call => prelu(call.input, call.tensor(1, 'weight')),
  'nn.functional.hardshrink': call => hardShrink(call.input, call.number(1, 'lambd', 0.5)),
  'nn.functional.softshrink': call => softShrink(call.input, call.number(1, 'lambd', 0.5)),
  'nn.functional.hardtanh': inPlace(3, call => hardTanh(call.input, call.number(1, 'min_val', -1), call.number(2, 'max_val', 1))),
  'nn.functional.threshold': inPlace(3, call => threshold(call.input, call.number(1, 'threshold'), call.number(2, 'value'))),
  'nn.functional.softplus': call => softplus(call.input, { beta: call.number(1, 'beta', 1), threshold: call.number(2, 'threshold', 20) }),
  'nn.functional.rrelu': inPlace(4, call => {
    const [lower, upper] = [call.number(1, 'lower', 1 / 8), call.number(2, 'upper', 1 / 3)]
    if (call.flag(3, 'training') && lower !== upper) throw new Unsupported('numbers of PyTorch\'s own generator')
    return rrelu(call.input, { lower, upper })
  }),
  'nn.functional.softmin': call => {
    call.value(2, '_stacklevel')
    const dtype = call.dtype(3, 'dtype')
    return along(call.input, call.number(1, 'dim'), (x, axis) => softmin(x, axis, dtype))
  },
  'nn.functional.dropout': dropped(dropout, true),
  'nn.functional.dropout1d': dropped(featureDropout, true),
  'nn.functional.dropout2d': dropped(featureDropout, true),
  'nn.functional.dropout3d': dropped(featureDropout, true),
  'nn.functional.alpha_dropout': dropped(alphaDropout, false),
  'nn.functional.feature_alpha_dropout': dropped(featureAlphaDropout, false),
}
