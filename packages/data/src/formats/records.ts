// Records of a CSV text, each with the line where it begins.

import Papa from 'papaparse'
import { fail } from '@bp/core/extend'

/** Fields in a row, and the line of the file where they begin, from 1. */
export interface TextRecord {
  readonly fields: string[]
  readonly line: number
}

/** Options of every reader of CSV. */
export interface DialectOptions {
  /** What stands between fields; ',' unless given. */
  readonly delimiter?: string
}

/** The records of a whole text (RFC 4180), empty lines left out. `line` is that of its beginning. */
export function recordsOf(text: string, { delimiter = ',' }: DialectOptions, line = 1): TextRecord[] {
  const records: TextRecord[] = []
  let at = 0
  let next = line
  Papa.parse<string[]>(text, {
    delimiter,
    step: ({ data, errors, meta }) => {
      const [error] = errors
      if (error) fail('data', 'csv', `line ${next}: ${error.message.toLowerCase()}. Double the quotes within a quoted field, and close it`)
      if (data.length > 1 || data[0] !== '') records.push({ fields: data, line: next })
      next += linesIn(text, at, meta.cursor)
      at = meta.cursor
    },
  })
  return records
}

function linesIn(text: string, from: number, to: number): number {
  let count = 0
  for (let i = from; i < to; i++) if (text.charCodeAt(i) === 10) count++
  return count
}

/** The records of a text that comes in pieces, a piece at a time; only what has no end yet is kept. */
export async function* recordsOfStream(chunks: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>, options: DialectOptions): AsyncGenerator<TextRecord, void, undefined> {
  const decode = decoder()
  let rest = ''
  let line = 1
  let inQuotes = false
  for await (const chunk of chunks) {
    const piece = typeof chunk === 'string' ? rest === '' && line === 1 ? withoutMark(chunk) : chunk : decode(chunk)
    // a line that ends outside of quotes ends a record
    let end = -1
    for (let i = 0; i < piece.length; i++) {
      const code = piece.charCodeAt(i)
      if (code === 34) inQuotes = !inQuotes
      else if (code === 10 && !inQuotes) end = i
    }
    if (end < 0) {
      rest += piece
      continue
    }
    const whole = rest + piece.slice(0, end + 1)
    rest = piece.slice(end + 1)
    yield* recordsOf(whole, options, line)
    line += linesIn(whole, 0, whole.length)
  }
  yield* recordsOf(rest + decode(), options, line)
}

/** Bytes into text, piece by piece; without a piece, at the end. */
function decoder(): (chunk?: Uint8Array) => string {
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  return chunk => {
    try {
      return chunk ? utf8.decode(chunk, { stream: true }) : utf8.decode()
    } catch (error) {
      return fail('data', 'csv', 'the file is not UTF-8. Convert it, or decode it and give its text', { cause: error })
    }
  }
}

/** A text without the mark that some programs put before it. */
export const withoutMark = (text: string): string => text.startsWith('\ufeff') ? text.slice(1) : text
