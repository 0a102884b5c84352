// Transposed convolution layers, also called deconvolutions.

import type { Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { convTranspose, type ConvTransposeOptions as TransposeCall, type PerAxis } from '@bp/ops'
import { perAxis } from '@bp/ops/extend'
import { Module, type Parameter } from '../module.ts'
import { convParameters } from './conv.ts'
import type { LayerOptions } from './linear.ts'
import { checkSpatial } from './spatial.ts'

/** Options of the transposed convolution layers. */
export interface ConvTransposeOptions extends LayerOptions, Pick<TransposeCall, 'stride' | 'dilation' | 'groups' | 'outputPadding'> {
  /** What a convolution of these options would pad: cut off from the result. */
  readonly padding?: PerAxis
}

class ConvTranspose extends Module<[x: Tensor, outputSize?: readonly number[]]> {
  readonly weight: Parameter
  readonly bias: Parameter | null
  private readonly layer: string
  private readonly kernel: readonly number[]
  private readonly options: ConvTransposeOptions

  constructor(axes: number, inChannels: number, outChannels: number, kernel: PerAxis, options: ConvTransposeOptions) {
    super()
    const { groups = 1 } = options
    this.layer = `ConvTranspose${axes}d`
    if (inChannels % groups !== 0) fail('value', this.layer, `${inChannels} input channels do not divide into ${groups} groups`)
    this.kernel = perAxis(this.layer, 'kernel', kernel, axes, 1)
    const { weight, bias } = convParameters(this.layer, [inChannels, outChannels / groups], outChannels, this.kernel, options)
    this.weight = weight
    this.bias = bias
    this.options = options
  }

  /** The result, of the given spatial sizes where the stride leaves them open. */
  override forward(x: Tensor, outputSize?: readonly number[]): Tensor {
    checkSpatial(this.layer, x, this.kernel.length, this.weight.shape[0]!)
    const { stride = 1, padding = 0, dilation = 1, groups = 1, outputPadding = 0 } = this.options
    return convTranspose(x, this.weight, {
      bias: this.bias ?? undefined, stride, padding, dilation, groups, outputPadding: outputSize ? this.paddingFor(x, outputSize) : outputPadding,
    })
  }

  /** How much larger each spatial axis must become than it would by itself. */
  private paddingFor(x: Tensor, outputSize: readonly number[]): number[] {
    const axes = this.kernel.length
    const each = (what: 'stride' | 'padding' | 'dilation', otherwise: number): number[] => perAxis(this.layer, what, this.options[what] ?? otherwise, axes, 0)
    const [stride, padding, dilation] = [each('stride', 1), each('padding', 0), each('dilation', 1)]
    const least = x.shape.slice(-axes).map((n, i) => (n - 1) * stride[i]! - 2 * padding[i]! + dilation[i]! * (this.kernel[i]! - 1) + 1)
    const extra = outputSize.map((n, i) => n - least[i]!)
    if (outputSize.length !== axes || extra.some((n, i) => n < 0 || n >= stride[i]!)) {
      fail('value', this.layer, `outputSize must be from [${least.join(',')}] to [${least.map((n, i) => n + stride[i]! - 1).join(',')}], got [${outputSize.join(',')}]`)
    }
    return extra
  }
}

/** The transpose of {@link Conv1d}: [n, c, l] or [c, l] → more elements; weight [in, out/groups, k]. */
export class ConvTranspose1d extends ConvTranspose {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvTransposeOptions = {}) {
    super(1, inChannels, outChannels, kernel, options)
  }
}

/**
 * The transpose of {@link Conv2d}: [n, c, h, w] or [c, h, w] → larger ones; weight [in, out/groups, kh, kw].
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { ConvTranspose2d } from '@bp/nn'
 * const up = new ConvTranspose2d(4, 2, 3, { stride: 2, padding: 1 })
 * up.forward(ones([1, 4, 5, 5])).shape // => [1, 2, 9, 9]
 * up.forward(ones([1, 4, 5, 5]), [10, 10]).shape // => [1, 2, 10, 10]
 * ```
 */
export class ConvTranspose2d extends ConvTranspose {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvTransposeOptions = {}) {
    super(2, inChannels, outChannels, kernel, options)
  }
}

/** The transpose of {@link Conv3d}: [n, c, d, h, w] or [c, d, h, w] → larger ones; weight [in, out/groups, kd, kh, kw]. */
export class ConvTranspose3d extends ConvTranspose {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvTransposeOptions = {}) {
    super(3, inChannels, outChannels, kernel, options)
  }
}
