// The table of ops and backends, as the docs show it.

import type { DType } from '@bp/core'
import { shortName } from '@bp/core/extend'
import type { OpSupport, Support } from './support.ts'

/** What the table needs of a report of mode `support`. */
export interface SupportReport {
  readonly backend: string
  readonly ops: readonly OpSupport[]
}

const words: Readonly<Record<Exclude<Support, 'no'>, string>> = { yes: '', 'through host': 'host: ', 'through ops': 'ops: ' }
const headings: Readonly<Record<OpSupport['kind'], string>> = { primitive: 'Primitives', composite: 'Composites', library: 'Library primitives' }

/** `f64 f32; ops: f16`, or a dash where there is nothing. */
function cell(op: OpSupport | undefined): string {
  const all = Object.entries(op?.dtypes ?? {}) as [DType, Support][]
  const parts = (Object.keys(words) as Exclude<Support, 'no'>[]).flatMap(way => {
    const dtypes = all.flatMap(([dtype, support]) => support === way ? shortName(dtype) : [])
    return dtypes.length > 0 ? words[way] + dtypes.join(' ') : []
  })
  return parts.length > 0 ? parts.join('; ') : '–'
}

/**
 * Markdown tables of ops by backends, one for each kind of op, from reports of mode `support`.
 *
 * @example
 * ```ts
 * import { conformance, reference, supportTable } from '@bp/testkit'
 * const report = await conformance(reference(), { mode: 'support', filter: 'tanh' }).run()
 * supportTable([report]).split('\n').at(-1) // => | tanh | f64 f32 f16 |
 * ```
 */
export function supportTable(reports: readonly SupportReport[]): string {
  const names = [...new Map(reports.flatMap(({ ops }) => ops.map(({ op, kind }) => [op, kind] as const)))]
  return (Object.keys(headings) as OpSupport['kind'][]).flatMap(kind => {
    const rows = names.filter(([, own]) => own === kind).map(([name]) => `| ${name} | ${reports.map(({ ops }) => cell(ops.find(({ op }) => op === name))).join(' | ')} |`)
    if (rows.length === 0) return []
    return [`### ${headings[kind]}\n\n| op | ${reports.map(({ backend }) => backend).join(' | ')} |\n|---|${'---|'.repeat(reports.length)}\n${rows.join('\n')}`]
  }).join('\n\n')
}
