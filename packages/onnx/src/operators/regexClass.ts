// Sets of characters in patterns of RE2, as tests of one character that JavaScript makes of them.

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

/** A character that stands for itself, as JavaScript writes it. */
const literal = (char: string): string => /[\^$\\.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char === '-' ? '\\x2d' : char

/** An escape that means the same inside and outside of brackets; `null` for one that does not. */
export function escaped(token: string): string | null {
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

const inside = /\[:(\^?)(\w+):\]|\\[pP](?:\{\^?\w+\}|\w)|\\x(?:\{[0-9A-Fa-f]+\}|[0-9A-Fa-f]{2})|\\0[0-7]{0,2}|\\[1-7][0-7]{2}|\\[^]|[^]/uy

/** One of `\d`, `\D`, `\w`, … in brackets of JavaScript; `null` for another escape. */
export function perlClass(token: string): string | null {
  const letter = /^\\([dDwWsS])$/.exec(token)?.[1]
  return letter === undefined ? null : `[${letter < 'a' ? '^' : ''}${classes[letter.toLowerCase()]!}]`
}

/** What stands in brackets, from its first character on; the place after it. */
export function readClass(pattern: string, start: number, refuse: (what: string) => never): { readonly source: string; readonly end: number } {
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
    else source += token.startsWith('\\') ? escaped(token) ?? refuse(`${token} in brackets`) : literal(token)
  }
  return { source: `${source}]`, end: at + 1 }
}

