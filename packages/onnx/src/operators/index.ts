// The table of all operators that the importer implements.

import { activation } from './activation.ts'
import { bitwise } from './bitwise.ts'
import { control } from './control.ts'
import { conv } from './conv.ts'
import { deformable } from './deform.ts'
import { detection } from './detection.ts'
import { elementwise } from './elementwise.ts'
import { indexing } from './indexing.ts'
import { loss } from './loss.ts'
import { matrix } from './matrix.ts'
import { classical } from './ml/index.ts'
import { norm } from './norm.ts'
import type { Operators } from './operator.ts'
import { random } from './random.ts'
import { recurrentOperators } from './recurrent.ts'
import { reduce } from './reduce.ts'
import { resizing } from './resize.ts'
import { regionsAligned } from './roi.ts'
import { sampling } from './sampling.ts'
import { selection } from './selection.ts'
import { sequences } from './sequence.ts'
import { shape } from './shape.ts'
import { signals } from './signal.ts'
import { text } from './text.ts'

/** Every operator under its ONNX name. Constant is not among them: it is read when a model is loaded. */
export const operators: Operators = { ...elementwise, ...activation, ...reduce, ...shape, ...indexing, ...matrix, ...conv, ...norm, ...loss, ...resizing, ...sampling, ...control, ...sequences, ...recurrentOperators, ...signals, ...bitwise, ...detection, ...regionsAligned, ...deformable, ...selection, ...random, ...text, ...classical }
