// Activation functions as layers.

import { type DType, full, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import {
  celu, elu, gelu, type GeluOptions, type Generator, glu, hardShrink, hardSigmoid, hardSwish, hardTanh, leakyRelu, logSigmoid, logSoftmax, mish, prelu, relu, relu6,
  rrelu, selu, sigmoid, silu, softmax, softmin, softplus, type SoftplusOptions, softShrink, softsign, tanh, tanhShrink, threshold,
} from '@bp/ops'
import { Module, Parameter } from '../module.ts'
import { defaultGenerator } from '../random.ts'
import { FunctionModule } from './function.ts'

/** max(x, 0). */
export class ReLU extends FunctionModule {
  constructor() { super(relu) }
}

/** x cut to [0, 6] (Krizhevsky 2010). */
export class ReLU6 extends FunctionModule {
  constructor() { super(relu6) }
}

/** x where x > 0, else slope·x (Maas et al. 2013). */
export class LeakyReLU extends FunctionModule {
  constructor(slope = 0.01) { super(x => leakyRelu(x, slope)) }
}

/** x where x > 0, else α(eˣ − 1) (Clevert et al. 2015). */
export class ELU extends FunctionModule {
  constructor(alpha = 1) { super(x => elu(x, alpha)) }
}

/** x where x > 0, else α(e^(x/α) − 1) (Barron 2017). */
export class CELU extends FunctionModule {
  constructor(alpha = 1) { super(x => celu(x, alpha)) }
}

/** {@link ELU} with the scale and slope that keep mean 0 and variance 1 (Klambauer et al. 2017). */
export class SELU extends FunctionModule {
  constructor() { super(selu) }
}

/** x·Φ(x), or its approximation by tanh (Hendrycks & Gimpel 2016). */
export class GELU extends FunctionModule {
  constructor(options: GeluOptions = {}) { super(x => gelu(x, options)) }
}

/** x·σ(x) (Elfwing et al. 2017). */
export class SiLU extends FunctionModule {
  constructor() { super(silu) }
}

/** x·tanh(softplus x) (Misra 2019). */
export class Mish extends FunctionModule {
  constructor() { super(mish) }
}

/** 1/(1 + e⁻ˣ). */
export class Sigmoid extends FunctionModule {
  constructor() { super(sigmoid) }
}

/** log σ(x), without underflow. */
export class LogSigmoid extends FunctionModule {
  constructor() { super(logSigmoid) }
}

/** tanh x. */
export class Tanh extends FunctionModule {
  constructor() { super(tanh) }
}

/** x − tanh x. */
export class Tanhshrink extends FunctionModule {
  constructor() { super(tanhShrink) }
}

/** log(1 + e^(βx))/β. */
export class Softplus extends FunctionModule {
  constructor(options: SoftplusOptions = {}) { super(x => softplus(x, options)) }
}

/** x/(1 + |x|). */
export class Softsign extends FunctionModule {
  constructor() { super(softsign) }
}

/** x nearer to 0 by lambda, and 0 where it was as near as that. */
export class Softshrink extends FunctionModule {
  constructor(lambda = 0.5) { super(x => softShrink(x, lambda)) }
}

/** x where |x| > lambda, else 0. */
export class Hardshrink extends FunctionModule {
  constructor(lambda = 0.5) { super(x => hardShrink(x, lambda)) }
}

/** x/6 + ½ cut to [0, 1]. */
export class Hardsigmoid extends FunctionModule {
  constructor() { super(hardSigmoid) }
}

/** x cut to [min, max]. */
export class Hardtanh extends FunctionModule {
  constructor(min = -1, max = 1) { super(x => hardTanh(x, min, max)) }
}

/** x·hardsigmoid(x) (Howard et al. 2019). */
export class Hardswish extends FunctionModule {
  constructor() { super(hardSwish) }
}

/** x where x > limit, else `value`. */
export class Threshold extends FunctionModule {
  constructor(limit: number, value: number) { super(x => threshold(x, limit, value)) }
}

/** a·σ(b) for the halves a and b of an axis (Dauphin et al. 2017). */
export class GLU extends FunctionModule {
  constructor(axis = -1) { super(x => glu(x, axis)) }
}

/** e^x normalised to sum 1 along an axis. */
export class Softmax extends FunctionModule {
  constructor(axis = -1) { super(x => softmax(x, axis)) }
}

/** The logarithm of {@link Softmax}. */
export class LogSoftmax extends FunctionModule {
  constructor(axis = -1) { super(x => logSoftmax(x, axis)) }
}

/** {@link Softmax} of −x. */
export class Softmin extends FunctionModule {
  constructor(axis = -1) { super(x => softmin(x, axis)) }
}

/** {@link Softmax} over the channels of [n, c, h, w] or [c, h, w]. */
export class Softmax2d extends FunctionModule {
  constructor() {
    super(x => x.rank === 3 || x.rank === 4 ? softmax(x, -3) : fail('shape', 'Softmax2d', `needs [n, c, h, w] or [c, h, w], got ${describe(x)}`))
  }
}

/**
 * x where x > 0, else slope·x with a learned slope, or one for each channel, axis 1 (He et al. 2015).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { PReLU } from '@bp/nn'
 * new PReLU().forward(tensor([-4, 1])) // => tensor([-1, 1], float32)
 * ```
 */
export class PReLU extends Module {
  readonly weight: Parameter

  constructor(slopes = 1, { init = 0.25, dtype = 'float32' }: { readonly init?: number; readonly dtype?: DType } = {}) {
    super()
    this.weight = new Parameter(full([slopes], init, dtype))
  }

  override forward(x: Tensor): Tensor {
    return prelu(x, this.weight)
  }
}

/** x where x > 0, else slope·x: in training with slopes drawn from [lower, upper), in evaluation with their mean (Xu et al. 2015). */
export class RReLU extends Module {
  private readonly lower: number
  private readonly upper: number
  private readonly generator: Generator | undefined

  constructor(lower = 1 / 8, upper = 1 / 3, options: { readonly generator?: Generator } = {}) {
    super()
    this.lower = lower
    this.upper = upper
    this.generator = options.generator
  }

  override forward(x: Tensor): Tensor {
    const { lower, upper, training } = this
    return rrelu(x, { lower, upper, training, generator: this.generator ?? defaultGenerator() })
  }
}
