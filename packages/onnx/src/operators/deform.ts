// DeformConv: convolution whose kernels read at places that are moved by an input.

import { add, mul, type Tensor, tensor } from '@bp/core'
import { describe, fail, sizeOf, stridesOf } from '@bp/core/extend'
import { cast, div, gridSample, matmul, narrow, reshape, stack, sub } from '@bp/ops'
import { entries } from '../import/budget.ts'
import { onTensors, type Operator, type Operators, perAxis } from './operator.ts'

/**
 * y[o] = Σₖ w[k]·m[k, o]·x(o·stride − pad + k·dilation + Δ[k, o]), read between elements, zeros outside (Dai et al. 2017,
 * "Deformable Convolutional Networks"; m: Zhu et al. 2018), over any number of spatial axes.
 */
const deformed: Operator = onTensors(3, ([x, w, offset, bias, mask], attributes, node) => {
  const [n, c, ...sizes] = x!.shape as [number, number, ...number[]]
  const axes = sizes.length
  const kernel = w!.shape.slice(2)
  const list = (name: string, fallback: number, count: number): readonly number[] => perAxis(node, name, attributes.ints(name) ?? new Array<number>(count).fill(fallback), count, x!)
  const [stride, dilation, pads] = [list('strides', 1, axes), list('dilations', 1, axes), list('pads', 0, 2 * axes)]
  const [groups, offsetGroups] = [attributes.int('group', 1), attributes.int('offset_group', 1)]
  const out = sizes.map((size, i) => Math.floor((size + pads[i]! + pads[i + axes]! - (kernel[i]! - 1) * dilation[i]! - 1) / stride[i]!) + 1)
  const points = sizeOf(kernel)
  const wanted = [n, offsetGroups * points * axes, ...out]
  if (kernel.length !== axes || c !== w!.shape[1]! * groups || w!.shape[0]! % groups !== 0 || c % offsetGroups !== 0 || offset!.shape.join() !== wanted.join()) {
    fail('shape', node.operator, `${describe(x!)} with weights ${describe(w!)} in ${groups} group(s) needs offsets [${wanted.join(',')}], got ${describe(offset!)}`)
  }
  const moved = reshape(offset!, [n, offsetGroups, points, axes, ...out])
  const places = sizes.map((size, i): Tensor => {
    const at = add(reshape(narrow(moved, 3, i, 1), [n, offsetGroups, points, ...out]), starts(i, kernel, out, stride[i]!, dilation[i]!, pads[i]!, offset!))
    return sub(div(add(mul(at, 2), 1), size), 1)
  })
  const grid = reshape(stack(places.reverse(), -1), [n * offsetGroups, points * out[0]!, ...out.slice(1), axes])
  const read = gridSample(reshape(x!, [n * offsetGroups, c / offsetGroups, ...sizes]), cast(grid, x!.dtype))
  const area = sizeOf(out)
  const columns = reshape(read, [n, offsetGroups, c / offsetGroups, points, area])
  const weighted = mask ? mul(columns, reshape(mask, [n, offsetGroups, 1, points, area])) : columns
  const kernels = reshape(w!, [1, groups, w!.shape[0]! / groups, c / groups * points])
  const y = reshape(matmul(kernels, reshape(weighted, [n, groups, c / groups * points, area])), [n, w!.shape[0]!, ...out])
  return bias ? add(y, reshape(bias, [bias.size, ...out.map(() => 1)])) : y
})

/** Where along one axis each point of the kernel stands for each place of the result before it is moved: [points, …out]. */
function starts(axis: number, kernel: readonly number[], out: readonly number[], stride: number, dilation: number, pad: number, like: Tensor): Tensor {
  const inner = stridesOf(kernel)[axis]!
  const points = Array.from({ length: entries('DeformConv', sizeOf(kernel)) }, (_, k) => Math.floor(k / inner) % kernel[axis]! * dilation)
  const steps = Array.from({ length: entries('DeformConv', out[axis]!) }, (_, o) => o * stride - pad)
  const made = (values: readonly number[], shape: readonly number[]): Tensor => tensor(values, { shape, dtype: like.dtype, backend: like.backend })
  return add(made(points, [points.length, ...out.map(() => 1)]), made(steps, out.map((_, i) => i === axis ? steps.length : 1)))
}

/** Deformable convolution by name. */
export const deformable: Operators = { DeformConv: deformed }
