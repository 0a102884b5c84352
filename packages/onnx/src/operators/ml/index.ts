// The operators of ai.onnx.ml: classical models, encoders and the preparation of features. Those whose values are maps are not among them.

import type { Operators } from '../operator.ts'
import { encoders } from './encode.ts'
import { linearModels } from './linear.ts'
import { preparation } from './rescale.ts'
import { vectorMachines } from './svm.ts'
import { treeEnsembles } from './trees.ts'

/** Operators of ai.onnx.ml by their names with the domain. */
export const classical: Operators = { ...preparation, ...encoders, ...linearModels, ...vectorMachines, ...treeEnsembles }
