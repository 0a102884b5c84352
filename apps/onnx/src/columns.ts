// Tables and quantities as text.

/** Rows of cells in columns as wide as their widest cell; columns named in `right` are aligned to the right. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => row[i]!.length)))
  return rows.map(row => row.map((cell, i) => right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join('  ').trimEnd()).join('\n')
}

/** A number of bytes, as `1.5 MB`. */
export const bytes = (n: number): string => n < 1000 ? `${n} B` : n < 1e6 ? `${round(n / 1e3)} kB` : n < 1e9 ? `${round(n / 1e6)} MB` : `${round(n / 1e9)} GB`

/** A count, as `1.5 M`. */
export const count = (n: number): string => n < 1000 ? String(n) : n < 1e6 ? `${round(n / 1e3)} k` : n < 1e9 ? `${round(n / 1e6)} M` : `${round(n / 1e9)} G`

const round = (n: number): string => n < 10 ? n.toFixed(2) : n < 100 ? n.toFixed(1) : n.toFixed(0)

/** A dtype and a shape as errors print them, `float32[2,3]`. */
export const typed = (dtype: string, shape: readonly (string | number)[]): string => `${dtype}[${shape.join(',')}]`
