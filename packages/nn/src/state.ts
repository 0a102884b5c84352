// What a run must remember of its parts, in a form that a checkpoint can hold.

import type { Tensor } from '@bp/core'

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** A state: tensors, JSON values, and lists, records and maps of states, at any depth. */
export type State = null | boolean | number | string | Tensor | readonly State[] | ReadonlyMap<string, State> | { readonly [key: string]: State }

/**
 * A part of a run that can be saved and gone on from: a module, an optimiser, a schedule, a scaler, a loader. `stateDict`
 * gives a {@link State}; `loadStateDict` takes one back, and checks it before it changes anything.
 */
export interface Stateful {
  stateDict(): unknown
  loadStateDict(state: never): void
}
