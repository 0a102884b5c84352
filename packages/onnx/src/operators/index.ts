// The table of all operators of the default domain that the importer implements.

import { activation } from './activation.ts'
import { attentions } from './attention.ts'
import { casting } from './cast.ts'
import { control } from './control.ts'
import { conv } from './conv.ts'
import { elementwise } from './elementwise.ts'
import { indexing } from './indexing.ts'
import { recurrentAttention } from './linearAttention.ts'
import { loss } from './loss.ts'
import { matrix } from './matrix.ts'
import { microsoft } from './microsoft.ts'
import { microsoftAttention } from './microsoftAttention.ts'
import { microsoftQuantised } from './microsoftQuantised.ts'
import { norm } from './norm.ts'
import type { Operators } from './operator.ts'
import { optionals } from './optional.ts'
import { quantisation } from './quantise.ts'
import { quantised } from './quantised.ts'
import { recurrentOperators } from './recurrent.ts'
import { reduce } from './reduce.ts'
import { resizing } from './resize.ts'
import { rotary } from './rotary.ts'
import { sampling } from './sampling.ts'
import { sequences } from './sequence.ts'
import { shape } from './shape.ts'
import { text } from './text.ts'
import { training } from './training.ts'

/** Every operator under its ONNX name. Constant is not among them: it is read when a model is loaded. */
export const operators: Operators = {
  ...elementwise, ...casting, ...activation, ...reduce, ...shape, ...indexing, ...matrix, ...conv, ...norm, ...loss, ...resizing, ...sampling, ...control, ...sequences, ...recurrentOperators,
  ...attentions, ...recurrentAttention, ...rotary, ...quantisation, ...quantised, ...training, ...microsoft, ...microsoftAttention, ...microsoftQuantised, ...optionals, ...text,
}
