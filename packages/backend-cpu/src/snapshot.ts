// Storages that programs write to: they are copied before anybody keeps them.

import type { TypedArray } from '@bp/core'

const residents = /* @__PURE__ */ new WeakSet<TypedArray>()

/** Marks a storage as a variable's place in the engine's memory. */
export function markResident(storage: TypedArray): void {
  residents.add(storage)
}

/** Whether programs write to a storage. */
export const isResident = (storage: TypedArray): boolean => residents.has(storage)

/** The storage itself, or a copy where programs write to it. */
export const snapshot = (storage: TypedArray): TypedArray => isResident(storage) ? storage.slice() : storage
