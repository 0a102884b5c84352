// Every function of PyTorch that has a counterpart here, by the name (and variant) that the vectors give it.

import type { Adapter } from './arguments.ts'
import { elementwise } from './elementwise.ts'
import { masked } from './masked.ts'
import { reduce } from './reduce.ts'
import { vision } from './vision.ts'

/** The adapter of `op/variant`, or of `op` for every variant that has none of its own. */
export function adapterOf(op: string, variant: string): Adapter | undefined {
  const full = `${op}/${variant}`
  return Object.hasOwn(adapters, full) ? adapters[full] : Object.hasOwn(adapters, op) ? adapters[op] : undefined
}

const adapters: Readonly<Record<string, Adapter>> = { ...elementwise, ...masked, ...reduce, ...vision }
