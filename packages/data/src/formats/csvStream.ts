// CSV as a stream: samples row by row, of a text that need not fit into memory.

import { fail } from '@bp/core/extend'
import { type NdArray, ndarray } from '../array.ts'
import type { IterableDataset } from '../dataset.ts'
import { type ColumnOptions, type ColumnType, elementsOf, type FieldReader, readerOf } from './columns.ts'
import { checkColumns, checkFields, type CsvOptions, hasHeader, missingOf, namesOf } from './csv.ts'
import { recordsOfStream } from './records.ts'

/** Options of {@link CsvStream}: every column that is to be read has its type, for the whole is not known. */
export interface CsvStreamOptions<C extends CsvColumns> extends CsvOptions {
  readonly columns: C
}

/** Types of columns by name. */
export type CsvColumns = Readonly<Record<string, ColumnType | ColumnOptions>>

/** A row: text as a string, everything else as an array without axes. */
export type CsvRow<C extends CsvColumns> = { -readonly [K in keyof C]: C[K] extends 'string' | { readonly type: 'string' } ? string : NdArray }

/**
 * The rows of a CSV text as an iterable dataset: only the columns that have a type are read, and categories need their names.
 * `open` begins the text anew for each epoch, in pieces of any size. Load it by `for await`.
 *
 * @example
 * ```ts
 * import { CsvStream, DataLoader } from '@bp/data'
 * const stream = new CsvStream(() => ['a,b\n1,', 'x\n2,y\n'], { columns: { a: 'float32', b: { type: 'category', categories: ['x', 'y'] } } })
 * for await (const { a, b } of new DataLoader(stream, { batchSize: 2 })) {
 *   a // => tensor([1, 2], float32)
 *   b // => tensor([0, 1], int32)
 * }
 * ```
 */
export class CsvStream<const C extends CsvColumns> implements IterableDataset<CsvRow<C>> {
  private readonly open: () => AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>
  private readonly options: CsvStreamOptions<C>

  constructor(open: () => AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>, options: CsvStreamOptions<C>) {
    for (const [name, column] of Object.entries(options.columns)) {
      if (column === 'category' || typeof column === 'object' && column.type === 'category' && !column.categories) fail('value', 'csv', `the column ${name} is a category without names. A stream is not read beforehand: give { type: 'category', categories: […] }`)
    }
    this.open = open
    this.options = options
  }

  async* iterate(): AsyncGenerator<CsvRow<C>, void, undefined> {
    let names: string[] | undefined
    let columns: [name: string, at: number, type: ColumnType, read: FieldReader][] = []
    for await (const record of recordsOfStream(this.open(), this.options)) {
      if (!names) {
        names = namesOf(this.options, record)
        checkColumns(this.options, names)
        const places = names
        columns = Object.entries(this.options.columns).map(([name, given]) => {
          const column: ColumnOptions = typeof given === 'object' ? given : { type: given }
          return [name, places.indexOf(name), column.type, readerOf(column, missingOf(this.options))]
        })
        if (hasHeader(this.options)) continue
      }
      checkFields(record, names)
      yield Object.fromEntries(columns.map(([name, at, type, read]) => {
        const value = read(record.fields[at]!, () => `line ${record.line}, column ${name}`)
        return [name, type === 'string' ? value : ndarray(elementsOf(type, [value]), [], type === 'category' ? 'int32' : type)]
      })) as CsvRow<C>
    }
  }
}
