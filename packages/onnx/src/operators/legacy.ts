// How operator set 6 broadcast: by an attribute, aligned at an axis.

import type { Tensor } from '@bp/core'
import { describe, fail, sameShape } from '@bp/core/extend'
import { reshape } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'

/** The second operand with the axes that today's broadcasting needs. Before version 7 only `broadcast = 1` allows any. */
export function aligned(a: Tensor, b: Tensor, attributes: Attributes, node: ModelNode): Tensor {
  if (node.opset >= 7) return b
  if (attributes.int('broadcast', 0) === 0) {
    if (!sameShape(a.shape, b.shape)) fail('shape', node.operator, `operands must have one shape in operator set ${node.opset} without broadcast = 1, got ${describe(a)} and ${describe(b)}`)
    return b
  }
  if (!attributes.has('axis')) return b
  const axis = attributes.int('axis', 0)
  const at = axis < 0 ? axis + a.rank : axis
  const after = a.rank - at - b.rank
  if (after < 0) fail('shape', node.operator, `${describe(b)} does not fit ${describe(a)} from axis ${at} on`)
  return reshape(b, [...b.shape, ...new Array<number>(after).fill(1)])
}
