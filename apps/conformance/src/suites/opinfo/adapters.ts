// Every function of PyTorch that has a counterpart here, by the name (and variant) that the vectors give it.

import { activations } from './activations.ts'
import type { Adapter } from './arguments.ts'
import { arrange } from './arrange.ts'
import { elementwise } from './elementwise.ts'
import { indexing } from './indexing.ts'
import { linalg } from './linalg.ts'
import { losses } from './losses.ts'
import { masked } from './masked.ts'
import { products } from './products.ts'
import { reduce } from './reduce.ts'
import { vision } from './vision.ts'

/** The adapter of `op/variant`, or of `op` for every variant that has none of its own. */
export function adapterOf(op: string, variant: string): Adapter | undefined {
  const full = `${op}/${variant}`
  return Object.hasOwn(adapters, full) ? adapters[full] : Object.hasOwn(adapters, op) ? adapters[op] : undefined
}

const adapters: Readonly<Record<string, Adapter>> = { ...losses, ...products, ...linalg, ...arrange, ...indexing, ...elementwise, ...activations, ...masked, ...reduce, ...vision }
