// Results whose element type an attribute names.

import type { DType, Tensor } from '@bp/core'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import type { Value } from '../import/value.ts'
import { typeOfCode } from '../proto/tensor.ts'
import { convertTo } from './cast.ts'

/** A result in the element type that an attribute names by its number, or in the given one where it is left out. */
export const inTypeOf = (x: Tensor, name: string, fallback: DType, attributes: Attributes, node: ModelNode): Value =>
  convertTo(node.operator, x, attributes.has(name) ? typeOfCode(node.operator, attributes.int(name, 1), `attribute ${name}`) : fallback)
