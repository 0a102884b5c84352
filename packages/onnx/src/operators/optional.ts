// Values that may be missing: Optional, OptionalHasElement, OptionalGetElement.

import { fail } from '@bp/core/extend'
import { Known, Optional } from '../import/value.ts'
import { onValues, type Operators } from './operator.ts'

/** Optionals by name. Since version 18 a tensor or a sequence counts as an optional that holds it. */
export const optionals: Operators = {
  Optional: ([x]) => new Optional(x ?? null),
  OptionalHasElement: ([x]) => new Known('bool', [], Uint8Array.of(x !== undefined && !(x instanceof Optional && x.value === null) ? 1 : 0)),
  OptionalGetElement: onValues(1, ([x], _attributes, node) =>
    x instanceof Optional ? x.value ?? fail('value', node.operator, 'the optional is empty. Ask OptionalHasElement first') : x!),
}
