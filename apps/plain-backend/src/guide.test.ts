// What docs/add-a-backend.md quotes stands in this app's files.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const guide = readFileSync(new URL('../../../docs/add-a-backend.md', import.meta.url), 'utf8')

/** Each quoted block, with the file that the last line of its own before it names. */
function quotes(): { file: string; code: string }[] {
  const found: { file: string; code: string }[] = []
  let file = ''
  for (const [, named, code] of guide.matchAll(/^\[`[^`]+`\]\(\.\.\/apps\/plain-backend\/([\w./]+)\)$|^```typescript\n([\s\S]*?)^```$/gm)) {
    if (named !== undefined) file = named
    else found.push({ file, code: code! })
  }
  return found
}

test('the guide quotes', () => {
  expect(quotes().length).toBeGreaterThan(8)
})

test.each(quotes())('$file: $code', ({ file, code }) => {
  expect(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')).toContain(code)
})
