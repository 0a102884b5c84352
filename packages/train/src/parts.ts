// All that a checkpoint of a run must hold, by name.

import { type AnyModule, defaultGenerator, type Parts, type Stateful } from '@bp/nn'
import type { Callback } from './callbacks/callback.ts'
import type { Metrics } from './evaluate.ts'
import { generatorsOf } from './generators.ts'

/** What a run is made of; each that has a state goes into its checkpoints. */
export interface RunParts {
  readonly model: AnyModule
  readonly optimiser: Stateful
  readonly scheduler: Stateful | undefined
  readonly scaler: unknown
  readonly ema: unknown
  readonly data: unknown
  readonly validation: unknown
  readonly metrics: Metrics
  readonly callbacks: readonly Callback[]
  readonly parts: Parts
}

/** The parts of a run that have a state, its random generators among them. */
export function partsOf({ model, optimiser, scheduler, metrics, callbacks, parts, ...others }: RunParts): Parts {
  return {
    model,
    optimiser,
    ...scheduler && { scheduler },
    ...withState(Object.entries(others)),
    ...withState(callbacks.map((callback, i) => [`callback.${i}`, callback] as const)),
    ...Object.fromEntries(Object.entries(metrics).map(([name, metric]) => [`metric.${name}`, metric])),
    random: defaultGenerator(),
    ...Object.fromEntries(Object.entries(generatorsOf(model)).map(([name, generator]) => [`random.${name}`, generator])),
    ...parts,
  }
}

/** Whether something can be saved and gone on from. */
export const isStateful = (value: unknown): value is Stateful =>
  typeof value === 'object' && value !== null && 'stateDict' in value && 'loadStateDict' in value

const withState = (entries: readonly (readonly [string, unknown])[]): Parts =>
  Object.fromEntries(entries.filter((entry): entry is [string, Stateful] => isStateful(entry[1])))
