// Convolution and its transpose as users call them: padding by name, bias, inputs with and without a batch.

import { add, type Tensor } from '@bp/core'
import { besideProduct, describe, fail } from '@bp/core/extend'
import { conv, type ConvGeometry, convInput } from '../rows/contract.ts'
import { padInterior, reshape } from '../rows/view.ts'
import { pad } from './pad.ts'
import { batched, type Padding, paddingPairs, type PerAxis, perAxis } from './spatial.ts'

/** What a convolution and its transpose share. */
interface ConvolutionOptions {
  /** One number per output channel. */
  readonly bias?: Tensor | undefined
  readonly stride?: PerAxis
  readonly padding?: Padding
  readonly dilation?: PerAxis
  readonly groups?: number
}

/** Options of {@link convolve}. */
export interface ConvolveOptions extends ConvolutionOptions {
  /** What `padding` is filled with: zeros (unless given), or the input as {@link pad} goes on with it. */
  readonly paddingMode?: 'zeros' | 'reflect' | 'replicate' | 'circular'
}

function addBias(op: string, y: Tensor, bias: Tensor | undefined): Tensor {
  if (!bias) return y
  if (bias.rank !== 1 || bias.size !== y.shape[1]) fail('shape', op, `the bias must be one number for each of the ${y.shape[1]} output channels, got ${describe(bias)}`)
  return add(y, reshape(besideProduct(y, bias), [bias.size, ...new Array<number>(y.rank - 2).fill(1)]))
}

/** How many spatial axes a kernel has. */
function kernelAxes(op: string, x: Tensor, w: Tensor): number {
  return w.rank > 2 ? w.rank - 2 : fail('shape', op, `needs a kernel with two axes of channels and at least one spatial axis, got ${describe(x)} and ${describe(w)}`)
}

function groupsOf(op: string, groups = 1): number {
  if (!Number.isInteger(groups) || groups < 1) fail('value', op, `groups must be a whole number ≥ 1, got ${groups}`)
  return groups
}

/**
 * Convolution (cross-correlation) of x: [n, c, …], or [c, …] without a batch, with w: [o, c/groups, …] over 1, 2 or 3
 * spatial axes, as `torch.nn.functional.conv1d` to `conv3d`.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { convolve } from '@bp/ops'
 * convolve(ones([1, 1, 3, 3]), ones([1, 1, 2, 2])) // => tensor([[[[4, 4], [4, 4]]]], float32)
 * ```
 */
export function convolve(x: Tensor, w: Tensor, options: ConvolveOptions = {}): Tensor {
  const axes = kernelAxes('conv', x, w)
  const dilation = perAxis('conv', 'dilation', options.dilation ?? 1, axes, 1)
  const stride = perAxis('conv', 'stride', options.stride ?? 1, axes, 1)
  if (options.padding === 'same' && stride.some(n => n > 1)) fail('value', 'conv', "padding 'same' needs stride 1. Give the padding in numbers")
  const padding = paddingPairs('conv', options.padding ?? 0, w.shape.slice(2), dilation)
  const { paddingMode: mode = 'zeros', bias } = options
  const geometry: ConvGeometry = { stride, padding: mode === 'zeros' ? padding : padding.map(() => [0, 0] as const), dilation, groups: groupsOf('conv', options.groups) }
  return batched(x, axes, z => addBias('conv', conv(mode === 'zeros' ? z : pad(z, [[0, 0], [0, 0], ...padding], { mode }), w, geometry), bias))
}

/** Options of {@link convTranspose}. */
export interface ConvTransposeOptions extends ConvolutionOptions {
  /** Added to one side of the output's size, where the stride leaves it open; smaller than the stride or the dilation. */
  readonly outputPadding?: PerAxis
}

/**
 * The transpose of {@link convolve}, also called deconvolution: x: [n, c, …], or [c, …] without a batch, with
 * w: [c, o/groups, …] → [n, o, …], as `torch.nn.functional.conv_transpose1d` to `conv_transpose3d`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { convTranspose } from '@bp/ops'
 * convTranspose(tensor([[[1, 2]]]), tensor([[[1, 10]]]), { stride: 2 }) // => tensor([[[1, 10, 2, 20]]], float32)
 * ```
 */
export function convTranspose(x: Tensor, w: Tensor, options: ConvTransposeOptions = {}): Tensor {
  const axes = kernelAxes('convTranspose', x, w)
  const kernel = w.shape.slice(2)
  const stride = perAxis('convTranspose', 'stride', options.stride ?? 1, axes, 1)
  const dilation = perAxis('convTranspose', 'dilation', options.dilation ?? 1, axes, 1)
  const extra = perAxis('convTranspose', 'outputPadding', options.outputPadding ?? 0, axes, 0)
  const open = extra.findIndex((n, i) => n >= Math.max(stride[i]!, dilation[i]!))
  if (open >= 0) fail('value', 'convTranspose', `outputPadding must be smaller than the stride or the dilation, got ${extra[open]} with stride ${stride[open]} and dilation ${dilation[open]}`)
  const padding = paddingPairs('convTranspose', options.padding ?? 0, kernel, dilation)
  return batched(x, axes, z => {
    // what is added at the end is what the padding had cut off there, then zeros
    const cut = padding.map(([low, high], i): [number, number] => [low, Math.max(0, high - extra[i]!)])
    const zeros = padding.map(([, high], i) => Math.max(0, extra[i]! - high))
    const size = z.shape.slice(2).map((n, i) => (n - 1) * stride[i]! + dilation[i]! * (kernel[i]! - 1) + 1 - cut[i]![0] - cut[i]![1])
    if (size.some(n => n < 1)) fail('shape', 'convTranspose', `the padding removes all of the result of ${describe(x)} and ${describe(w)}. Pad less`)
    const y = convInput(z, w, { stride, padding: cut, dilation, groups: groupsOf('convTranspose', options.groups), size })
    return addBias('convTranspose', padInterior(y, y.shape.map(() => 0), [0, 0, ...zeros], y.shape.map(() => 0)), options.bias)
  })
}
