// The committed table of ops and backends is the one that the backends give today.

import { readdirSync, readFileSync } from 'node:fs'
import { cpu } from '@bp/backend-cpu'
import { expect, test } from 'vitest'
import { conformance, supportTable, type SupportReport } from './index.ts'

const docs = new URL('../../../docs/', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, docs), 'utf8')

test('docs/support/cpu.json is up to date: else npm run support', async () => {
  const { ops } = await conformance(cpu(), { mode: 'support' }).run()
  expect((JSON.parse(read('support/cpu.json')) as SupportReport).ops).toEqual(ops)
})

test('docs/backends.md shows the reports of docs/support: else npm run support', () => {
  const reports = readdirSync(new URL('support/', docs)).filter(name => name.endsWith('.json')).sort().map(name => JSON.parse(read(`support/${name}`)) as SupportReport)
  expect(reports.map(({ backend }) => backend)).toContain('cpu')
  expect(read('backends.md')).toContain(`<!-- support -->\n\n${supportTable(reports)}\n\n<!-- /support -->`)
})
