// Matrix products and determinants: MatMul, Gemm, Einsum, Det.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { dot } from '@bp/ops/extend'
import { det, einsum, matmul } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { aligned } from './legacy.ts'
import { onTensors, type Operators } from './operator.ts'

/** y = α·A·B + β·C, A and B read transposed where asked */
export function gemm(a: Tensor, b: Tensor, c: Tensor | undefined, attributes: Attributes, node: ModelNode): Tensor {
  if (a.rank !== 2 || b.rank !== 2) fail('shape', node.operator, `needs matrices, got ${describe(a)} and ${describe(b)}`)
  const product = dot(a, b, attributes.int('transA', 0) !== 0, attributes.int('transB', 0) !== 0)
  const alpha = attributes.float('alpha', 1)
  const beta = attributes.float('beta', 1)
  const y = alpha === 1 ? product : mul(product, alpha)
  if (!c || beta === 0) return y
  const bias = aligned(y, c, attributes, node)
  return add(y, beta === 1 ? bias : mul(bias, beta))
}

/** Matrix products and determinants by name. */
export const matrix: Operators = {
  MatMul: onTensors(2, ([a, b]) => matmul(a!, b!)),
  Gemm: onTensors(2, ([a, b, c], attributes, node) => gemm(a!, b!, c, attributes, node)),
  Einsum: onTensors(1, (xs, attributes) => einsum(attributes.string('equation', ''), ...xs)),
  Det: onTensors(1, ([x]) => det(x!)),
}
