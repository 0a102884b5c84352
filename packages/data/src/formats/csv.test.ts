// CSV: what records and columns hold, whole or in pieces, and on which line they are wrong.

import { describe, expect, it } from 'vitest'
import { parseCsv } from './csv.ts'
import { CsvStream } from './csvStream.ts'

const text = 'width,"the ""kind""",ripe,count,note\r\n5.1,oak,yes,1,a\r\n\r\n4.9,"el\r\nm",no,2,\r\n-.5e1,oak,TRUE,3,"x,y"\r\n'
const columns = { ripe: 'bool', count: 'int64', note: 'string' } as const

describe('a table', () => {
  it('has columns of every type', () => {
    const table = parseCsv(`\ufeff${text}`, { columns })
    expect(table.columns.map(({ name, type }) => [name, type])).toEqual([['width', 'float32'], ['the "kind"', 'category'], ['ripe', 'bool'], ['count', 'int64'], ['note', 'string']])
    expect(table.column('width').values!.data).toEqual(Float32Array.of(5.1, 4.9, -5))
    expect(table.column('the "kind"')).toMatchObject({ values: { data: Int32Array.of(1, 0, 1) }, categories: ['el\r\nm', 'oak'] })
    expect(table.column('ripe').values!.data).toEqual(Uint8Array.of(1, 0, 1))
    expect(table.column('count').values!.data).toEqual(BigInt64Array.of(1n, 2n, 3n))
    expect(table.column('note').text).toEqual(['a', '', 'x,y'])
    expect(table.matrix('count', 'width').data).toEqual(Float32Array.of(1, 5.1, 2, 4.9, 3, -5))
    expect(table.matrix().shape).toEqual([3, 3])
    const [x, y] = table.dataset(['width', 'ripe'], 'the "kind"').getBatch([2, 1])
    expect(x.data).toEqual(Float32Array.of(-5, 1, 4.9, 0))
    expect(y.data).toEqual(Int32Array.of(1, 0))
  })

  it('takes other delimiters, no header, and values for what is missing', () => {
    const table = parseCsv('1;NA\n;b\n2;c', { delimiter: ';', header: false, columns: { 0: { type: 'int32', missing: '-1' }, 1: { type: 'category', missing: 'none' } } })
    expect(table.column('0').values!.data).toEqual(Int32Array.of(1, -1, 2))
    expect(table.column('1')).toMatchObject({ categories: ['b', 'c', 'none'], values: { data: Int32Array.of(2, 0, 1) } })
    expect(parseCsv('a\n?\n1', { missing: ['?'] }).column('a').values!.data).toEqual(Float32Array.of(NaN, 1))
    expect(parseCsv('3,4', { header: ['p', 'q'] }).column('q').values!.data).toEqual(Float32Array.of(4))
  })

  it('is refused with the line', () => {
    expect(() => parseCsv('a,b\n1,2\n\n3\n')).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 4: the number of fields is 1, of columns 2. Quote fields that hold the delimiter, or correct the line]`)
    expect(() => parseCsv('a,b\n"1\n",2\n3,x', { columns: { b: 'float32' } })).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 4, column b: "x" is no number. Correct it, or give the column another type]`)
    expect(() => parseCsv('a,b\n1,2\n3,"4\n5,6')).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 3: quoted field unterminated. Double the quotes within a quoted field, and close it]`)
    expect(() => parseCsv('a,b\n1,"2"x\n')).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 2: trailing quote on quoted field is malformed. Double the quotes within a quoted field, and close it]`)
    expect(() => parseCsv('a\n1\n2.5', { columns: { a: 'int32' } })).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 3, column a: "2.5" is no int32. Correct it, or give the column another type]`)
    expect(() => parseCsv('a\n9223372036854775808', { columns: { a: 'int64' } })).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 2, column a: "9223372036854775808" is no int64. Correct it, or give the column another type]`)
    expect(() => parseCsv('a\nmaybe', { columns: { a: 'bool' } })).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 2, column a: "maybe" is neither true nor false. Correct it, or give the column another type]`)
    expect(() => parseCsv('a,b\n1,\n', { columns: { b: 'category' } })).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 2, column b is missing, and a column of type category has no value for that. Give { type: 'category', missing: … }]`)
    expect(() => parseCsv('a\nz', { columns: { a: { type: 'category', categories: ['x', 'y'] } } })).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 2, column a: "z" is not among the categories x, y. Correct it, or give the column another type]`)
    expect(() => parseCsv('a,a\n1,2')).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: two columns are named "a". Give names of your own by header: […], and leave out the first line]`)
    expect(() => parseCsv('')).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: the text is empty, and has no header]`)
    expect(() => parseCsv('a\n1', { columns: { b: 'int32' } })).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: there is no column b; there are a]`)
    expect(() => parseCsv('a\nx').matrix('a', 'c')).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: there is no column c; there are a]`)
    expect(() => parseCsv('a\nx', { columns: { a: 'string' } }).matrix('a')).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: the column a holds text. Read it as a category]`)
  })
})

describe('a stream', () => {
  const rows = async (chunks: Iterable<string | Uint8Array>): Promise<string[]> => {
    const out: string[] = []
    for await (const { width, note } of new CsvStream(() => chunks, { columns: { width: 'float64', note: 'string' } }).iterate()) out.push(`${width.data[0]!} ${note}`)
    return out
  }

  it('has the same rows in pieces of any size', async () => {
    const bytes = new TextEncoder().encode(`\ufeff${text}`)
    for (const size of [1, 2, 3, 5, 8, 13, 1000]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
      expect(await rows(pieces)).toEqual(['5.1 a', '4.9 ', '-5 x,y'])
    }
    expect(await rows([`\ufeff${text.slice(0, 20)}`, text.slice(20)])).toHaveLength(3)
  })

  it('is refused with the line, and needs the names of categories', async () => {
    await expect(rows(['width,note\n1,"a\nb"\n', '2,c\nx', ',d\n'])).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 5, column width: "x" is no number. Correct it, or give the column another type]`)
    await expect(rows(['width,note\n1,a\n2'])).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: csv: line 3: the number of fields is 1, of columns 2. Quote fields that hold the delimiter, or correct the line]`)
    await expect(rows([Uint8Array.of(0xff, 0xff)])).rejects.toThrowErrorMatchingInlineSnapshot(`[BpError: csv: the file is not UTF-8. Convert it, or decode it and give its text]`)
    expect(() => new CsvStream(() => [], { columns: { kind: 'category' } })).toThrowErrorMatchingInlineSnapshot(`[BpError: csv: the column kind is a category without names. A stream is not read beforehand: give { type: 'category', categories: […] }]`)
  })
})
