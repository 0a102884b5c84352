// Samples of public functions that are neither a row nor a registered composite: they obey the laws like those.

import type { Tensor } from '@bp/core'
import { type AnyRow, defineComposite } from '@bp/core/extend'
import { arrangeFunctions } from './functions/arrange.ts'
import { basicFunctions } from './functions/basics.ts'
import { elementwiseFunctions } from './functions/elementwise.ts'
import { linalgFunctions } from './functions/linalg.ts'
import { lossFunctions } from './functions/losses.ts'
import { productFunctions } from './functions/products.ts'
import { recurrentFunctions } from './functions/recurrent.ts'
import { reduceFunctions } from './functions/reduce.ts'
import { visionFunctions } from './functions/vision.ts'
import type { OperandSpec } from './sample.ts'

/** A function of tensors, with operands to test it at. */
export interface FunctionSample {
  readonly f: (...xs: Tensor[]) => Tensor | Tensor[]
  readonly operands: readonly OperandSpec[]
}

/** A function as a composite of its own body, so that every law applies to it; no kernel has its name. */
export const asComposite = (name: string, { f }: FunctionSample): AnyRow => defineComposite({ name: `${name}()`, arity: 'n', decompose: xs => f(...xs) })

/** Samples by the name of the function, family by family. */
export const functionSamples: Readonly<Record<string, readonly FunctionSample[]>> = {
  ...arrangeFunctions,
  ...basicFunctions,
  ...elementwiseFunctions,
  ...linalgFunctions,
  ...lossFunctions,
  ...productFunctions,
  ...recurrentFunctions,
  ...reduceFunctions,
  ...visionFunctions,
}
