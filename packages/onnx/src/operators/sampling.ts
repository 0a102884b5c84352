// Reading and writing images by place: GridSample, AffineGrid, Col2Im, MaxUnpool.

import { describe, fail, sizeOf } from '@bp/core/extend'
import { affineGrid, cast, col2im, gridSample, type GridSampleOptions, pad, reshape } from '@bp/ops'
import { unpool } from '@bp/ops/extend'
import { entries } from '../import/budget.ts'
import { toNumbers, toTensor } from '../import/value.ts'
import { only, onTensors, onValues, type Operator, type Operators, perAxis } from './operator.ts'

/** The ways of interpolation by their names in version 16 and since version 20. */
const modes: Readonly<Record<string, NonNullable<GridSampleOptions['mode']>>> = {
  bilinear: 'bilinear', linear: 'bilinear', bicubic: 'bicubic', cubic: 'bicubic', nearest: 'nearest',
}

const sampled: Operator = onTensors(2, ([x, grid], attributes, node) => {
  const mode = attributes.string('mode', 'linear')
  const paddingMode = attributes.string('padding_mode', 'zeros')
  only(node, 'mode', mode, ...Object.keys(modes))
  only(node, 'padding_mode', paddingMode, 'zeros', 'border', 'reflection')
  return gridSample(x!, cast(grid!, x!.dtype), {
    mode: modes[mode]!, paddingMode: paddingMode as NonNullable<GridSampleOptions['paddingMode']>, alignCorners: attributes.int('align_corners', 0) !== 0,
  })
})

const columns: Operator = onValues(3, ([x, image, block], attributes, node) => {
  const sizes = toNumbers(image!)
  const ones = sizes.map(() => 1)
  const pads = perAxis(node, 'pads', attributes.ints('pads') ?? [...ones, ...ones].map(() => 0), 2 * sizes.length, x!)
  entries(node.operator, [...sizes, ...pads].reduce((sum, n) => sum + Math.abs(n), 0))
  return col2im(toTensor(x!), sizes, {
    kernel: perAxis(node, 'block_shape', toNumbers(block!), sizes.length, x!), dilation: perAxis(node, 'dilations', attributes.ints('dilations') ?? ones, sizes.length, x!),
    stride: perAxis(node, 'strides', attributes.ints('strides') ?? ones, sizes.length, x!), padding: sizes.map((_, i) => [pads[i]!, pads[i + sizes.length]!] as const),
  })
})

/** Indices count over the whole tensor of the size that the windows give; a larger `output_shape` adds zeros at the ends. */
const unpooled: Operator = onValues(2, ([values, indices, target], attributes, node) => {
  const x = toTensor(values!)
  const spatial = x.shape.slice(2)
  const kernel = perAxis(node, 'kernel_shape', attributes.ints('kernel_shape') ?? [], spatial.length, x)
  const stride = perAxis(node, 'strides', attributes.ints('strides') ?? spatial.map(() => 1), spatial.length, x)
  const pads = perAxis(node, 'pads', attributes.ints('pads') ?? [...spatial, ...spatial].map(() => 0), 2 * spatial.length, x)
  const shape = [...x.shape.slice(0, 2), ...spatial.map((n, i) => (n - 1) * stride[i]! - pads[i]! - pads[i + spatial.length]! + kernel[i]!)]
  const y = reshape(unpool(reshape(x, [1, x.size]), reshape(cast(toTensor(indices!), 'int32'), [1, x.size]), sizeOf(shape)), shape)
  if (!target) return y
  const wanted = perAxis(node, 'output_shape', toNumbers(target), x.rank, x)
  if (wanted.some((n, i) => n < shape[i]!)) fail('shape', node.operator, `output_shape [${wanted.join(',')}] is smaller than ${describe(y)}, which the windows give`)
  return pad(y, wanted.map((n, i) => [0, n - shape[i]!] as const))
})

/** Reading and writing by place, by name. */
export const sampling: Operators = {
  GridSample: sampled, Col2Im: columns, MaxUnpool: unpooled,
  AffineGrid: onValues(2, ([theta, size], attributes, node) => {
    const sizes = toNumbers(size!)
    entries(node.operator, sizeOf(sizes.slice(2)) * sizes.length)
    return affineGrid(toTensor(theta!), sizes, attributes.int('align_corners', 0) !== 0)
  }),
}
