// Checkpoints: everything a run needs to go on bit by bit, as one safetensors file.

import { Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { detach, Generator, type GeneratorState } from '@bp/ops'
import { crc32c } from './crc32c.ts'
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts'
import { type Json, type State, type Stateful } from './state.ts'
import { pack, unpack } from './stateTree.ts'

/** The parts of a run by name: a model, an optimiser, a schedule, a scaler, an average, a loader, random generators. */
export type Parts = Readonly<Record<string, Stateful | Generator>>

/** How {@link decodeCheckpoint} treats names that do not match. */
export interface CheckpointOptions {
  /** Whether a part that the file lacks, and a part of the file that was not asked for, are errors; true unless given. */
  readonly strict?: boolean
}

const version = 2
/** Where the eight digits of the checksum stand: first in the file's header. */
const opening = '{"__metadata__":{"checksum":"'
const checksumAt = 8 + opening.length
const noChecksum = '00000000'

/**
 * Writes the states of all parts, and any JSON of your own beside them, as bytes: a safetensors file with a CRC-32C over all of
 * it. Tensors are named by part and path, `model.0.weight`. Write the bytes to a temporary file and rename it, as
 * `writeWhole` of @bp/train/node does.
 *
 * @example
 * ```ts
 * import { decodeCheckpoint, defaultGenerator, encodeCheckpoint, Linear, SGD } from '@bp/nn'
 * const model = new Linear(2, 1), optimiser = new SGD(model.parameters())
 * const saved = encodeCheckpoint({ model, optimiser, random: defaultGenerator() }, { epoch: 3 })
 * JSON.stringify(decodeCheckpoint(saved, { model, optimiser, random: defaultGenerator() })) // => {"epoch":3}
 * ```
 */
export function encodeCheckpoint(parts: Parts, progress: Json = null): Uint8Array {
  const tensors = new Map<string, Tensor>()
  const packed = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, pack(stateOf(part), name, tensors)]))
  const description = JSON.stringify({ version, parts: packed, progress: pack(progress, 'progress', tensors) })
  const file = encodeSafetensors(tensors, { checksum: noChecksum, checkpoint: description })
  file.set(new TextEncoder().encode(digits(crc32c(file))), checksumAt)
  return file
}

/**
 * Brings the parts of a run back to where {@link encodeCheckpoint} left them, and returns the JSON that was saved with them.
 * Throws, and changes nothing, where the file is damaged, has other parts, or a part refuses its state; with
 * `{ strict: false }` it loads the parts that both have.
 */
export function decodeCheckpoint(file: Uint8Array, parts: Parts, { strict = true }: CheckpointOptions = {}): Json {
  const { states, progress } = read(file)
  const missing = Object.keys(parts).filter(name => !states.has(name))
  const unexpected = [...states.keys()].filter(name => !Object.hasOwn(parts, name))
  if (strict && missing.length + unexpected.length > 0) {
    const complaints = [...missing.length > 0 ? [`it has no ${missing.join(', ')}`] : [], ...unexpected.length > 0 ? [`it has ${unexpected.join(', ')}, which ${unexpected.length > 1 ? 'were' : 'was'} not asked for`] : []]
    fail('data', 'checkpoint', `${complaints.join('; ')}. Give the parts that were saved, or pass { strict: false } to load those that both have`)
  }
  const found = Object.entries(parts).filter(([name]) => states.has(name))
  const before = found.map(([, part]) => copy(stateOf(part) as State))
  found.forEach(([name, part], i) => {
    try {
      load(part, states.get(name)!)
    } catch (error) {
      for (let back = i - 1; back >= 0; back--) load(found[back]![1], before[back]!)
      fail('data', 'checkpoint', `the part ${name} refuses its state, and nothing was changed: ${(error as Error).message}`, { cause: error })
    }
  })
  return progress
}

/** The JSON that was saved with a checkpoint, without loading anything else of it. Throws where the file is damaged. */
export const readCheckpointProgress = (file: Uint8Array): Json => read(file).progress

const digits = (checksum: number): string => checksum.toString(16).padStart(noChecksum.length, '0')

const stateOf = (part: Stateful | Generator): unknown => part instanceof Generator ? part.state() : part.stateDict()

function load(part: Stateful | Generator, state: State): void {
  if (part instanceof Generator) part.restore(state as unknown as GeneratorState)
  else part.loadStateDict(state as never)
}

/** A state that does not change with its part. */
function copy(state: State): State {
  if (state instanceof Tensor) return detach(state)
  if (Array.isArray(state)) return (state as readonly State[]).map(copy)
  if (state instanceof Map) return new Map([...state as ReadonlyMap<string, State>].map(([key, child]) => [key, copy(child)]))
  if (typeof state === 'object' && state !== null) return Object.fromEntries(Object.entries(state as Record<string, State>).map(([key, child]) => [key, copy(child)]))
  return state
}

function read(file: Uint8Array): { states: Map<string, State>; progress: Json } {
  const head = new TextDecoder().decode(file.subarray(8, checksumAt + noChecksum.length))
  const { tensors, metadata } = decodeSafetensors(file)
  const text = metadata.checkpoint
  if (text === undefined) return fail('data', 'checkpoint', 'the file holds tensors but no run. Load it with decodeSafetensors and loadStateDict')
  const saved = parse(text)
  if (saved.version !== version) return fail('data', 'checkpoint', `it is of version ${String(saved.version)}, and only version ${version} can be read. Resume with the release that wrote it, or load its tensors with decodeSafetensors`)
  const before = crc32c(new TextEncoder().encode(noChecksum), crc32c(file.subarray(0, checksumAt)))
  if (head !== opening + digits(crc32c(file.subarray(checksumAt + noChecksum.length), before))) return fail('data', 'checkpoint', 'its checksum is wrong: the file is damaged, or another program wrote it anew. Use an earlier checkpoint')
  const states = new Map(Object.entries(saved.parts as Record<string, Json>).map(([name, state]) => [name, unpack(state, tensors)]))
  return { states, progress: unpack(saved.progress as Json, tensors) as Json }
}

function parse(text: string): { readonly version?: unknown; readonly parts?: unknown; readonly progress?: unknown } {
  try {
    return JSON.parse(text) as object
  } catch (error) {
    return fail('data', 'checkpoint', 'its description is no JSON. The file is damaged; use an earlier checkpoint', { cause: error })
  }
}
