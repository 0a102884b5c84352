// Regular expressions of RE2 as JavaScript's: what both read alike, the rest rewritten or refused.

import { fail } from '@bp/core/extend'
import { unsupported } from '../import/errors.ts'

/* https://github.com/google/re2/wiki/Syntax. Perl's classes hold ASCII alone there. */
const classes: Readonly<Record<string, string>> = { d: '0-9', w: '0-9A-Za-z_', s: '\\t\\n\\f\\r ' }

const posix: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z', alpha: 'A-Za-z', ascii: '\\x00-\\x7f', blank: '\\t ', cntrl: '\\x00-\\x1f\\x7f', digit: '0-9', graph: '!-~', lower: 'a-z', print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~', space: '\\t\\n\\v\\f\\r ', upper: 'A-Z', word: '0-9A-Za-z_', xdigit: '0-9A-Fa-f',
}

/** A category (`L`, `Lu`) or a script (`Greek`), or not one. */
function property(letter: string, name: string): string {
  const [not, plain] = name.startsWith('^') ? [true, name.slice(1)] : [false, name]
  return `\\${(letter === 'P') === not ? 'p' : 'P'}{${plain.length <= 2 ? plain : `Script=${plain}`}}`
}

const codePoint = (digits: string, base: number): string => `\\u{${parseInt(digits, base).toString(16)}}`

/** An escape that means the same inside and outside of brackets; `null` for one that does not. */
function escape(token: string): string | null {
  const named = /^\\([pP])(?:\{(\^?\w+)\}|(\w))$/.exec(token)
  if (named) return property(named[1]!, named[2] ?? named[3]!)
  const hex = /^\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))$/.exec(token)
  if (hex) return codePoint(hex[1] ?? hex[2]!, 16)
  const octal = /^\\(0[0-7]{0,2}|[1-7][0-7]{2})$/.exec(token)
  if (octal) return codePoint(octal[1]!, 8)
  if (token === '\\a') return '\\x07'
  if (/^\\[fnrtv]$/.test(token)) return token
  return /^\\[!-/:-@[-`{-~]$/.test(token) ? literal(token[1]!) : null
}

const literal = (char: string): string => /[\^$\\.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char === '-' ? '\\x2d' : char

const inside = /\[:(\^?)(\w+):\]|\\[pP](?:\{\^?\w+\}|\w)|\\x(?:\{[0-9A-Fa-f]+\}|[0-9A-Fa-f]{2})|\\0[0-7]{0,2}|\\[1-7][0-7]{2}|\\[^]|[^]/uy
const outside = /\\Q([^]*?)(?:\\E|$)|\\[pP](?:\{\^?\w+\}|\w)|\\x(?:\{[0-9A-Fa-f]+\}|[0-9A-Fa-f]{2})|\\0[0-7]{0,2}|\\[1-7][0-7]{2}|\\[^]|\(\?P?<\w+>|\(\?:|\((?!\?)|(?:[*+?]|\{\d+(?:,\d*)?\})\??|[^]/uy

/** What stands in brackets, from its first character on; the place after it. */
function readClass(pattern: string, start: number, refuse: (what: string) => never): { readonly source: string; readonly end: number } {
  let at = start + 1
  let source = '['
  if (pattern[at] === '^') {
    source += '^'
    at++
  }
  for (let first = true; first || pattern[at] !== ']'; first = false) {
    inside.lastIndex = at
    const match = inside.exec(pattern)
    if (!match) return refuse('brackets that are not closed')
    const [token, not, name] = match
    at += token.length
    const perl = /^\\([dws])$/.exec(token)
    if (name !== undefined) source += not === '' && Object.hasOwn(posix, name) ? posix[name]! : refuse(token)
    else if (perl) source += classes[perl[1]!]!
    else if (token === '-') source += pattern[at] === ']' || first ? '\\x2d' : '-'
    else source += token.startsWith('\\') ? escape(token) ?? refuse(`${token} in brackets`) : literal(token)
  }
  return { source: `${source}]`, end: at + 1 }
}

/** A test of whether all of a text matches a pattern of RE2. Throws where the pattern is none, or JavaScript has nothing for a part of it. */
export function fullMatch(pattern: string, operator: string): (text: string) => boolean {
  const refuse = (what: string): never => unsupported(operator, `${what} in the pattern ${JSON.stringify(pattern)}`)
  const flags = /^\(\?([is]+)\)/.exec(pattern)
  const any = flags?.[1]!.includes('s') ? '[^]' : '[^\\n]'
  let at = flags ? flags[0].length : 0
  let source = ''
  while (at < pattern.length) {
    if (pattern[at] === '[') {
      const { source: brackets, end } = readClass(pattern, at, refuse)
      source += brackets
      at = end
      continue
    }
    outside.lastIndex = at
    const [token, quoted] = outside.exec(pattern) ?? refuse('a part')
    at += token.length
    const perl = /^\\([dDwWsS])$/.exec(token)
    if (quoted !== undefined) source += quoted.replace(/[^]/gu, literal)
    else if (perl) source += `[${perl[1]! < 'a' ? '^' : ''}${classes[perl[1]!.toLowerCase()]!}]`
    else if (token === '\\A' || token === '\\z') source += token === '\\A' ? '^' : '$'
    else if (token === '\\b' || token === '\\B') source += token
    else if (token.startsWith('\\')) source += escape(token) ?? refuse(token)
    else if (token === '.') source += any
    else if (token.startsWith('(?P')) source += `(?${token.slice(3)}`
    else if (token === '(' && pattern[at] === '?') refuse(pattern.slice(at - 1, at + 3))
    else source += /^[{}\]]$/.test(token) ? `\\${token}` : token
  }
  try {
    const expression = new RegExp(`^(?:${source})$`, flags?.[1]!.includes('i') ? 'ui' : 'u')
    return text => expression.test(text)
  } catch (cause) {
    return fail('data', operator, `the pattern ${JSON.stringify(pattern)} is no regular expression of RE2. Write it anew`, { cause })
  }
}
