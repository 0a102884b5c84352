// A table as plain text.

/** Rows of cells in columns as wide as their widest cell, aligned to the right, and the first to the left where asked. */
export function table(rows: readonly (readonly string[])[], firstLeft = false): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => row[i]!.length)))
  return rows.map(row => row.map((cell, i) => firstLeft && i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join('  ')).join('\n')
}
