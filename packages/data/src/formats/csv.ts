// CSV: a whole text as columns of numbers, class indices and text.

import { fail } from '@bp/core/extend'
import { type NdArray, ndarray } from '../array.ts'
import { TensorDataset } from '../datasets/tensor.ts'
import { categoriesOf, type ColumnOptions, type ColumnType, elementsOf, type IsMissing, readerOf, suggestType } from './columns.ts'
import { type DialectOptions, recordsOf, type TextRecord, withoutMark } from './records.ts'

/** Options of {@link parseCsv}. */
export interface CsvOptions extends DialectOptions {
  /** Whether the first record names the columns, or their names; true unless given. Without names, columns are '0', '1', …. */
  readonly header?: boolean | readonly string[]
  /** What columns hold: float32 where all fields are numbers or missing, and else categories, unless given. */
  readonly columns?: Readonly<Record<string, ColumnType | ColumnOptions>>
  /** Fields that hold nothing; '', NA, N/A, NaN, nan, null and NULL unless given. */
  readonly missing?: readonly string[]
}

const missingMarks = ['', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL']

/** A column of a {@link CsvTable}. */
export interface CsvColumn {
  readonly name: string
  readonly type: ColumnType
  /** The numbers, one a row; class indices of a category are int32. Not there in a column of text. */
  readonly values?: NdArray
  /** The text, in a column of text. */
  readonly text?: readonly string[]
  /** The names of a category's indices. */
  readonly categories?: readonly string[]
}

/**
 * Reads a CSV text (RFC 4180). Throws, with the line, where records have different numbers of fields, a quote is not closed,
 * a field is not what its column holds, or one is missing where its type has no value for that.
 *
 * @example
 * ```ts
 * import { parseCsv } from '@bp/data'
 * const table = parseCsv('width,kind\n1.5,oak\n,elm\n2.5,oak\n', { columns: { width: { type: 'float32', missing: '0' } } })
 * table.column('kind').categories // => [elm, oak]
 * table.dataset('width', 'kind').get(2).map(x => x.data[0]) // => [2.5, 1]
 * ```
 */
export function parseCsv(text: string, options: CsvOptions = {}): CsvTable {
  const all = recordsOf(withoutMark(text), options)
  const names = namesOf(options, all[0])
  const records = hasHeader(options) ? all.slice(1) : all
  const isMissing = missingOf(options)
  for (const record of records) checkFields(record, names)
  checkColumns(options, names)
  return new CsvTable(records.length, names.map((name, k) => {
    const fields = records.map(record => record.fields[k]!)
    const given = options.columns?.[name]
    const column: ColumnOptions = typeof given === 'object' ? given : { type: given ?? suggestType(fields, isMissing) }
    const { type } = column
    const categories = type === 'category' ? column.categories ?? categoriesOf(fields, isMissing, column.missing) : undefined
    const read = readerOf(categories ? { ...column, categories } : column, isMissing)
    const values = records.map((record, i) => read(fields[i]!, () => `line ${record.line}, column ${name}`))
    if (type === 'string') return { name, type, text: values as string[] }
    return { name, type, values: ndarray(elementsOf(type, values), [values.length], type === 'category' ? 'int32' : type), ...categories ? { categories } : {} }
  }))
}

/** Columns of a CSV text, of one length. */
export class CsvTable {
  /** How many rows. */
  readonly length: number
  readonly columns: readonly CsvColumn[]

  constructor(length: number, columns: readonly CsvColumn[]) {
    this.length = length
    this.columns = columns
  }

  /** A column by its name. */
  column(name: string): CsvColumn {
    return this.columns.find(column => column.name === name) ?? fail('value', 'csv', `there is no column ${name}; there are ${this.columns.map(column => column.name).join(', ')}`)
  }

  /** Columns side by side, as f32[rows, names]: all that hold numbers unless named. */
  matrix(...names: readonly string[]): NdArray {
    const chosen = names.length > 0 ? names.map(name => this.column(name)) : this.columns.filter(({ type }) => type !== 'string' && type !== 'category')
    const data = new Float32Array(this.length * chosen.length)
    chosen.forEach((column, k) => {
      const { data: values } = this.numbers(column)
      for (let i = 0; i < this.length; i++) data[i * chosen.length + k] = Number(values[i])
    })
    return ndarray(data, [this.length, chosen.length])
  }

  /**
   * Rows as samples [x, y]: `inputs` side by side as float32, one name or several, and `target` as its column holds it,
   * class indices of a category as int32.
   */
  dataset(inputs: string | readonly string[], target: string): TensorDataset<[NdArray, NdArray]> {
    return new TensorDataset(this.matrix(...typeof inputs === 'string' ? [inputs] : inputs), this.numbers(this.column(target)))
  }

  private numbers({ name, values }: CsvColumn): NdArray {
    return values ?? fail('dtype', 'csv', `the column ${name} holds text. Read it as a category`)
  }
}

/** Whether the first record names the columns. */
export const hasHeader = ({ header = true }: CsvOptions): boolean => header === true

/** The names of columns, by the options or the first record. */
export function namesOf({ header = true }: CsvOptions, first: TextRecord | undefined): string[] {
  if (header === true && !first) fail('data', 'csv', 'the text is empty, and has no header')
  const fields = first?.fields ?? []
  const names = typeof header === 'object' ? [...header] : fields.map((field, k) => header ? field.trim() : String(k))
  const twice = names.find((name, k) => names.indexOf(name) < k)
  if (twice !== undefined) fail('data', 'csv', `two columns are named ${JSON.stringify(twice)}. Give names of your own by header: […], and leave out the first line`)
  return names
}

/** Refuses a record with more or fewer fields than there are columns. */
export function checkFields({ fields, line }: TextRecord, names: readonly string[]): void {
  if (fields.length !== names.length) fail('data', 'csv', `line ${line}: the number of fields is ${fields.length}, of columns ${names.length}. Quote fields that hold the delimiter, or correct the line`)
}

/** Refuses options for columns that are not there. */
export function checkColumns({ columns = {} }: CsvOptions, names: readonly string[]): void {
  const unknown = Object.keys(columns).find(name => !names.includes(name))
  if (unknown !== undefined) fail('value', 'csv', `there is no column ${unknown}; there are ${names.join(', ')}`)
}

/** What holds nothing. */
export function missingOf({ missing = missingMarks }: CsvOptions): IsMissing {
  const marks = new Set(missing)
  return field => marks.has(field)
}
