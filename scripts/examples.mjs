// Turns the examples in doc comments and Markdown files into tests, in the folder .examples.
// A line that ends in `// => text` is checked: the value before it must print as the text.

import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const out = join(root, '.examples')
rmSync(out, { recursive: true, force: true })
mkdirSync(out)

const header = `import { expect, test } from 'vitest'
import { use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
use(cpu())
const show = value => Array.isArray(value) ? '[' + value.map(show).join(', ') + ']' : String(value)
const shown = (value, text) => {
  if (text.startsWith('≈ ')) expect(value).toBeCloseTo(Number(text.slice(2)), (text.split('.')[1] ?? '').length - 1)
  else expect(show(value)).toBe(text)
}
`

/** An example's code with its promises turned into checks, and its imports apart. */
function compile(code) {
  const imports = []
  const body = []
  for (const line of code) {
    const promise = /^(\s*)(.+?);?\s*\/\/ => (.*)$/.exec(line)
    const declared = promise && /^(?:const|let) (\w+) =/.exec(promise[2])
    if (/^import /.test(line)) imports.push(line.replace(/import \{ (?:use|cpu) \} from .*/, ''))
    else if (declared) body.push(promise[1] + promise[2], `${promise[1]}shown(${declared[1]}, ${JSON.stringify(promise[3].trim())})`)
    else if (promise) body.push(`${promise[1]}shown(${promise[2]}, ${JSON.stringify(promise[3].trim())})`)
    else body.push(line)
  }
  return { imports, body }
}

let count = 0
function write(name, code, file) {
  const { imports, body } = compile(code)
  const names = imports.join('\n').replaceAll(/\buse,\s*|,\s*use\b(?=[ ,}])/g, '').replaceAll(/\bcpu,\s*|,\s*cpu\b(?=[ ,}])/g, '')
  const source = `${header}${names}\ntest(${JSON.stringify(name)}, async () => {\n${body.map(line => '  ' + line).join('\n')}\n})\n`
  writeFileSync(join(out, `${String(++count).padStart(3, '0')}-${file}.test.ts`), source)
}

/** The fenced ts blocks of a text, each with the index where it ends. */
function* blocks(text) {
  for (const match of text.matchAll(/```ts\n([\s\S]*?)```/g)) yield { code: match[1], end: match.index + match[0].length }
}

for (const path of globSync('packages/*/src/**/*.ts', { cwd: root }).filter(path => !/\.test(-d)?\.ts$/.test(path)).sort()) {
  const source = readFileSync(join(root, path), 'utf8')
  for (const comment of source.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const text = comment[0].split('\n').map(line => line.replace(/^\s*\* ?/, '')).join('\n')
    const after = /(?:function|const|class|interface|type)\s+(\w+)|^\s*(?:readonly )?(\w+)/m.exec(source.slice(comment.index + comment[0].length))
    for (const { code } of blocks(text)) write(`${path} › ${after?.[1] ?? after?.[2] ?? ''}`, code.trimEnd().split('\n'), path.replaceAll(/[^\w]+/g, '-'))
  }
}
for (const path of globSync(['README.md', 'packages/*/README.md', 'docs/**/*.md'], { cwd: root }).filter(path => !path.includes('node_modules')).sort()) {
  let index = 0
  for (const { code } of blocks(readFileSync(join(root, path), 'utf8'))) write(`${path} › example ${++index}`, code.trimEnd().split('\n'), path.replaceAll(/[^\w]+/g, '-'))
}
console.log(`${count} examples`)
