// Checkpoints: everything a run needs to go on bit by bit, as one safetensors file.

import type { Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { Generator, GeneratorState } from '@bp/ops'
import type { AnyModule } from './module.ts'
import type { AnyOptimizer, Hyper } from './optim/optimizer.ts'
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts'
import type { Json } from './state.ts'

/** The parts of a run. */
export interface Run {
  readonly model: AnyModule
  readonly optimiser: AnyOptimizer
  /** Random generators by name. */
  readonly generators?: Readonly<Record<string, Generator>>
}

interface Meta {
  readonly version: 1
  readonly steps: readonly number[]
  readonly groups: readonly Hyper[]
  readonly generators: Readonly<Record<string, GeneratorState>>
  readonly progress: Json
}

/**
 * Writes the model's parameters and buffers, the optimiser's state and hyper-parameters, the generators' states and any
 * JSON of your own (epoch, step, schedule) as bytes. Write them to a temporary file and rename it.
 */
export function encodeCheckpoint({ model, optimiser, generators = {} }: Run, progress: Json = null): Uint8Array {
  const state = optimiser.stateDict()
  const tensors = new Map<string, Tensor>()
  for (const [name, value] of model.stateDict()) tensors.set(`model.${name}`, value)
  for (const [name, value] of state.tensors) tensors.set(`optimiser.${name}`, value)
  const meta: Meta = { version: 1, steps: state.steps, groups: state.groups, generators: Object.fromEntries(Object.entries(generators).map(([name, generator]) => [name, generator.state()])), progress }
  return encodeSafetensors(tensors, { checkpoint: JSON.stringify(meta) })
}

/**
 * Brings a run back to where {@link encodeCheckpoint} left it, and returns the JSON that was saved with it. Throws where the
 * file is damaged or belongs to another model.
 */
export function decodeCheckpoint(file: Uint8Array, { model, optimiser, generators = {} }: Run): Json {
  const { tensors, metadata } = decodeSafetensors(file)
  const meta = readMeta(metadata.checkpoint)
  const part = (prefix: string): Map<string, Tensor> =>
    new Map([...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]))
  for (const name of Object.keys(generators)) if (!(name in meta.generators)) fail('data', 'checkpoint', `it holds no random state named ${name}; it has ${Object.keys(meta.generators).join(', ') || 'none'}. Use the checkpoint of the same run`)
  model.loadStateDict(part('model.'))
  optimiser.loadStateDict({ tensors: part('optimiser.'), steps: meta.steps, groups: meta.groups })
  for (const [name, generator] of Object.entries(generators)) generator.restore(meta.generators[name]!)
  return meta.progress
}

/** The JSON that was saved with a checkpoint, without loading anything else of it. */
export const readCheckpointProgress = (file: Uint8Array): Json => readMeta(decodeSafetensors(file).metadata.checkpoint).progress

function readMeta(text: string | undefined): Meta {
  if (text === undefined) return fail('data', 'checkpoint', 'the file holds tensors but no run. Load it with decodeSafetensors and loadStateDict')
  try {
    const meta = JSON.parse(text) as Partial<Meta>
    if (meta.version === 1 && Array.isArray(meta.steps) && Array.isArray(meta.groups) && typeof meta.generators === 'object') return meta as Meta
  } catch (error) {
    return fail('data', 'checkpoint', 'its description is no JSON. The file is damaged; use an earlier checkpoint', { cause: error })
  }
  return fail('data', 'checkpoint', 'it was written by another version. Train anew, or load its tensors with decodeSafetensors')
}
