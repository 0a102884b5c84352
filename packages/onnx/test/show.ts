// Prints what a model takes and gives, for tests to compare.

import { Tensor } from '@bp/core'
import { type OnnxValue, StringTensor } from '../src/index.ts'

const isList = (value: OnnxValue): value is readonly OnnxValue[] => Array.isArray(value)

/** A tensor as it prints itself, strings with their shape, sequences in brackets. */
export function show(value: OnnxValue | undefined): string {
  if (value === null || value === undefined) return 'empty'
  if (value instanceof StringTensor) return `strings[${value.shape.join(',')}] ${value.data.join(' ')}`
  return value instanceof Tensor ? String(value) : isList(value) ? `[${value.map(show).join('; ')}]` : 'nothing of the kind'
}
