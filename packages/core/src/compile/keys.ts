// Keys of values: equal exactly where two ops with these parameters compute the same.

/** A string that two parameters share exactly where they are alike; objects that are not plain count by identity. */
export function keyOf(value: unknown): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(keyOf).join()}]`
  if (typeof value === 'object' && value !== null) {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return `{${Object.entries(value).map(([key, entry]) => `${key}:${keyOf(entry)}`).join()}}`
    return `#${identity(value)}`
  }
  if (typeof value === 'function' || typeof value === 'symbol') return `#${identity(value as unknown as object)}`
  return String(value)
}

const numbers = new WeakMap<object, number>()
let count = 0

function identity(value: object): number {
  let n = numbers.get(value)
  if (n === undefined) numbers.set(value, n = count++)
  return n
}
