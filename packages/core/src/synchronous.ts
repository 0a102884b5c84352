// Settings that hold while a function runs cannot outlast its first await.

import { fail } from './errors.ts'

/** A function's result; throws where that is a promise. */
export function synchronous<R>(op: string, result: R): R {
  if (result instanceof Promise) fail('value', op, 'the function is async, so the setting would not last past its first await. Await first, then compute inside a plain function')
  return result
}
