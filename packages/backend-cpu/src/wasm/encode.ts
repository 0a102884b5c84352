// How WebAssembly's binary format writes numbers, names and lists (WebAssembly Core Specification 2.0, §5).

/** Bytes, possibly in nested lists: instructions are put together without copying, and flattened once. */
export type Code = readonly (number | Code)[]

/** LEB128 of a number ≥ 0. */
export function unsigned(n: number): number[] {
  const out: number[] = []
  do {
    const low = n % 128
    n = Math.floor(n / 128)
    out.push(n > 0 ? low | 0x80 : low)
  } while (n > 0)
  return out
}

/** Signed LEB128 of a 32-bit number. */
export function signed(n: number): number[] {
  const out: number[] = []
  for (;;) {
    const low = n & 0x7f
    n >>= 7
    if ((n === 0 && (low & 0x40) === 0) || (n === -1 && (low & 0x40) !== 0)) return [...out, low]
    out.push(low | 0x80)
  }
}

const word = /* @__PURE__ */ new DataView(/* @__PURE__ */ new ArrayBuffer(8))

const bytesOfWord = (count: number): number[] => Array.from({ length: count }, (_, i) => word.getUint8(i))

/** The four bytes of a float. */
export function float32Bytes(x: number): number[] {
  word.setFloat32(0, x, true)
  return bytesOfWord(4)
}

/** The eight bytes of a double. */
export function float64Bytes(x: number): number[] {
  word.setFloat64(0, x, true)
  return bytesOfWord(8)
}

/** A name: its length, then its UTF-8 bytes. */
export function name(text: string): number[] {
  const bytes = new TextEncoder().encode(text)
  return [...unsigned(bytes.length), ...bytes]
}

/** A list: how many entries, then the entries. */
export const list = (entries: readonly Code[]): Code => [unsigned(entries.length), ...entries]

/** How many bytes nested lists hold. */
function lengthOf(code: Code): number {
  let n = 0
  for (const part of code) n += typeof part === 'number' ? 1 : lengthOf(part)
  return n
}

/** The length of the content in bytes, then the content. */
export const sized = (content: Code): Code => [unsigned(lengthOf(content)), content]

/** Nested lists as bytes. */
export function toBytes(code: Code): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(lengthOf(code))
  let at = 0
  const write = (list: Code): void => {
    for (const part of list) {
      if (typeof part === 'number') out[at++] = part
      else write(part)
    }
  }
  write(code)
  return out
}
