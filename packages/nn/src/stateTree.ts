// A state taken apart into named tensors and JSON, and put together again.

import { Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { Json, State } from './state.ts'

/** What JSON has no word for is a list whose first element is one of these. */
type Tag = 'tensor' | 'map' | 'list' | 'number'

const refuse = (path: string, what: string): never => fail('data', 'checkpoint', `${path} ${what}`)

/**
 * Takes a state apart: its tensors go into `tensors` under the paths at which they stand, `model.0.weight`, and the rest is
 * returned as JSON that names them. Numbers that JSON cannot hold (infinities, NaN, −0) are kept; fields that are undefined are
 * left out. Throws on functions, class instances and other things that no file can hold, with their path.
 */
export function pack(state: unknown, path: string, tensors: Map<string, Tensor>): Json {
  if (state instanceof Tensor) return ['tensor', keep(state, path, tensors)]
  if (Array.isArray(state)) return ['list', ...state.map((child, i) => pack(child, `${path}.${i}`, tensors))]
  if (state instanceof Map) {
    return ['map', ...[...state as Map<unknown, unknown>].map(([key, child]): Json => [
      typeof key === 'string' ? key : refuse(path, `is a map with a key of type ${typeof key}. Use strings as keys`),
      pack(child, `${path}.${String(key)}`, tensors),
    ])]
  }
  switch (typeof state) {
    case 'string': case 'boolean': return state
    case 'number': return Number.isFinite(state) && !Object.is(state, -0) ? state : ['number', Object.is(state, -0) ? '-0' : String(state)]
    case 'object': {
      if (state === null) return null
      const prototype: unknown = Object.getPrototypeOf(state)
      if (prototype !== Object.prototype && prototype !== null) return refuse(path, `is a ${state.constructor.name}, which a checkpoint cannot hold. Turn it into tensors, JSON, lists, records or maps in stateDict`)
      return Object.fromEntries(Object.entries(state).filter(([, child]) => child !== undefined).map(([key, child]) => [key, pack(child, `${path}.${key}`, tensors)]))
    }
    default: return refuse(path, `is of type ${typeof state}, which a checkpoint cannot hold. Turn it into tensors, JSON, lists, records or maps in stateDict`)
  }
}

/** Two tensors at one path, `a.b` of a map and `b` of `a`, get two names. */
function keep(value: Tensor, path: string, tensors: Map<string, Tensor>): string {
  let name = path
  for (let i = 2; tensors.has(name); i++) name = `${path}#${i}`
  tensors.set(name, value)
  return name
}

/** Puts a state together again. Throws where the JSON is none that {@link pack} writes, or a tensor is missing. */
export function unpack(packed: Json, tensors: ReadonlyMap<string, Tensor>): State {
  if (!Array.isArray(packed)) {
    if (typeof packed !== 'object' || packed === null) return packed
    return Object.fromEntries(Object.entries(packed as Readonly<Record<string, Json>>).map(([key, child]) => [key, unpack(child, tensors)]))
  }
  const tag = packed[0] as Tag
  const rest = packed.slice(1) as Json[]
  switch (tag) {
    case 'tensor': {
      const [name] = rest as [string]
      return tensors.get(name) ?? refuse(`the tensor ${name}`, 'is missing. The file is damaged; use an earlier checkpoint')
    }
    case 'number': return Number(rest[0])
    case 'list': return rest.map(child => unpack(child, tensors))
    case 'map': return new Map((rest as unknown as readonly (readonly [string, Json])[]).map(([key, child]) => [key, unpack(child, tensors)]))
    default: return refuse('its description', `has an entry ${JSON.stringify(tag)} that this version does not know. Read it with the version that wrote it`)
  }
}
